// Words for the vocabulary: what enumerations, times and features are called in files, logs and on screens.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/core/record.hpp"
#include "daq/core/time.hpp"

namespace alleycat {

std::string_view to_text(SampleType type) noexcept {
    switch (type) {
        case SampleType::int8: return "int8";
        case SampleType::uint8: return "uint8";
        case SampleType::int16: return "int16";
        case SampleType::uint16: break;
    }
    return "uint16";
}

UtcTime utc_now() noexcept { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

std::string to_iso8601(UtcTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

UtcTime from_iso8601(std::string_view text) {
    using namespace std::chrono;
    const std::string copy{text};
    int year_ = 0, month_ = 0, day_ = 0, hour_ = 0, minute_ = 0, second_ = 0, used = 0;
    const int fields = std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year_, &month_, &day_, &hour_, &minute_, &second_, &used);
    std::string_view rest = fields == 6 ? text.substr(static_cast<std::size_t>(used)) : std::string_view{};
    std::int64_t fraction = 0;
    if (rest.starts_with('.')) {
        std::int64_t scale = 100'000'000;
        rest.remove_prefix(1);
        while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
            fraction += (rest.front() - '0') * scale;
            scale /= 10;
            rest.remove_prefix(1);
        }
    }
    const year_month_day date{year{year_}, month{static_cast<unsigned>(month_)}, day{static_cast<unsigned>(day_)}};
    if (rest != "Z" || !date.ok() || hour_ > 23 || minute_ > 59 || second_ > 60) {
        throw Error{fmt::format("'{}' is not a UTC time like 2026-01-31T12:00:00Z", text)};
    }
    return sys_days{date} + hours{hour_} + minutes{minute_} + seconds{second_} + nanoseconds{fraction};
}

std::string to_text(std::chrono::seconds duration) {
    using namespace std::chrono;
    const auto whole_days = floor<days>(duration);
    const hh_mm_ss clock{duration - whole_days};
    const std::string time =
        fmt::format("{:02}:{:02}:{:02}", clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    return whole_days.count() == 0 ? time : fmt::format("{} d {}", whole_days.count(), time);
}

std::vector<FeatureInfo> core_features() {
    using enum FeatureType;
    return {
        {"pretrace_peaks", "", u32, "peaks whose onset lies in the pretrace"},
        {"roi_peaks", "", u32, "peaks whose onset lies in the region of interest"},
        {"window_peaks", "", u32, "peaks whose onset lies in the integration window"},
        {"arrival_sample", "sample", i32, "start of the first peak's integration; -1: none, or the window does not fit"},
        {"arrival_ns", "ns", f64, "arrival from the start of the region of interest"},
        {"charge_adc", "adc*sample", f64, "charge inside peaks of the integration window, local baseline"},
        {"charge_global_adc", "adc*sample", f64, "the same with the median baseline"},
        {"charge_pe", "pe", f64, "charge_adc over the SPE charge in force"},
        {"t10_ns", "ns", f64, "arrival to 10 % of charge_adc"},
        {"t50_ns", "ns", f64, "arrival to 50 % of charge_adc"},
        {"t90_ns", "ns", f64, "arrival to 90 % of charge_adc"},
        {"t10_global_ns", "ns", f64, "arrival to 10 % of charge_global_adc"},
        {"t50_global_ns", "ns", f64, "arrival to 50 % of charge_global_adc"},
        {"t90_global_ns", "ns", f64, "arrival to 90 % of charge_global_adc"},
        {"rise_10_90_ns", "ns", f64, "t90_ns - t10_ns"},
    };
}

bool identical(const Event& a, const Event& b) noexcept {
    const auto same = [](double x, double y) { return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y); };
    if (a.sequence != b.sequence || a.time_ps != b.time_ps || a.trigger_class != b.trigger_class ||
        a.window_count != b.window_count || a.feature_count != b.feature_count || a.flags != b.flags ||
        !same(a.baseline_median_adc, b.baseline_median_adc) || !same(a.baseline_mean_adc, b.baseline_mean_adc) ||
        !same(a.baseline_sigma_adc, b.baseline_sigma_adc) || !same(a.spe_charge_adc, b.spe_charge_adc)) {
        return false;
    }
    for (std::size_t w = 0; w < a.window_count; ++w) {
        if (a.window[w].cuts != b.window[w].cuts) return false;
        for (std::size_t f = 0; f < a.feature_count; ++f) {
            if (!same(a.window[w].value[f], b.window[w].value[f])) return false;
        }
    }
    return true;
}

}  // namespace alleycat
