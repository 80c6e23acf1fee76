#include "daq/store/store_config.hpp"

#include <fmt/format.h>

namespace alleycat {

StoreConfig parse_store(ConfigSection& root) {
    ConfigSection section = root.section("store");
    StoreConfig config;
    config.folder = section.text("folder", config.folder.string());
    if (config.folder.empty()) section.problem("folder", "is empty");
    config.raw.of = section.choice("raw", config.raw.of,
                                   {{"all", RawData::all}, {"accepted", RawData::accepted}, {"none", RawData::none}});
    config.compression =
        section.choice("compression", config.compression,
                       {{"none", Compression::none}, {"deflate", Compression::deflate}, {"blosc", Compression::blosc}});
    const auto count = [&](const char* key, auto fallback, std::int64_t min, std::int64_t max) {
        return section.integer(key, static_cast<std::int64_t>(fallback), min, max);
    };
    config.raw.prescale = static_cast<std::uint64_t>(count("raw_prescale", config.raw.prescale, 0, 1'000'000'000));
    if (config.raw.prescale > 0 && config.raw.of != RawData::accepted)
        section.problem("raw_prescale", "keeps samples of triggers that were not accepted, so raw must be \"accepted\"");
    config.compression_threads =
        static_cast<unsigned>(count("compression_threads", config.compression_threads, 1, 64));
    config.part_size_mb = static_cast<std::uint64_t>(count("part_size_mb", config.part_size_mb, 1, 1'000'000));
    config.part_minutes = std::chrono::minutes{count("part_minutes", config.part_minutes.count(), 1, 1440)};
    config.sync_interval = std::chrono::milliseconds{count("sync_interval_ms", config.sync_interval.count(), 10, 1000)};
    config.disk_warning_mb =
        static_cast<std::uint64_t>(count("disk_warning_mb", config.disk_warning_mb, 0, 100'000'000));
    config.disk_stop_mb = static_cast<std::uint64_t>(count("disk_stop_mb", config.disk_stop_mb, 0, 100'000'000));
    if (config.disk_warning_mb != 0 && config.disk_warning_mb <= config.disk_stop_mb) {
        section.problem("disk_stop_mb",
                        fmt::format("{} MB are not below disk_warning_mb, {} MB: nobody would be warned",
                                    config.disk_stop_mb, config.disk_warning_mb));
    }
    config.retry_interval =
        std::chrono::milliseconds{count("retry_interval_ms", config.retry_interval.count(), 10, 600'000)};
    section.finish();
    return config;
}

}  // namespace alleycat
