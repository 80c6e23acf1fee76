#include "daq/store/file_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/store/raw_reader.hpp"
#include "daq/store/summary_io.hpp"
#include "daq/store/trial.hpp"
#include "daq/store/truth.hpp"

namespace alleycat {
namespace {

using h5::read_column;

constexpr std::uint64_t kBlock = 4096;  // events read at once

[[noreturn]] void refuse(const std::filesystem::path& path, std::string_view what) {
    throw Error{fmt::format("{}: {}", path.string(), what)};
}

bool has_hdf5_signature(const std::filesystem::path& path) {
    constexpr std::array<unsigned char, 8> kSignature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    const FileDescriptor file = open_file(path, O_RDONLY);
    std::array<unsigned char, 8> head{};
    return read_at(file, std::as_writable_bytes(std::span{head}), 0, path) == head.size() && head == kSignature;
}

h5::Handle open_hdf5(const std::filesystem::path& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) refuse(path, "there is no such file");
    if (std::filesystem::is_directory(status)) refuse(path, "is a folder, not a file");
    if (!std::filesystem::is_regular_file(status)) refuse(path, "is not a regular file");
    if (std::filesystem::file_size(path) == 0) refuse(path, "is empty");
    if (!has_hdf5_signature(path)) refuse(path, "is not an HDF5 file");
    const h5::Handle access = h5::file_access();
    h5::Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get())};
    if (!file) {
        const std::string why = h5::last_error();
        H5Eclear2(H5E_DEFAULT);
        refuse(
            path,
            why.starts_with("truncated file")
                ? "is cut short, and HDF5 can read nothing of it: `alleycat verify --repair` rebuilds it where its "
                  "journal is still beside it"
                : fmt::format("HDF5 cannot open it ({}): `alleycat verify --repair` rebuilds it where its journal is "
                              "still beside it",
                              why));
    }
    return file;
}

RunDescription read_run(hid_t file, const std::filesystem::path& path) {
    const auto bytes = read_column<std::uint8_t>(file, "run_description");
    std::vector<std::uint64_t> aligned(bytes.size() / 8 + 1);
    std::ranges::copy(std::as_bytes(std::span{bytes}), std::as_writable_bytes(std::span{aligned}).begin());
    FrameView frame;
    const FrameError error = read_frame(std::as_bytes(std::span{aligned}).first(bytes.size()), frame);
    if (error != FrameError::none) refuse(path, fmt::format("its /run_description is damaged: {}", to_text(error)));
    FrameContent content;
    try {
        read_content(frame, nullptr, content);
    } catch (const Error& e) {
        refuse(path, fmt::format("its /run_description is damaged: {}", e.what()));
    }
    return std::move(*content.description);
}

}  // namespace

bool is_alleycat_file(const std::filesystem::path& path) {
    h5::prepare();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error) || !has_hdf5_signature(path)) return false;
    if (!h5::trial(path).empty()) return true;
    const h5::Handle access = h5::file_access();
    const h5::Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get())};
    return !file || h5::get_text(file.get(), "format") == "alleycat";
}

AlleycatFile::AlleycatFile(const std::filesystem::path& path) : AlleycatFile{path, Damage::none} {}

AlleycatFile AlleycatFile::open_damaged(const std::filesystem::path& path) { return {path, Damage::expected}; }

