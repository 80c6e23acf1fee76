#pragma once
// How the parts of a run follow each other, and whether its books balance (internal to daq/store).

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/store/part_check.hpp"

namespace alleycat {

/// The parts of one run, put together.
class RunCheck {
  public:
    /// A part that was looked at. Returns what is already there under its number, if anything is.
    std::optional<std::filesystem::path> add(const AlleycatFile& file, PartAccount account);
    /// A part that cannot be opened, or is not there but in its journal.
    void add_unreadable(std::uint32_t part);
    /// A part that stands verified at a second place and was deleted here; what it accounted for.
    void add_moved(std::uint32_t part, std::optional<SequenceRange> range);

    /// `whole_folder`: all parts that there are were added, so that something can be missing between and behind them.
    void check(std::uint64_t number, bool whole_folder, std::vector<std::string>& problems);

    [[nodiscard]] bool has(std::uint32_t part) const {
        return parts_.contains(part) || unreadable_.contains(part) || moved_.contains(part);
    }
    /// The last sequence number accounted for; kNoSequence: none is.
    [[nodiscard]] std::uint64_t last_sequence() const noexcept;
    /// All parts from the first on were read.
    [[nodiscard]] bool readable() const noexcept { return unreadable_.empty() && !parts_.empty(); }

    /// What the next run is compared with.
    struct Ends {
        std::int64_t start_utc_ns = 0, last_utc_ns = 0;
        double tick_rate_hz = 0;
        bool ended = false;  ///< by a run_end
        std::uint64_t lost_estimated = 0;
    };
    [[nodiscard]] std::optional<Ends> ends() const;

  private:
    using Fate = SequenceRange::Fate;
    struct Part {
        std::filesystem::path path;
        std::optional<PartSummary> summary;
        RunDescription run;
        std::int64_t last_utc_ns = 0;
        PartAccount account;
    };
    void check_parts_there(std::uint64_t number, std::vector<std::string>& problems) const;
    void check_sequences(std::uint64_t number, std::vector<std::string>& problems) const;
    void check_dead_time(std::uint64_t number, std::vector<std::string>& problems) const;
    void check_ledgers(std::uint64_t number, std::vector<std::string>& problems) const;
    void check_ledger(const std::string& whose, const Ledger& ledger, const Part& last, std::uint64_t recorded,
                      std::vector<std::string>& problems) const;
    [[nodiscard]] std::uint64_t count_before(Fate fate, std::uint64_t sequence) const;
    [[nodiscard]] bool begins_at_the_beginning() const;

    std::map<std::uint32_t, Part> parts_;
    std::map<std::uint32_t, bool> unreadable_;
    std::map<std::uint32_t, std::optional<SequenceRange>> moved_;
};

/// Compares runs that follow each other: what one says was lost before it, and what the files of the other say.
[[nodiscard]] std::vector<std::string> notes_on_gaps(const std::map<std::uint64_t, RunCheck::Ends>& runs);

}  // namespace alleycat
