#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "daq/core/worker.hpp"
#include "readout/labview_minute.hpp"

namespace alleycat::labview {

/// The blocks of a list of minutes, in the order of the list, unpacked ahead by threads.
///
/// A zip can only be read from its start, so a thread takes a whole minute; the minutes after the one that is asked for
/// are unpacked meanwhile, as far as the memory goes: kAheadBytes per thread. Of the minute that is asked for a block
/// is always made, so nothing ever waits for itself. With one thread there is none: the caller unpacks.
class MinutesAhead {
  public:
    /// So much lets two threads be half a minute (126 MB) apart, as they have to be to work all the time.
    static constexpr std::size_t kAheadBytes = 128u << 20;

    /// ahead_bytes  of unpacked waveforms that may wait, together
    MinutesAhead(std::vector<std::filesystem::path> minutes, unsigned threads, std::size_t ahead_bytes);
    MinutesAhead(std::vector<std::filesystem::path> minutes, unsigned threads)
        : MinutesAhead{std::move(minutes), threads, threads * kAheadBytes} {}
    ~MinutesAhead();

    /// The next block of the minute that is asked for; it stays until the next call. nullptr: the end, or none within
    /// 100 ms, or stop was requested. After a block that is its minute's last the next one is of the next minute.
    [[nodiscard]] const MinuteBlock* next(const std::stop_token& stop);
    [[nodiscard]] bool at_end() const noexcept { return current_ == minutes_.size(); }
    /// Index of the minute that the next block is of.
    [[nodiscard]] std::size_t minute() const noexcept { return current_; }

  private:
    using Block = std::unique_ptr<MinuteBlock>;

    [[nodiscard]] MinuteReader reader_of(std::size_t minute) const;
    [[nodiscard]] Block unpack_here(const std::stop_token& stop);
    [[nodiscard]] Block wait_for_block(const std::stop_token& stop);
    void give_back(Block block);
    void unpack_minutes(const std::stop_token& stop);
    [[nodiscard]] Block empty_block(std::size_t minute, const std::stop_token& stop);
    [[nodiscard]] Block take_free_block();

    std::vector<std::filesystem::path> minutes_;
    std::optional<MinuteReader> reader_;  ///< of the caller's thread, when it is the only one
    Block block_;                         ///< handed out
    std::size_t current_ = 0;             ///< minute that is asked for; written under the mutex

    // A block is handed over every few milliseconds, and both sides wait for conditions on several minutes at once
    // (room, order): a mutex says that in a line each.
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::size_t claimed_ = 0;              ///< minutes that threads have taken
    std::deque<std::deque<Block>> ready_;  ///< of minutes [current_, claimed_), oldest block first
    std::vector<Block> free_;
    std::size_t in_use_ = 0;  ///< blocks that are not in free_
    std::size_t most_in_use_ = 0;
    std::vector<std::unique_ptr<Worker>> threads_;  // last: they use all of it
};

}  // namespace alleycat::labview