AlleycatFile::AlleycatFile(const std::filesystem::path& path, Damage damage) : path_{path} {
    h5::prepare();
    h5::Handle file = open_hdf5(path);
    if (h5::get_text(file.get(), "format") != "alleycat") refuse(path, "is an HDF5 file, but not one of Alleycat's");
    const std::uint32_t version = h5::get_number<std::uint32_t>(file.get(), "format_version").value_or(0);
    if (version == 0) refuse(path, "has no format_version");
    if (version > kFormatVersion) {
        refuse(path, fmt::format("has format version {}, this program reads up to {}: use a newer Alleycat", version,
                                 kFormatVersion));
    }
    id_ = file.get();
    try {
        run_ = read_run(file.get(), path);
        part_ = h5::get_number<std::uint32_t>(file.get(), "part").value_or(0);
        triggers_ = h5::rows(file.get(), "triggers/sequence").value_or(0);
        read_summary(damage);
    } catch (const Error& e) {
        id_ = -1;  // `file` closes it
        const std::string_view what{e.what()};
        if (what.starts_with(path.string())) throw;
        refuse(path, what);
    }
    // A part that is being written may be caught between two columns: only rows that all columns have count.
    if (!summary_) {
        for (const std::string& name : h5::links(file.get(), "triggers")) {
            triggers_ = std::min(triggers_, h5::rows(file.get(), "triggers/" + name).value_or(0));
        }
        for (const WindowInfo& window : run_.windows) {
            const std::string group = "windows/" + window.name;
            for (const std::string& name : h5::links(file.get(), group)) {
                triggers_ = std::min(triggers_, h5::rows(file.get(), group + "/" + name).value_or(0));
            }
        }
    }
    id_ = file.release();
}

/// A part that says it was closed has all its chunks. Where one is not found HDF5 would give zeros for data.
void AlleycatFile::read_summary(Damage damage) {
    if (damage == Damage::expected) {
        try {
            summary_ = h5::read_summary(id_, run_);
        } catch (const Error&) {
            summary_.reset();
        }
        return;
    }
    summary_ = h5::read_summary(id_, run_);
    if (!summary_) return;
    for (const std::string& dataset : h5::datasets(id_)) {
        const h5::Handle opened{
            h5::check(H5Dopen2(id_, dataset.c_str(), H5P_DEFAULT), "/" + dataset + " cannot be opened")};
        h5::check_all_written(opened.get(), "/" + dataset);
    }
}

AlleycatFile::~AlleycatFile() {
    if (id_ >= 0) {
        h5::prepare();
        H5Fclose(id_);
    }
}
AlleycatFile::AlleycatFile(AlleycatFile&& other) noexcept
    : path_{std::move(other.path_)},
      id_{std::exchange(other.id_, -1)},
      run_{std::move(other.run_)},
      part_{other.part_},
      triggers_{other.triggers_},
      summary_{std::move(other.summary_)} {}
AlleycatFile& AlleycatFile::operator=(AlleycatFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(id_, other.id_);
    std::swap(run_, other.run_);
    std::swap(part_, other.part_);
    std::swap(triggers_, other.triggers_);
    std::swap(summary_, other.summary_);
    return *this;
}

