#include "readout/labview_writer.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kStampColumns = 7;
constexpr std::size_t kColumns = kStampColumns + LabviewWriter::kSamples;
constexpr std::size_t kTriggerBytes = 2 * kColumns;
constexpr std::size_t kChunkTriggers = 10;
constexpr std::size_t kChunkHeaderBytes = 8;

void put_big_endian(std::byte* to, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

std::string two_digits(const std::string_view separator, std::initializer_list<int> numbers) {
    std::string text;
    for (const int number : numbers) text += fmt::format("{}{:02}", text.empty() ? "" : separator, number % 100);
    return text;
}

struct FreeArchive {
    void operator()(archive* a) const noexcept { archive_write_free(a); }
};
struct FreeEntry {
    void operator()(archive_entry* e) const noexcept { archive_entry_free(e); }
};

}  // namespace

/// One minute's zip, being written.
struct LabviewWriter::Minute {
    Minute(const std::filesystem::path& path, const std::string& member, UtcTime first_trigger);
    void add(const LocalTime& stamp, std::span<const std::int8_t> signal, std::span<const std::int8_t> veto);
    void flush();
    void finish();

    UtcTime begin;
    std::filesystem::path final_path, part_path;
    std::unique_ptr<archive, FreeArchive> zip;
    std::vector<std::byte> chunk = std::vector<std::byte>(kChunkHeaderBytes + kChunkTriggers * kTriggerBytes);
    std::size_t triggers = 0;  // in the chunk

  private:
    void check(long long result) const {
        if (result >= ARCHIVE_OK) return;
        const char* const why = archive_error_string(zip.get());
        throw Error{fmt::format("{}: cannot write: {}", part_path.string(), why != nullptr ? why : "unknown error")};
    }
};

LabviewWriter::Minute::Minute(const std::filesystem::path& path, const std::string& member, UtcTime first_trigger)
    : begin{std::chrono::floor<std::chrono::seconds>(first_trigger)},
      final_path{path},
      part_path{path.string() + ".part"},
      zip{archive_write_new()} {
    if (std::filesystem::exists(final_path)) {
        throw Error{fmt::format("{}: exists already and is not overwritten", final_path.string())};
    }
    check(archive_write_set_format_zip(zip.get()));
    // Level 1: the minute must be packed in much less than a minute. No zip64: old readers do not know it.
    check(archive_write_set_options(zip.get(), "zip:compression=deflate,zip:compression-level=1,!zip64"));
    check(archive_write_open_filename(zip.get(), part_path.c_str()));
    const std::unique_ptr<archive_entry, FreeEntry> entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), member.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(),
                            std::chrono::duration_cast<std::chrono::seconds>(begin.time_since_epoch()).count(), 0);
    check(archive_write_header(zip.get(), entry.get()));
}

void LabviewWriter::Minute::add(const LocalTime& stamp, std::span<const std::int8_t> signal,
                                std::span<const std::int8_t> veto) {
    std::byte* to = chunk.data() + kChunkHeaderBytes + triggers * kTriggerBytes;
    for (const int number :
         {stamp.year % 100, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second, stamp.hundredths}) {
        *to++ = std::byte{0};
        *to++ = static_cast<std::byte>(number);
    }
    for (std::size_t i = 0; i < kSamples; ++i) {
        *to++ = static_cast<std::byte>(signal[i]);
        *to++ = static_cast<std::byte>(veto[i]);
    }
    if (++triggers == kChunkTriggers) flush();
}

void LabviewWriter::Minute::flush() {
    if (triggers == 0) return;
    put_big_endian(chunk.data(), static_cast<std::uint32_t>(triggers * kColumns));
    put_big_endian(chunk.data() + 4, 2);
    const std::size_t bytes = kChunkHeaderBytes + triggers * kTriggerBytes;
    triggers = 0;
    for (std::size_t done = 0; done < bytes;) {
        const auto written = archive_write_data(zip.get(), chunk.data() + done, bytes - done);
        check(written == 0 ? ARCHIVE_FATAL : written);
        done += static_cast<std::size_t>(written);
    }
}

void LabviewWriter::Minute::finish() {
    flush();
    check(archive_write_close(zip.get()));
    std::error_code failure;
    std::filesystem::rename(part_path, final_path, failure);
    if (failure) throw Error{fmt::format("{}: cannot be given its name: {}", part_path.string(), failure.message())};
}

LabviewWriter::LabviewWriter(std::filesystem::path folder, TimeZone zone, std::uint16_t signal, std::uint16_t veto)
    : folder_{std::move(folder)}, zone_{std::move(zone)}, signal_{signal}, veto_{veto} {}

LabviewWriter::~LabviewWriter() {
    try {
        close();
    } catch (const std::exception& e) {
        log::readout().error("{}", e.what());
    }
}

void LabviewWriter::open(UtcTime first_trigger) {
    const LocalTime t = utc_to_local(first_trigger, zone_);
    if (run_folder_.empty()) {
        run_folder_ = folder_ / ("Run-" + two_digits("-", {t.year, t.month, t.day, t.hour, t.minute, t.second}));
    }
    const std::filesystem::path day_folder = run_folder_ / two_digits("", {t.year, t.month, t.day});
    std::error_code failure;
    std::filesystem::create_directories(day_folder, failure);
    if (failure) throw Error{fmt::format("{}: cannot be made: {}", day_folder.string(), failure.message())};
    const std::string member = two_digits("", {t.hour, t.minute, t.second});
    minute_ = std::make_unique<Minute>(day_folder / (member + ".zip"), member, first_trigger);
}

void LabviewWriter::write(const RecordView& record) {
    const RecordHeader& header = record.header();
    if (record.is_stub())
        throw Error{fmt::format("trigger {}: was refused and has no samples to write", header.counter)};
    if (header.samples_per_channel != kSamples || header.sample_type != SampleType::int8 ||
        signal_ >= header.channels || veto_ >= header.channels) {
        throw Error{fmt::format("trigger {}: the LabVIEW format holds two channels of {} int8 samples, not {} of {} {}",
                                header.counter, kSamples, header.channels, header.samples_per_channel,
                                to_text(header.sample_type))};
    }
    const UtcTime time{std::chrono::nanoseconds{header.utc_ns}};
    if (minute_ != nullptr && (time >= minute_->begin + std::chrono::minutes{1} || time < minute_->begin)) close();
    if (minute_ == nullptr) open(time);
    minute_->add(utc_to_local(time, zone_), record.channel<std::int8_t>(signal_), record.channel<std::int8_t>(veto_));
}

void LabviewWriter::close() {
    if (minute_ == nullptr) return;
    const std::unique_ptr<Minute> minute = std::move(minute_);
    minute->finish();
}

}  // namespace alleycat
