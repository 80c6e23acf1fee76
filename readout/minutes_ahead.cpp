#include "readout/minutes_ahead.hpp"

#include <chrono>

namespace alleycat::labview {
namespace {

constexpr auto kPatience = std::chrono::milliseconds{100};

}  // namespace

MinutesAhead::MinutesAhead(std::vector<std::filesystem::path> minutes, unsigned threads, std::size_t ahead_bytes)
    : minutes_{std::move(minutes)}, most_in_use_{ahead_bytes / (MinuteBlock::kMost * kWaveformBytes)} {
    if (threads < 2) return;
    for (unsigned i = 0; i < threads; ++i) {
        threads_.push_back(std::make_unique<Worker>("unzip-" + std::to_string(i),
                                                    [this](const std::stop_token& stop) { unpack_minutes(stop); }));
    }
}

MinutesAhead::~MinutesAhead() {
    for (const auto& thread : threads_) thread->request_stop();  // all at once, then their destructors wait
}

const MinuteBlock* MinutesAhead::next(const std::stop_token& stop) {
    if (at_end() || stop.stop_requested()) return nullptr;
    Block next = threads_.empty() ? unpack_here(stop) : wait_for_block(stop);
    if (next == nullptr) return nullptr;
    give_back(std::exchange(block_, std::move(next)));
    if (block_->failure) std::rethrow_exception(block_->failure);
    return block_.get();
}

MinuteReader MinutesAhead::reader_of(std::size_t minute) const {
    return {minutes_[minute], short_name(minutes_[minute], minutes_.size() > 1)};
}

MinutesAhead::Block MinutesAhead::unpack_here(const std::stop_token& stop) {
    if (!reader_) reader_.emplace(reader_of(current_));
    Block block = take_free_block();
    reader_->read(*block, stop);
    if (block->last) {
        reader_.reset();
        ++current_;
    }
    return block;
}

MinutesAhead::Block MinutesAhead::wait_for_block(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    const auto is_there = [&] { return !ready_.empty() && !ready_.front().empty(); };
    if (!changed_.wait_for(lock, stop, kPatience, is_there)) return nullptr;
    Block block = std::move(ready_.front().front());
    ready_.front().pop_front();
    if (block->last) {
        ready_.pop_front();
        ++current_;
    }
    lock.unlock();
    changed_.notify_all();  // this minute, or another one, may have a block now
    return block;
}

void MinutesAhead::give_back(Block block) {
    if (block == nullptr) return;
    block->clear();
    {
        const std::lock_guard lock{mutex_};
        free_.push_back(std::move(block));
        --in_use_;
    }
    changed_.notify_all();
}

/// A block to fill. Ahead of the minute that is asked for it waits for room; that minute itself never does.
MinutesAhead::Block MinutesAhead::empty_block(std::size_t minute, const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    const auto may_have_one = [&] { return in_use_ < most_in_use_ || (minute == current_ && ready_.front().empty()); };
    if (!changed_.wait(lock, stop, may_have_one)) return nullptr;
    return take_free_block();
}

MinutesAhead::Block MinutesAhead::take_free_block() {
    ++in_use_;
    if (free_.empty()) return std::make_unique<MinuteBlock>();
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
}

/// A thread's loop: one minute after the other, in the order of the list among all threads.
void MinutesAhead::unpack_minutes(const std::stop_token& stop) {
    for (;;) {
        std::size_t minute = 0;
        {
            const std::lock_guard lock{mutex_};
            if (claimed_ == minutes_.size()) return;
            minute = claimed_++;
            ready_.emplace_back();
        }
        MinuteReader reader = reader_of(minute);
        for (bool last = false; !last;) {
            Block block = empty_block(minute, stop);
            if (block == nullptr) return;
            try {
                reader.read(*block, stop);
            } catch (...) {
                block->failure = std::current_exception();
                block->last = true;
            }
            if (stop.stop_requested()) return;
            last = block->last;
            {
                const std::lock_guard lock{mutex_};
                ready_[minute - current_].push_back(std::move(block));
            }
            changed_.notify_all();
        }
    }
}

}  // namespace alleycat::labview