void AlleycatFile::read_events(std::uint64_t first, std::uint64_t n, std::vector<Event>& events,
                               std::vector<BeamResolution>& beam_states) const {
    h5::prepare();
    events.assign(n, Event{});
    beam_states.assign(n, BeamResolution{});
    const auto column = [&]<class T>(const std::string& path, T, const auto& store) {
        const std::vector<T> values = read_column<T>(id_, path, first, n);
        for (std::size_t i = 0; i < n; ++i) store(i, values[i]);
    };
    try {
        column("triggers/sequence", std::uint64_t{},
               [&](std::size_t i, std::uint64_t v) { events[i].sequence = beam_states[i].sequence = v; });
        column("triggers/trigger_class", std::uint8_t{}, [&](std::size_t i, std::uint8_t v) {
            if (v >= kTriggerClasses) throw Error{fmt::format("row {} of /triggers/trigger_class is {}", first + i, v)};
            events[i].trigger_class = static_cast<TriggerClass>(v);
        });
        column("triggers/time_ps", std::int64_t{}, [&](std::size_t i, std::int64_t v) { events[i].time_ps = v; });
        column("triggers/utc_ns", std::int64_t{}, [&](std::size_t i, std::int64_t v) { events[i].utc_ns = v; });
        column("triggers/flags", std::uint32_t{}, [&](std::size_t i, std::uint32_t v) { events[i].flags = v; });
        column("triggers/baseline_median_adc", double{},
               [&](std::size_t i, double v) { events[i].baseline_median_adc = v; });
        column("triggers/baseline_mean_adc", double{},
               [&](std::size_t i, double v) { events[i].baseline_mean_adc = v; });
        column("triggers/baseline_sigma_adc", double{},
               [&](std::size_t i, double v) { events[i].baseline_sigma_adc = v; });
        column("triggers/spe_charge_adc", double{}, [&](std::size_t i, double v) { events[i].spe_charge_adc = v; });
        if (h5::exists(id_, "triggers/tick")) {  // since format version 2
            column("triggers/tick", std::uint64_t{}, [&](std::size_t i, std::uint64_t v) { events[i].tick = v; });
            column("triggers/since_tick_ps", std::int64_t{},
                   [&](std::size_t i, std::int64_t v) { events[i].since_tick_ps = v; });
            column("triggers/detector", std::uint16_t{},
                   [&](std::size_t i, std::uint16_t v) { events[i].detector = v; });
        }
        column("triggers/beam_power_w", float{}, [&](std::size_t i, float v) { beam_states[i].power_w = v; });
        column("triggers/beam_state", std::int8_t{}, [&](std::size_t i, std::int8_t v) {
            if (v < -1 || v > 2) throw Error{fmt::format("row {} of /triggers/beam_state is {}", first + i, v)};
            beam_states[i].state = static_cast<BeamState>(v);
        });
        for (Event& event : events) {
            event.window_count = static_cast<std::uint8_t>(run_.windows.size());
            event.feature_count = static_cast<std::uint8_t>(run_.features.size());
        }
        for (std::size_t w = 0; w < run_.windows.size(); ++w) {
            const std::string group = "windows/" + run_.windows[w].name + "/";
            for (std::size_t f = 0; f < run_.features.size(); ++f) {  // HDF5 turns every column into doubles
                column(group + run_.features[f].name, double{},
                       [&](std::size_t i, double v) { events[i].window[w].value[f] = v; });
            }
            column(group + "cuts", std::uint32_t{},
                   [&](std::size_t i, std::uint32_t v) { events[i].window[w].cuts = v; });
        }
    } catch (const Error& e) {
        refuse(path_, e.what());
    }
}

std::vector<DeadTime> AlleycatFile::dead_time() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "dead_time/reason").value_or(0);
    const auto first = read_column<std::uint64_t>(id_, "dead_time/first_sequence", 0, n);
    const auto last = read_column<std::uint64_t>(id_, "dead_time/last_sequence", 0, n);
    const auto begin = read_column<std::int64_t>(id_, "dead_time/begin_ps", 0, n);
    const auto end = read_column<std::int64_t>(id_, "dead_time/end_ps", 0, n);
    const auto reason = read_column<std::uint8_t>(id_, "dead_time/reason", 0, n);
    std::vector<DeadTime> intervals(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (last[i] < first[i] || reason[i] >= kRefusalReasonNames.size()) {
            refuse(path_, fmt::format("row {} of /dead_time is impossible: {} to {}, reason {}", i, first[i], last[i],
                                      reason[i]));
        }
        intervals[i].first_sequence = first[i];
        intervals[i].last_sequence = last[i];
        intervals[i].begin_ps = begin[i];
        intervals[i].end_ps = end[i];
        intervals[i].reason = reason[i];
    }
    return intervals;
}

