#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace alleycat {

/// Holds the latest immutable value one thread made for others to look at.
/// A mutex around a shared_ptr: std::atomic<std::shared_ptr> is not clean under ThreadSanitizer with g++ 12, and
/// nobody exchanges snapshots more often than a few times a second.
template <class T>
class SnapshotBox {
  public:
    void put(std::shared_ptr<const T> value) {
        const std::lock_guard lock{mutex_};
        value_.swap(value);
    }
    /// nullptr before the first put.
    [[nodiscard]] std::shared_ptr<const T> get() const {
        const std::lock_guard lock{mutex_};
        return value_;
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> value_;
};

}  // namespace alleycat
