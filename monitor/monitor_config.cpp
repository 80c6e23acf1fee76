#include "monitor/monitor_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace alleycat {
namespace {

constexpr std::uint32_t kMaxBins = 10'000;
constexpr std::uint64_t kMaxCells = 40'000;  // of the discriminant's map: four of them are kept
constexpr std::size_t kMaxText = 64;         // characters of a feature's name or a title

/// One numeric key: where it is, what it may be. One table serves reading and checking.
template <class Config>
struct NumberKey {
    std::string_view name;
    double Config::*field;
    double min, max;
};

constexpr NumberKey<AlarmConfig> kAlarmKeys[]{
    {"warm_up_s", &AlarmConfig::warm_up_s, 0, 600},
    {"clear_after_s", &AlarmConfig::clear_after_s, 0, 3600},
    {"rate_warning_hz", &AlarmConfig::rate_warning_hz, 0.001, 1e6},
    {"rate_alarm_hz", &AlarmConfig::rate_alarm_hz, 0.001, 1e6},
    {"silence_s", &AlarmConfig::silence_s, 0.1, 3600},
    {"stale_after_s", &AlarmConfig::stale_after_s, 0.1, 3600},
    {"refused_hold_s", &AlarmConfig::refused_hold_s, 0, 86400},
    {"ledger_patience_s", &AlarmConfig::ledger_patience_s, 0, 3600},
    {"writer_away_s", &AlarmConfig::writer_away_s, 0, 3600},
    {"disk_warning_h", &AlarmConfig::disk_warning_h, 0, 10'000},
    {"disk_alarm_h", &AlarmConfig::disk_alarm_h, 0, 10'000},
    {"baseline_min_adc", &AlarmConfig::baseline_min_adc, -65536, 65536},
    {"baseline_max_adc", &AlarmConfig::baseline_max_adc, -65536, 65536},
    {"baseline_sigma_max_adc", &AlarmConfig::baseline_sigma_max_adc, 0, 65536},
    {"spe_min_adc", &AlarmConfig::spe_min_adc, 0, 1e9},
    {"spe_max_adc", &AlarmConfig::spe_max_adc, 0, 1e9},
    {"spe_kept_blocks", &AlarmConfig::spe_kept_blocks, 0, 1e6},
    {"beam_unknown_s", &AlarmConfig::beam_unknown_s, 0, 86400},
    {"silent_detector_events", &AlarmConfig::silent_detector_events, 0, 1e9},
    {"buffer_warning_percent", &AlarmConfig::buffer_warning_percent, 0, 100},
    {"buffer_alarm_percent", &AlarmConfig::buffer_alarm_percent, 0, 100},
    {"board_missing_s", &AlarmConfig::board_missing_s, 0, 86400},
    {"board_temperature_degc", &AlarmConfig::board_temperature_degc, 0, 200},
    {"board_clock_drift_ppm", &AlarmConfig::board_clock_drift_ppm, 0, 1e6},
};

constexpr NumberKey<MonitorConfig> kMonitorKeys[]{
    {"trend_interval_s", &MonitorConfig::trend_interval_s, 0.1, 3600},
    {"history_step_kwh", &MonitorConfig::history_step_kwh, 1e-6, 1e6},
};

struct CountKey {
    std::string_view name;
    std::uint32_t MonitorConfig::*field;
    std::uint32_t min, max;
};
constexpr CountKey kCountKeys[]{
    {"trend_points", &MonitorConfig::trend_points, 10, 100'000},
    {"history_points", &MonitorConfig::history_points, 10, 100'000},
    {"pending_events", &MonitorConfig::pending_events, 1, 10'000'000},
};

bool plausible(const Binning& b) noexcept {
    return std::isfinite(b.low) && std::isfinite(b.width) && std::abs(b.low) <= 1e9 && b.width > 0 && b.width <= 1e9 &&
           b.bins >= 1 && b.bins <= kMaxBins;
}

/// The three keys of one axis, and the word for its unit in messages.
struct AxisKeys {
    std::string min, max, bin;
    std::string unit;
};

/// The range must be whole bins.
Binning parse_binning(ConfigSection& section, const AxisKeys& key, const Binning& fallback) {
    const double low = section.number(key.min, fallback.low, -1e9, 1e9);
    const double high = section.number(key.max, fallback.high(), -1e9, 1e9);
    const double width = section.number(key.bin, fallback.width, 1e-6, 1e9);
    if (!(high > low)) {
        section.problem(key.max, fmt::format("{} is not above {} = {}", high, key.min, low));
        return fallback;
    }
    const double bins = std::round((high - low) / width);
    if (bins > kMaxBins) {
        section.problem(key.bin, fmt::format("{}{} makes more than {} bins", width, key.unit, kMaxBins));
        return fallback;
    }
    if (bins < 1 || std::abs(bins * width - (high - low)) > 1e-9 * (high - low)) {
        section.problem(key.bin, fmt::format("{}{} does not divide {} to {}{} into whole bins", width, key.unit, low,
                                             high, key.unit));
        return fallback;
    }
    return {low, width, static_cast<std::uint32_t>(bins)};
}

AxisKeys axis_keys(std::string_view name, std::string_view unit) {
    const auto key = [&](std::string_view what) { return fmt::format("{}_{}_{}", name, what, unit); };
    return {key("min"), key("max"), key("bin"), fmt::format(" {}", unit)};
}

bool plausible(const DiscriminantConfig& d) noexcept {
    const auto fits = [](const std::string& text) { return text.size() <= kMaxText; };
    return fits(d.feature) && fits(d.against) && fits(d.title) && fits(d.against_title) && plausible(d.bins) &&
           plausible(d.against_bins) && std::uint64_t{d.bins.bins} * d.against_bins.bins <= kMaxCells;
}

std::string short_text(ConfigSection& section, std::string_view key, std::string_view fallback = "") {
    std::string text = section.text(key, fallback);
    if (text.size() <= kMaxText) return text;
    section.problem(key, fmt::format("is longer than {} characters", kMaxText));
    return std::string{fallback};
}

/// The charge has a binning already; any other axis must be given one.
Binning parse_against(ConfigSection& section, const std::string& against, const Binning& charge) {
    const AxisKeys keys{"against_min", "against_max", "against_bin", ""};
    if (against == "charge_pe") return parse_binning(section, keys, charge);
    for (const std::string& key : {keys.min, keys.max, keys.bin}) {
        if (!section.has(key)) section.problem("against", fmt::format("needs {}: it is not charge_pe", key));
    }
    return parse_binning(section, keys, charge);
}

DiscriminantConfig parse_discriminant(ConfigSection section, const Binning& charge) {
    DiscriminantConfig config;
    config.against_bins = charge;
    if (!section.present()) return {};
    config.feature = short_text(section, "feature");
    if (!section.has("feature")) section.problem("feature", "is missing: the column that is drawn");
    config.bins = parse_binning(section, {"min", "max", "bin", ""}, config.bins);
    config.title = short_text(section, "title");
    config.against = short_text(section, "against", config.against);
    config.against_bins = parse_against(section, config.against, charge);
    config.against_title = short_text(section, "against_title");
    if (config.bins.bins > kMaxCells / config.against_bins.bins) {
        section.problem(
            "bin", fmt::format("{} x {} bins are more than {}", config.bins.bins, config.against_bins.bins, kMaxCells));
    }
    section.finish();
    return config;
}

AlarmConfig parse_alarms(ConfigSection section) {
    AlarmConfig config;
    for (const auto& key : kAlarmKeys)
        config.*key.field = section.number(key.name, config.*key.field, key.min, key.max);
    const auto ordered = [&](std::string_view low_key, double low, std::string_view high_key, double high) {
        if (low > high) section.problem(high_key, fmt::format("{} is below {} = {}", high, low_key, low));
    };
    ordered("rate_warning_hz", config.rate_warning_hz, "rate_alarm_hz", config.rate_alarm_hz);
    ordered("disk_alarm_h", config.disk_alarm_h, "disk_warning_h", config.disk_warning_h);
    ordered("baseline_min_adc", config.baseline_min_adc, "baseline_max_adc", config.baseline_max_adc);
    ordered("spe_min_adc", config.spe_min_adc, "spe_max_adc", config.spe_max_adc);
    ordered("buffer_warning_percent", config.buffer_warning_percent, "buffer_alarm_percent",
            config.buffer_alarm_percent);
    section.finish();
    return config;
}

}  // namespace

MonitorConfig parse_monitor(ConfigSection& root) {
    ConfigSection section = root.section("monitor");
    MonitorConfig config;
    config.charge_pe = parse_binning(section, axis_keys("charge", "pe"), config.charge_pe);
    config.arrival_ns = parse_binning(section, axis_keys("arrival", "ns"), config.arrival_ns);
    for (const auto& key : kMonitorKeys)
        config.*key.field = section.number(key.name, config.*key.field, key.min, key.max);
    for (const CountKey& key : kCountKeys) {
        config.*key.field = static_cast<std::uint32_t>(section.integer(key.name, config.*key.field, key.min, key.max));
    }
    config.discriminant = parse_discriminant(section.section("discriminant"), config.charge_pe);
    config.alarms = parse_alarms(section.section("alarms"));
    section.finish();
    return config;
}

void check_features(ConfigSection& root, const MonitorConfig& config, const std::vector<FeatureInfo>& schema) {
    const DiscriminantConfig& discriminant = config.discriminant;
    if (discriminant.feature.empty()) return;
    ConfigSection section = root.section("monitor").section("discriminant");
    std::vector<std::string_view> names;
    for (const FeatureInfo& feature : schema) names.push_back(feature.name);
    const auto check = [&](std::string_view key, const std::string& name) {
        if (std::find(names.begin(), names.end(), name) != names.end()) return;
        section.problem(key, fmt::format("'{}' is not a feature: {}", name, fmt::join(names, ", ")));
    };
    check("feature", discriminant.feature);
    check("against", discriminant.against);
}

RecordedMonitorConfig monitor_config_of(const RunDescription& run) {
    try {
        const ConfigFile station = ConfigFile::parse(run.config_text, run.config_name);
        ConfigProblems problems;
        ConfigSection root{station, problems};
        const MonitorConfig config = parse_monitor(root);
        if (problems.empty()) return {config, {}};
        return {{}, problems.lines().front()};
    } catch (const Error& error) {
        return {{}, error.what()};
    }
}

bool plausible(const MonitorConfig& config) noexcept {
    for (const auto& key : kAlarmKeys) {
        const double value = config.alarms.*key.field;
        if (!(value >= key.min && value <= key.max)) return false;
    }
    for (const auto& key : kMonitorKeys) {
        const double value = config.*key.field;
        if (!(value >= key.min && value <= key.max)) return false;
    }
    for (const CountKey& key : kCountKeys) {
        const std::uint32_t value = config.*key.field;
        if (value < key.min || value > key.max) return false;
    }
    return plausible(config.charge_pe) && plausible(config.arrival_ns) && plausible(config.discriminant);
}

}  // namespace alleycat