std::vector<StreamGap> AlleycatFile::stream_gaps() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "gaps/missing_frames").value_or(0);  // older files had no such column
    const auto run = read_column<std::uint64_t>(id_, "gaps/previous_run", 0, n);
    const auto last = read_column<std::uint64_t>(id_, "gaps/last_sequence", 0, n);
    const auto triggers = read_column<std::uint64_t>(id_, "gaps/lost_estimated", 0, n);
    const auto frames = read_column<std::uint64_t>(id_, "gaps/missing_frames", 0, n);
    std::vector<StreamGap> gaps;
    for (std::size_t i = 0; i < n; ++i) {
        if (run[i] != run_.run) continue;  // of the run before
        if (triggers[i] > kNoSequence - 1 - (last[i] + 1))
            refuse(path_, fmt::format("row {} of /gaps is impossible: {} triggers behind {}", i, triggers[i], last[i]));
        gaps.push_back({last[i], triggers[i], frames[i]});
    }
    return gaps;
}

std::vector<Gap> AlleycatFile::gaps() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "gaps/told_by_writer").value_or(0);  // since format version 3
    const auto run = read_column<std::uint64_t>(id_, "gaps/previous_run", 0, n);
    const auto last = read_column<std::uint64_t>(id_, "gaps/last_sequence", 0, n);
    const auto from = read_column<std::int64_t>(id_, "gaps/from_utc_ns", 0, n);
    const auto to = read_column<std::int64_t>(id_, "gaps/to_utc_ns", 0, n);
    const auto lost = read_column<std::uint64_t>(id_, "gaps/lost_estimated", 0, n);
    const auto told_by_writer = read_column<std::uint8_t>(id_, "gaps/told_by_writer", 0, n);
    std::vector<Gap> gaps;
    for (std::size_t i = 0; i < n; ++i) {
        if (told_by_writer[i] > 1)
            refuse(path_, fmt::format("row {} of /gaps/told_by_writer is {}", i, told_by_writer[i]));
        if (run[i] == run_.run) continue;  // within the run: stream_gaps()
        gaps.push_back({run[i], last[i], from[i], to[i], lost[i], told_by_writer[i] == 1});
    }
    return gaps;
}

std::vector<Calibration> AlleycatFile::calibration() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "calibration/fit_quality").value_or(0);
    const auto from = read_column<std::uint64_t>(id_, "calibration/from_sequence", 0, n);
    const auto charge = read_column<double>(id_, "calibration/spe_charge_adc", 0, n);
    const auto error = read_column<double>(id_, "calibration/spe_charge_error_adc", 0, n);
    const auto quality = read_column<double>(id_, "calibration/fit_quality", 0, n);
    std::vector<Calibration> rows(n);
    for (std::size_t i = 0; i < n; ++i) {
        rows[i].from_sequence = from[i];
        rows[i].spe_charge_adc = charge[i];
        rows[i].spe_charge_error_adc = error[i];
        rows[i].fit_quality = quality[i];
    }
    if (!h5::exists(id_, "calibration/origin")) return rows;  // since format version 2
    const auto block = read_column<std::uint64_t>(id_, "calibration/block", 0, n);
    const auto peaks = read_column<std::uint64_t>(id_, "calibration/peaks", 0, n);
    const auto origin = read_column<std::uint8_t>(id_, "calibration/origin", 0, n);
    const auto detector = read_column<std::uint16_t>(id_, "calibration/detector", 0, n);
    for (std::size_t i = 0; i < n; ++i) {
        if (origin[i] >= kCalibrationOriginNames.size() || detector[i] >= kMaxDetectors) {
            refuse(path_, fmt::format("row {} of /calibration is impossible: origin {}, detector {}", i, origin[i],
                                      detector[i]));
        }
        rows[i].block = block[i];
        rows[i].peaks = peaks[i];
        rows[i].origin = static_cast<CalibrationOrigin>(origin[i]);
        rows[i].detector = detector[i];
    }
    return rows;
}

