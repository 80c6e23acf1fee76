#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "daq/core/record.hpp"

namespace alleycat {

/// The records of all boards that belong to one accelerator pulse, merged and numbered by the event builder.
///
/// A missing board is part of the trigger (a bit in missing_boards), not a reason to lose it. The views point into the
/// rings: they hold until the pipeline releases the trigger.
struct Trigger {
    std::uint64_t sequence = 0;  ///< without gaps within a run, refused triggers included
    std::int64_t time_ps = 0;    ///< reference board's time since the run's first tick [ps]
    std::int64_t utc_ns = 0;
    std::uint64_t missing_boards = 0;
    RefusalReason refusal = RefusalReason::none;  ///< one refused record refuses the trigger: then it has no records
    TriggerClass trigger_class = TriggerClass::beam_tick;
    std::uint32_t tick_flags = 0;    ///< trigger_flag bits about its tick
    std::uint64_t tick = 0;          ///< number of the tick it belongs to, counted by the timing signal
    std::int64_t since_tick_ps = 0;  ///< its time after that tick (negative: before); 0: it is the tick
    std::uint16_t record_count = 0;
    std::array<RecordView, kMaxBoards> record{};

    [[nodiscard]] std::span<const RecordView> records() const noexcept { return {record.data(), record_count}; }
    void add(const RecordView& view) noexcept { record[record_count++] = view; }

    /// The record of the board with this index, or nullptr when it is missing.
    [[nodiscard]] const RecordView* of_board(std::uint16_t board) const noexcept {
        for (const RecordView& view : records()) {
            if (view.header().board == board) return &view;
        }
        return nullptr;
    }
};

}  // namespace alleycat
