#include "daq/core/counter.hpp"

#include <tuple>

namespace alleycat {

Counter& CounterRegistry::get(std::string_view name) {
    const std::lock_guard lock{mutex_};
    for (auto& [known, counter] : counters_) {
        if (known == name) return counter;
    }
    counters_.emplace_back(std::piecewise_construct, std::forward_as_tuple(name), std::forward_as_tuple());
    return counters_.back().second;
}

void CounterRegistry::start_anew() noexcept {
    const std::lock_guard lock{mutex_};
    for (auto& [name, counter] : counters_) counter.value_.store(0, std::memory_order_relaxed);
}

CounterValues CounterRegistry::values() const {
    const std::lock_guard lock{mutex_};
    CounterValues values;
    values.reserve(counters_.size());
    for (const auto& [name, counter] : counters_) values.emplace_back(name, counter.value());
    return values;
}

}  // namespace alleycat