std::vector<BeamFrame> AlleycatFile::beam_frames() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "beam/flavor").value_or(0);
    const auto utc = read_column<std::int64_t>(id_, "beam/utc_ns", 0, n);
    const auto tick = read_column<std::uint64_t>(id_, "beam/tick", 0, n);
    const auto power = read_column<float>(id_, "beam/power_w", 0, n);
    const auto charge = read_column<float>(id_, "beam/charge_pc", 0, n);
    const auto cycle = read_column<std::uint16_t>(id_, "beam/cycle", 0, n);
    const auto veto = read_column<std::uint16_t>(id_, "beam/veto", 0, n);
    const auto flavor = read_column<std::uint8_t>(id_, "beam/flavor", 0, n);
    std::vector<BeamFrame> frames(n);
    for (std::size_t i = 0; i < n; ++i)
        frames[i] = {utc[i], tick[i], power[i], charge[i], cycle[i], veto[i], flavor[i], {}};
    return frames;
}

std::vector<TickRecord> AlleycatFile::ticks() const {
    h5::prepare();
    if (!triggers_are_hits(run_)) return {};
    const std::uint64_t n = h5::rows(id_, "ticks/beam_state").value_or(0);
    const auto tick = read_column<std::uint64_t>(id_, "ticks/tick", 0, n);
    const auto time = read_column<std::int64_t>(id_, "ticks/time_ps", 0, n);
    const auto utc = read_column<std::int64_t>(id_, "ticks/utc_ns", 0, n);
    const auto flags = read_column<std::uint32_t>(id_, "ticks/flags", 0, n);
    const auto power = read_column<float>(id_, "ticks/beam_power_w", 0, n);
    const auto state = read_column<std::int8_t>(id_, "ticks/beam_state", 0, n);
    std::vector<TickRecord> ticks(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (state[i] < -1 || state[i] > 2) refuse(path_, fmt::format("row {} of /ticks/beam_state is {}", i, state[i]));
        ticks[i] = {tick[i], time[i], utc[i], flags[i], power[i], static_cast<BeamState>(state[i]), {}};
    }
    return ticks;
}

std::vector<OperatorNote> AlleycatFile::notes() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "comments/kind").value_or(0);  // since format version 3
    const auto utc = read_column<std::int64_t>(id_, "comments/utc_ns", 0, n);
    const auto kind = read_column<std::uint8_t>(id_, "comments/kind", 0, n);
    const auto author = h5::read_texts(id_, "comments/author", 0, n);
    const auto text = h5::read_texts(id_, "comments/text", 0, n);
    std::vector<OperatorNote> notes(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (kind[i] >= kNoteKindNames.size()) refuse(path_, fmt::format("row {} of /comments/kind is {}", i, kind[i]));
        notes[i] = {utc[i], static_cast<NoteKind>(kind[i]), author[i], text[i]};
    }
    return notes;
}

std::vector<ReadingSample> AlleycatFile::readings() const {
    h5::prepare();
    const std::uint64_t n = h5::rows(id_, "readings/board").value_or(0);  // older files had no such table
    const auto utc = read_column<std::int64_t>(id_, "readings/utc_ns", 0, n);
    const auto board = read_column<std::uint16_t>(id_, "readings/board", 0, n);
    const auto name = h5::read_texts(id_, "readings/name", 0, n);
    const auto value = read_column<double>(id_, "readings/value", 0, n);
    const auto unit = h5::read_texts(id_, "readings/unit", 0, n);
    std::vector<ReadingSample> readings(n);
    for (std::size_t i = 0; i < n; ++i) {
        if (board[i] >= run_.boards.size())
            refuse(path_,
                   fmt::format("row {} of /readings is of board {}, the run has {}", i, board[i], run_.boards.size()));
        readings[i] = {utc[i], board[i], {name[i], value[i], unit[i]}};
    }
    return readings;
}

std::optional<CounterSample> AlleycatFile::last_counters() const {
    h5::prepare();
    const std::vector<std::string> names = h5::links(id_, "counters");
    std::uint64_t n = h5::rows(id_, "counters/utc_ns").value_or(0);
    for (const std::string& name : names) n = std::min(n, h5::rows(id_, "counters/" + name).value_or(0));
    if (n == 0) return std::nullopt;
    CounterSample sample;
    sample.utc_ns = read_column<std::int64_t>(id_, "counters/utc_ns", n - 1, 1)[0];
    sample.sequence = read_column<std::uint64_t>(id_, "counters/sequence", n - 1, 1)[0];
    if (summary_) sample.ledger = summary_->ledger;
    for (const std::string& name : names) {
        if (name == "utc_ns" || name == "sequence") continue;
        sample.counters.emplace_back(name, read_column<std::uint64_t>(id_, "counters/" + name, n - 1, 1)[0]);
    }
    return sample;
}

