#pragma once
// What the tests of this folder share: records by hand, boards without threads, a source that follows a script.

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/source.hpp"
#include "daq/run/board_input.hpp"

namespace run_test {

using namespace alleycat;

inline constexpr std::int64_t kMillisecond = 1'000'000'000;  // [ps]
inline constexpr std::int64_t kTick = 16'666'666'667;        // 60 Hz [ps]

inline RecordHeader record_at(std::uint64_t counter, std::int64_t time_ps, std::uint16_t board = 0) {
    RecordHeader header;
    header.counter = counter;
    header.time_ps = time_ps;
    header.utc_ns = 1'000'000'000 + time_ps / 1000;
    header.board = board;
    return header;
}

/// `n` refused triggers from `time_ps` to `last_ps`.
inline RecordHeader stub_at(std::uint64_t counter, std::int64_t time_ps, std::uint32_t n, std::int64_t last_ps,
                            std::uint16_t board = 0) {
    RecordHeader header = record_at(counter, time_ps, board);
    header.refusal = RefusalReason::buffer_full;
    header.refused = n;
    header.refused_last_time_ps = last_ps;
    header.samples_per_channel = n;  // all of them ticks
    return header;
}

inline std::vector<std::unique_ptr<BoardInput>> boards(std::size_t n, std::size_t ring_bytes = 1u << 21) {
    std::vector<std::unique_ptr<BoardInput>> inputs;
    for (std::size_t b = 0; b < n; ++b)
        inputs.push_back(std::make_unique<BoardInput>("board" + std::to_string(b), ring_bytes));
    return inputs;
}

/// As the reader thread commits it.
inline void put(BoardInput& input, const RecordHeader& header) {
    const std::span<std::byte> slot = input.records.reserve(sizeof header + payload_bytes(header));
    if (slot.data() == nullptr) throw Error{"the test's ring is too small"};
    std::memcpy(slot.data(), &header, sizeof header);
    std::fill(slot.begin() + sizeof header, slot.end(), std::byte{0});
    input.newest_utc_ns = header.utc_ns;
    input.newest_time_ps = header.refused > 0 ? header.refused_last_time_ps : header.time_ps;
    input.records.commit();
}

/// Plays a script: one step per call of next().
class ScriptedSource : public RecordSource {
  public:
    struct Step {
        Next what = Next::record;
        RecordHeader header;
        std::vector<BeamFrame> frames;
    };
    explicit ScriptedSource(std::vector<Step> steps) : steps_{std::move(steps)} { board_.name = "board0"; }

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token) override {
        if (at_ == steps_.size()) return Next::end;
        header = steps_[at_].header;
        frames_ = steps_[at_].frames;
        return steps_[at_++].what;
    }
    void fill(std::span<std::byte> payload) override { std::fill(payload.begin(), payload.end(), std::byte{7}); }
    void take_beam_frames(std::vector<BeamFrame>& frames) override {
        frames.insert(frames.end(), frames_.begin(), frames_.end());
        frames_.clear();
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override {
        return {{"torn", at_}};
    }
    [[nodiscard]] std::size_t steps_taken() const noexcept { return at_; }

  private:
    BoardInfo board_;
    std::vector<Step> steps_;
    std::vector<BeamFrame> frames_;
    std::size_t at_ = 0;
};

}  // namespace run_test
