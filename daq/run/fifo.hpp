#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace alleycat {

/// First in, first out, in one piece of memory that is kept: in steady state nothing is allocated (a std::deque does).
template <class T>
class Fifo {
  public:
    explicit Fifo(std::size_t room = 0) { values_.reserve(room); }
    void reserve(std::size_t room) { values_.reserve(room); }

    void push(T value) { values_.push_back(std::move(value)); }
    [[nodiscard]] bool empty() const noexcept { return head_ == values_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return values_.size() - head_; }
    [[nodiscard]] const T& front() const noexcept { return values_[head_]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return values_[head_ + i]; }
    void pop() {
        if (++head_ == values_.size()) {
            values_.clear();
            head_ = 0;
        } else if (head_ >= kTidyFrom && head_ > values_.size() / 2) {
            values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }

  private:
    static constexpr std::size_t kTidyFrom = 1024;
    std::vector<T> values_;
    std::size_t head_ = 0;
};

}  // namespace alleycat
