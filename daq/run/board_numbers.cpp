#include "daq/run/board_numbers.hpp"

#include <utility>

namespace alleycat {

std::optional<std::uint64_t> BoardNumbers::in_run(std::uint64_t counter) const noexcept {
    if (!offset_) return std::nullopt;
    return counter - *offset_;
}

bool BoardNumbers::believes(std::uint64_t counter, std::int64_t time_ps, const TickBook& book) noexcept {
    const std::optional<std::uint64_t> number = in_run(counter);
    if (!number) return true;
    if (book.fits(*number, time_ps)) {
        doubted_.reset();
        return true;
    }
    // What was numbered otherwise meanwhile were its driver's guesses: they follow each other too.
    if (offset_before_ && book.fits(counter - *offset_before_, time_ps)) {
        offset_ = std::exchange(offset_before_, std::nullopt);
        doubted_.reset();
        return true;
    }
    const std::uint64_t by_time = book.number_by_time(time_ps);
    const bool follows = doubted_ && counter > *doubted_ && counter - *doubted_ <= 1 + (by_time - book.newest());
    doubted_ = counter;
    if (!follows) disagreements_.add();
    // It counts anew, or the number that its offset was learnt from was the wrong one.
    if (follows && (*number < by_time || agreed_ < 2)) offset_before_ = std::exchange(offset_, std::nullopt);
    return follows;
}

void BoardNumbers::learn(std::uint64_t counter, std::uint64_t tick, bool own) noexcept {
    const std::uint64_t offset = counter - tick;
    if (own && offset_ && *offset_ != offset && !doubted_) disagreements_.add();
    agreed_ = offset_ == offset ? agreed_ + 1 : 0;
    offset_ = offset;
}

void BoardNumbers::forget() noexcept {
    offset_.reset();
    offset_before_.reset();
    doubted_.reset();
}

}  // namespace alleycat