bool AlleycatFile::has_raw() const {
    h5::prepare();
    return h5::exists(id_, "raw");
}

PartSummary AlleycatFile::recompute_summary() const {
    PartSummary made{run_};
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    for (std::uint64_t first = 0; first < triggers_; first += kBlock) {
        read_events(first, std::min(kBlock, triggers_ - first), events, states);
        for (std::size_t i = 0; i < events.size(); ++i) {
            const std::uint8_t box = made.add_event(events[i], run_);
            made.add_beam_state(events[i].trigger_class, box, states[i].state, states[i].power_w, run_.tick_rate_hz);
        }
    }
    for (const TickRecord& tick : ticks()) made.add_tick(tick.state, tick.power_w, run_.tick_rate_hz);
    for (const DeadTime& interval : dead_time()) made.add_dead_time(interval);
    for (const StreamGap& gap : stream_gaps()) made.lost_in_stream += gap.triggers;
    if (summary_) {
        made.run_ended = summary_->run_ended;
        made.clean = summary_->clean;
        made.end_reason = summary_->end_reason;
        made.ledger = summary_->ledger;
        made.end_utc_ns = summary_->end_utc_ns;
        made.quality = summary_->quality;
    }
    return made;
}

std::vector<Waveform> AlleycatFile::last_waveforms(std::size_t n) const {
    h5::prepare();
    // The last triggers with samples of any board, then what each board has for them.
    std::set<std::uint64_t> chosen;
    for (const BoardInfo& board : run_.boards) {
        for (const std::string& path :
             {"raw/" + board.name + "/sequence", "raw/" + board.name + "/irregular/sequence"}) {
            const std::uint64_t rows = h5::rows(id_, path).value_or(0);
            const std::uint64_t few = std::min<std::uint64_t>(rows, n * kMaxChannels);
            for (const std::uint64_t s : read_column<std::uint64_t>(id_, path, rows - few, few)) chosen.insert(s);
        }
    }
    while (chosen.size() > n) chosen.erase(chosen.begin());
    if (chosen.empty()) return {};

    std::vector<Waveform> waveforms;
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    std::vector<std::byte> samples;
    const std::uint64_t tail = std::min<std::uint64_t>(triggers_, kBlock);
    read_events(triggers_ - tail, tail, events, states);
    for (const Event& event : events) {
        if (!chosen.contains(event.sequence)) continue;
        Waveform& wave = waveforms.emplace_back();
        wave.sequence = event.sequence;
        wave.utc_ns = event.utc_ns;
        wave.baseline_median_adc = event.baseline_median_adc;
        wave.peaks_known = false;
    }
    for (std::uint16_t b = 0; b < run_.boards.size(); ++b) {
        const BoardInfo& board = run_.boards[b];
        h5::BoardReader reader{id_, board, b, 1};
        reader.skip_to(*chosen.begin());
        while (reader.next()) {
            const RecordHeader& header = reader.header();
            const auto wave = std::find_if(waveforms.begin(), waveforms.end(),
                                           [&](const Waveform& w) { return w.sequence == header.sequence; });
            if (wave == waveforms.end()) continue;
            samples.resize(payload_bytes(header));
            reader.read_samples(samples);
            const RecordView record{header, samples};
            std::uint64_t left = header.channel_mask;
            for (std::size_t position = 0; position < header.channels; ++position) {
                const auto index = left != 0 ? static_cast<std::size_t>(std::countr_zero(left)) : position;
                left &= left - 1;
                WaveformChannel& channel = wave->channels.emplace_back();
                channel.board = board.name;
                channel.channel =
                    index < board.channels.size() ? board.channels[index].name : fmt::format("channel {}", index);
                channel.sample_period_ps = board.sample_period_ps;
                with_sample_type(header.sample_type, [&]<class T>(T) {
                    const std::span<const T> codes = record.channel<T>(position);
                    channel.codes.assign(codes.begin(), codes.end());
                });
            }
        }
    }
    return waveforms;
}

