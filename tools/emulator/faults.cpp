#include "tools/emulator/faults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

constexpr double kShareOfANameAlone = 0.001;

Fault fault_of(std::string_view name) {
    const auto found = std::find(kFaultNames.begin(), kFaultNames.end(), name);
    if (found == kFaultNames.end())
        throw UsageError{fmt::format("fault '{}' is not one of {}", name, fmt::join(kFaultNames, ", "))};
    return static_cast<Fault>(found - kFaultNames.begin());
}

double share_of(std::string_view word, std::string_view number) {
    double share = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), share);
    if (error != std::errc{} || end != number.data() + number.size() || !(share >= 0 && share <= 1))
        throw UsageError{fmt::format("fault '{}': its share must be a number from 0 to 1", word)};
    return share;
}

}  // namespace

FaultPlan FaultPlan::parse(std::string_view text, std::uint64_t seed) {
    FaultPlan plan{seed};
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(','));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        const std::size_t equals = word.find('=');
        plan.set(fault_of(word.substr(0, equals)),
                 equals == std::string_view::npos ? kShareOfANameAlone : share_of(word, word.substr(equals + 1)));
    }
    return plan;
}

bool FaultPlan::strikes(Fault fault) noexcept {
    const auto f = static_cast<std::size_t>(fault);
    if (shares_[f] <= 0) return false;
    RandomStream random{seed_, static_cast<std::int64_t>(occasions_[f]++), 1000 + f};
    const bool struck = random.uniform() < shares_[f];
    struck_[f] += struck ? 1 : 0;
    return struck;
}

}  // namespace alleycat
