#include "daq/run/power_log.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "daq/core/error.hpp"

namespace alleycat {

PowerLog PowerLog::load(const std::filesystem::path& path) {
    if (std::filesystem::is_directory(path))
        throw Error{fmt::format("{}: is a folder, not a beam power log", path.string())};
    std::ifstream in{path};
    if (!in) throw Error{fmt::format("{}: cannot read the beam power log", path.string())};
    PowerLog log;
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        line.resize(std::min(line.find('#'), line.size()));
        std::istringstream words{line};
        double second = 0, power = 0;
        std::string rest;
        if (!(words >> second)) {
            if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
            throw Error{fmt::format("{}:{}: must be an epoch second and a power in W", path.string(), number)};
        }
        if (!(words >> power) || (words >> rest) || second != std::floor(second) || std::abs(second) > 1e11 ||
            !std::isfinite(power) || power > 1e9) {
            throw Error{fmt::format("{}:{}: must be an epoch second and a power in W", path.string(), number)};
        }
        const auto [entry, is_new] = log.power_.emplace(static_cast<std::int64_t>(second), static_cast<float>(power));
        if (!is_new && entry->second != static_cast<float>(power)) {
            throw Error{
                fmt::format("{}:{}: second {} stands twice with different powers", path.string(), number, second)};
        }
    }
    if (in.bad()) throw Error{fmt::format("{}: cannot be read to its end", path.string())};
    if (log.power_.empty()) throw Error{fmt::format("{}: the beam power log is empty", path.string())};
    return log;
}

float PowerLog::power_w(UtcTime time) const noexcept {
    const auto second = std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
    const auto at = power_.lower_bound(second);
    if (at != power_.end() && at->first == second) return at->second < -0.1f ? -1.0f : at->second;
    if (at == power_.begin() || at == power_.end()) return -1;
    const auto before = std::prev(at);
    if (before->second == 0 && at->second == 0) return 0;
    const std::int64_t gap_s = at->first - before->first - 1;
    if (gap_s <= 5 && before->second > 0 && at->second > 0) return (before->second + at->second) / 2;
    return -1;
}

}  // namespace alleycat