namespace {

/// What each detector of a station of several has seen.
std::vector<FileInfo::DetectorHits> tally_detectors(const AlleycatFile& file) {
    const RunDescription& run = file.run();
    std::vector<FileInfo::DetectorHits> tally;
    for (const std::string& name : run.detectors) {
        tally.push_back({name, 0, std::vector<std::uint64_t>(run.windows.size())});
    }
    for (std::uint64_t first = 0; first < file.triggers() && !tally.empty(); first += kBlock) {
        const std::uint64_t n = std::min(kBlock, file.triggers() - first);
        const auto detector = read_column<std::uint16_t>(file.hdf5_id(), "triggers/detector", first, n);
        for (const std::uint16_t d : detector) tally[std::min<std::size_t>(d, tally.size() - 1)].triggers += 1;
        for (std::size_t w = 0; w < run.windows.size(); ++w) {
            const auto accepted =
                read_column<std::uint8_t>(file.hdf5_id(), "windows/" + run.windows[w].name + "/accepted", first, n);
            for (std::size_t i = 0; i < n; ++i) {
                tally[std::min<std::size_t>(detector[i], tally.size() - 1)].accepted[w] += accepted[i] == 1 ? 1 : 0;
            }
        }
    }
    return tally;
}

/// Of each reading of each board the last, the lowest and the highest.
void tally_readings(const AlleycatFile& file, std::vector<FileInfo::Board>& boards) {
    for (const auto& [utc_ns, board, reading] : file.readings()) {
        std::vector<FileInfo::Board::Reading>& known = boards[board].readings;
        const auto same_name = [&name = reading.name](const auto& r) { return r.last.name == name; };
        auto at = std::find_if(known.begin(), known.end(), same_name);
        if (at == known.end()) at = known.insert(at, {reading, reading.value, reading.value});
        at->last = reading;
        at->lowest = std::min(at->lowest, reading.value);
        at->highest = std::max(at->highest, reading.value);
    }
}

}  // namespace

namespace {

FileInfo read_info(const std::filesystem::path& path) {
    const AlleycatFile file{path};
    FileInfo made;
    made.path = path;
    made.bytes = std::filesystem::file_size(path);
    made.part = file.part();
    made.closed = file.closed();
    made.run = file.run();
    made.summary = file.closed() ? *file.summary() : file.recompute_summary();
    made.n_on = n_on(made.summary, made.run);
    made.n_off = n_off(made.summary, made.run);
    const auto& ticks = made.summary.ticks;
    if (made.run.tick_rate_hz > 0)
        made.live_time_s = static_cast<double>(ticks[0] + ticks[1] + ticks[2]) / made.run.tick_rate_hz;
    for (const BoardInfo& board : made.run.boards) {
        made.boards.push_back({board.name, h5::rows(file.hdf5_id(), "raw/" + board.name + "/sequence").value_or(0),
                               h5::rows(file.hdf5_id(), "raw/" + board.name + "/irregular/sequence").value_or(0)});
    }
    tally_readings(file, made.boards);
    made.detectors = tally_detectors(file);
    made.notes = file.notes();
    made.gaps = file.gaps();
    return made;
}

}  // namespace

FileInfo info(const std::filesystem::path& path) {
    require_openable(path, [&path] {
        (void)read_info(path);
        (void)tally_truth(AlleycatFile{path});
    });
    return read_info(path);
}

}  // namespace alleycat
