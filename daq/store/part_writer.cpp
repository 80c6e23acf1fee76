#include "daq/store/part_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <ranges>
#include <type_traits>
#include <utility>

#include "daq/core/error.hpp"
#include "daq/core/time.hpp"
#include "daq/store/content_digest.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_file.hpp"
#include "daq/store/part_summary.hpp"
#include "daq/store/raw_writer.hpp"
#include "daq/store/summary_io.hpp"
#include "daq/store/table.hpp"

namespace alleycat {
namespace {

using h5::Column;
using h5::Handle;
using h5::Table;

template <class Names>
std::string join(const Names& names) {
    std::string text;
    std::string_view comma;
    for (const auto& name : names) {
        text += std::string{comma} + std::string{name};
        comma = ",";
    }
    return text;
}
template <class Things>
std::string join_names(const Things& things) {
    return join(things | std::views::transform([](const auto& thing) { return thing.name; }));
}

std::string utc_text(std::int64_t utc_ns) { return to_iso8601(UtcTime{std::chrono::nanoseconds{utc_ns}}); }

/// A feature is measured as a double; what its column cannot hold becomes the column's smallest or largest value.
template <class T>
T narrowed(double value) noexcept {
    if (std::isnan(value)) return std::is_signed_v<T> ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
    return static_cast<T>(std::clamp(value, static_cast<double>(std::numeric_limits<T>::min()),
                                     static_cast<double>(std::numeric_limits<T>::max())));
}

void put_string_dataset(hid_t file, const char* name, const std::string& text) {
    const Handle type{H5Tcopy(H5T_C_S1)};
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const Handle space{H5Screate(H5S_SCALAR)};
    const Handle dataset{h5::check(
        H5Dcreate2(file, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "cannot make /config")};
    const char* pointer = text.c_str();
    h5::check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, &pointer), "cannot write /config");
    h5::put_text(dataset.get(), "datatype", "string");
}

void put_bytes_dataset(hid_t file, const char* name, std::span<const std::byte> bytes) {
    const hsize_t n = bytes.size();
    const Handle space{H5Screate_simple(1, &n, nullptr)};
    const Handle dataset{
        h5::check(H5Dcreate2(file, name, H5T_NATIVE_UINT8, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                  "cannot make /run_description")};
    h5::check(H5Dwrite(dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
              "cannot write /run_description");
    h5::put_text(dataset.get(), "datatype", "array<1>{real}");
    h5::put_text(dataset.get(), "units", "");
    h5::put_text(dataset.get(), "description", "the frame this run began with, for Alleycat's own readers");
}

/// Rows that wait for their beam state, and those behind one that waits.
struct PendingRow {
    std::uint64_t sequence = 0;
    TriggerClass trigger_class = TriggerClass::beam_tick;
    std::uint8_t box = 0;
    bool resolved = false;
    BeamState state = BeamState::unknown;
    float power_w = -1;
};

/// Everything below the root. Gone before the file is closed.
struct Contents {
    Contents(hid_t file, const RunDescription& run, Compression compression, const RawSelection& raw, unsigned threads)
        : encoder{compression, threads},
          triggers{file, "triggers", "one row per trigger", compression},
          beam_power{triggers.group(), "beam_power_w", H5T_NATIVE_FLOAT, "W", "beam power at the tick; -1: not known",
                     compression},
          beam_state{triggers.group(), "beam_state", H5T_NATIVE_INT8, "", "1 on, 0 off, 2 no-beam cycle, -1 unknown",
                     compression},
          ticks{file, "ticks", "every recorded tick of the timing signal", compression},
          beam{file, "beam", "every beam frame as it came", compression},
          dead_time{file, "dead_time", "intervals of consecutive triggers that were refused", compression},
          gaps{file, "gaps", "triggers that no file has, between a run that was cut off and this one", compression},
          calibration{file, "calibration", "SPE charge, from a sequence on; the first rows repeat what is in force",
                      compression},
          counters{file, "counters", "every counter over time", compression},
          readings{file, "readings", "what the boards said of themselves", compression},
          comments{file, "comments", "what operators said of the run while this part was written", compression},
          truth{file, "truth", "what the simulator put in, one row per pulse; empty for data", compression} {
        make_triggers();
        h5::put_text(triggers.group(), "detectors", join(run.detectors));
        make_windows(file, run, compression);
        make_others();
        for (const BoardInfo& board : run.boards) {
            if (raw.of != RawData::none) boards.emplace_back(file, board, compression, encoder);
        }
        if (!boards.empty())
            h5::put_text(h5::open_group(file, "raw").get(), "datatype", "struct{" + join_names(run.boards) + "}");
    }

    void make_triggers() {
        triggers.add_column<std::uint64_t>("sequence", "", "number within the run, refused triggers included");
        Column& kind = triggers.add_column<std::uint8_t>("trigger_class", "", "what triggered");
        h5::put_text(kind.dataset(), "values", join(kTriggerClassNames));
        triggers.add_column<std::int64_t>("time_ps", "ps", "reference board's clock since the run's first tick");
        triggers.add_column<std::int64_t>("utc_ns", "ns", "when the host observed it, since 1970");
        Column& flags = triggers.add_column<std::uint32_t>("flags", "", "bits that are set");
        h5::put_text(flags.dataset(), "bits", join(kTriggerFlagNames));
        triggers.add_column<double>("baseline_median_adc", "adc", "of the signal channel");
        triggers.add_column<double>("baseline_mean_adc", "adc", "of the signal channel");
        triggers.add_column<double>("baseline_sigma_adc", "adc", "of the signal channel");
        triggers.add_column<double>("spe_charge_adc", "adc*sample", "SPE charge that was in force");
        triggers.add_column<std::uint64_t>("tick", "",
                                           "number of the tick it belongs to, counted by the timing signal");
        triggers.add_column<std::int64_t>("since_tick_ps", "ps", "its time after that tick; 0: it is the tick");
        triggers.add_column<std::uint16_t>("detector", "", "index in the attribute detectors of this group");
        triggers.add_column<std::uint64_t>("missing_boards", "",
                                           "boards without a record, bit = index in /run_description");
        const std::array<std::string, 2> more{"beam_power_w", "beam_state"};
        triggers.describe(more);
    }

    void make_windows(hid_t file, const RunDescription& run, Compression compression) {
        const Handle folder = h5::create_group(file, "windows");
        for (const WindowInfo& info : run.windows) {
            Table& table = windows.emplace_back(folder.get(), info.name, "one row per trigger", compression);
            table.add_column<std::uint64_t>("sequence", "", "trigger the row belongs to");
            for (const FeatureInfo& f : run.features) {
                switch (f.type) {
                    case FeatureType::u32: table.add_column<std::uint32_t>(f.name, f.unit, f.meaning); break;
                    case FeatureType::i32: table.add_column<std::int32_t>(f.name, f.unit, f.meaning); break;
                    case FeatureType::f64: table.add_column<double>(f.name, f.unit, f.meaning); break;
                }
            }
            Column& cuts = table.add_column<std::uint32_t>("cuts", "", "a bit per cut failed; 0: accepted");
            std::string names, meanings;
            for (const CutInfo& cut : run.cuts) {
                meanings += (names.empty() ? "" : "; ") + cut.meaning;
                names += (names.empty() ? "" : ",") + cut.name;
            }
            h5::put_text(cuts.dataset(), "bits", names);
            h5::put_text(cuts.dataset(), "meanings", meanings);
            table.add_column<std::uint8_t>("accepted", "", "1: passes all cuts");
            table.describe();
            h5::put_text(table.group(), "role", info.role == WindowRole::coincident ? "coincident" : "anticoincident");
            h5::put_number(table.group(), "pretrace_start", info.pretrace_start);
            h5::put_number(table.group(), "roi_start", info.roi_start);
            h5::put_number(table.group(), "roi_end", info.roi_end);
            h5::put_number(table.group(), "integration", info.integration);
        }
        h5::put_text(folder.get(), "datatype", "struct{" + join_names(run.windows) + "}");
    }

    void make_others() {
        ticks.add_column<std::uint64_t>("sequence", "", "trigger the tick is; 2^64-1: it comes apart from triggers");
        ticks.add_column<std::uint64_t>("tick", "", "number, counted by the timing signal");
        ticks.add_column<std::int64_t>("time_ps", "ps", "reference board's clock since the run's first tick");
        ticks.add_column<std::int64_t>("utc_ns", "ns", "when the host observed it, since 1970");
        h5::put_text(ticks.add_column<std::uint32_t>("flags", "", "bits that are set, as in /triggers").dataset(),
                     "bits", join(kTriggerFlagNames));
        ticks.add_column<float>("beam_power_w", "W", "at ticks apart from triggers; -1: not known, or see /triggers");
        ticks.add_column<std::int8_t>("beam_state", "", "of ticks apart from triggers; of others in /triggers");
        ticks.describe();

        beam.add_column<std::int64_t>("utc_ns", "ns", "when the host got it, since 1970");
        beam.add_column<std::uint64_t>("tick", "", "trigger counter of the timing board when it came");
        beam.add_column<float>("power_w", "W", "beam power; -1: not reported");
        beam.add_column<float>("charge_pc", "pC", "proton charge of the pulse; -1: not reported");
        beam.add_column<std::uint16_t>("cycle", "", "0 to 599; 1023: missing");
        beam.add_column<std::uint16_t>("veto", "", "12 veto bits");
        beam.add_column<std::uint8_t>("flavor", "", "0 no beam, 1 and 2 normal target, 3 to 7 others");
        beam.describe();

        dead_time.add_column<std::uint64_t>("first_sequence", "", "first trigger refused");
        dead_time.add_column<std::uint64_t>("last_sequence", "", "last trigger refused, inclusive");
        dead_time.add_column<std::int64_t>("begin_ps", "ps", "time of the first one since the run's first tick");
        dead_time.add_column<std::int64_t>(
            "end_ps", "ps", "time of the last one plus one nominal tick, or of the next trigger if sooner");
        h5::put_text(dead_time.add_column<std::uint8_t>("reason", "", "why").dataset(), "values",
                     join(kRefusalReasonNames));
        dead_time.describe();

        gaps.add_column<std::uint64_t>("previous_run", "", "run that was cut off");
        gaps.add_column<std::uint64_t>("last_sequence", "", "its last trigger on disk; 2^64-1: none");
        gaps.add_column<std::int64_t>("from_utc_ns", "ns", "when the host observed that one, since 1970");
        gaps.add_column<std::int64_t>("to_utc_ns", "ns", "when the host observed this run's first trigger, since 1970");
        gaps.add_column<std::uint64_t>("lost_estimated", "", "triggers between them, by the nominal rate");
        gaps.add_column<std::uint8_t>("told_by_writer", "", "1: from what is on disk; 0: from the daemon's own mark");
        gaps.add_column<std::uint64_t>("missing_frames", "", "of this run's data stream; 0: a run was cut off");
        gaps.describe();

        calibration.add_column<std::uint64_t>("from_sequence", "", "first trigger it applies to");
        calibration.add_column<double>("spe_charge_adc", "adc*sample", "charge of one photoelectron");
        calibration.add_column<double>("spe_charge_error_adc", "adc*sample", "its error");
        calibration.add_column<double>("fit_quality", "", "chi2 per degree of freedom; 0: configured, not fitted");
        calibration.add_column<std::uint64_t>("block", "", "whose data it was made from, from 0 on");
        calibration.add_column<std::uint64_t>("peaks", "", "in the histogram that was fitted");
        h5::put_text(calibration.add_column<std::uint8_t>("origin", "", "where the value comes from").dataset(),
                     "values", join(kCalibrationOriginNames));
        calibration.add_column<std::uint16_t>("detector", "", "index in the attribute detectors of /triggers");
        calibration.describe();

        counters.add_column<std::int64_t>("utc_ns", "ns", "when the counters were read, since 1970");
        counters.add_column<std::uint64_t>("sequence", "", "of the next trigger");
        counters.describe();

        readings.add_column<std::int64_t>("utc_ns", "ns", "when it was taken down, since 1970");
        readings.add_column<std::uint16_t>("board", "", "index in the root's attribute boards");
        readings.add_text_column("name", kMaxReadingName, "what was read");
        readings.add_column<double>("value", "", "in the unit of its row");
        readings.add_text_column("unit", kMaxReadingUnit, "of the value; empty: a share or a number");
        readings.describe();

        comments.add_column<std::int64_t>("utc_ns", "ns", "when it was said, since 1970");
        h5::put_text(
            comments.add_column<std::uint8_t>("kind", "", "a comment, or what the run was marked as").dataset(),
            "values", join(kNoteKindNames));
        comments.add_text_column("author", kMaxNoteAuthor, "who said it");
        comments.add_text_column("text", kMaxNoteText, "what was said; of a mark its reason");
        comments.describe();

        truth.add_column<std::uint64_t>("sequence", "", "trigger the pulse is in");
        truth.add_column<std::uint16_t>("board", "", "index of the board");
        truth.add_column<float>("onset_ns", "ns", "from the first sample of the trace");
        truth.add_column<std::uint32_t>("photoelectrons", "pe", "number injected");
        h5::put_text(truth.add_column<std::uint8_t>("kind", "", "what it is").dataset(), "values",
                     join(kTruthKindNames));
        truth.describe();
    }

    template <class Each>
    void for_each_table(const Each& each) {
        for (Table* table :
             {&triggers, &ticks, &beam, &dead_time, &gaps, &calibration, &counters, &readings, &comments, &truth})
            each(*table);
        for (Table& table : windows) each(table);
    }

    h5::ChunkEncoder encoder;
    Table triggers;
    Column beam_power, beam_state;
    Table ticks, beam, dead_time, gaps, calibration, counters, readings, comments, truth;
    std::deque<Table> windows;
    std::deque<h5::BoardWriter> boards;
    std::map<std::string, std::pair<Column*, std::uint64_t>> counter_columns;  ///< last value of each
};

}  // namespace

class PartWriter::File {
  public:
    File(std::filesystem::path final_name, const FrameView& run_start, std::uint32_t part, Compression compression,
         const RawSelection& raw, unsigned threads)
        : final_{std::move(final_name)}, raw_{raw}, disk_{unfinished()} {
        h5::prepare();
        FrameContent content;
        read_content(run_start, nullptr, content);
        run_ = std::move(*content.description);
        summary_ = PartSummary{run_};
        for (const std::filesystem::path& name : {final_, unfinished()}) {
            if (std::filesystem::exists(name))
                throw Error{fmt::format("{}: exists already and is not overwritten", name.string())};
        }
        file_ = disk_.create();
        try {
            put_root(part);
            put_string_dataset(file_.get(), "config", run_.config_text);
            put_bytes_dataset(file_.get(), "run_description", run_start.bytes);
            contents_ = std::make_unique<Contents>(file_.get(), run_, compression, raw, threads);
            disk_.check();
        } catch (...) {
            contents_.reset();
            file_.reset();
            std::error_code ignored;
            std::filesystem::remove(unfinished(), ignored);
            throw;
        }
    }

    ~File() { h5::prepare(); }  // in whatever thread: what is closed now must not print

    /// Throws when the disk did not take what was written so far.
    void check_disk() const { disk_.check(); }

    void add(const FrameContent& frame) {
        h5::prepare();
        last_ordinal_ = std::max(last_ordinal_, frame.ordinal);
        switch (frame.kind) {
            case FrameKind::run_start: break;
            case FrameKind::trigger:
                close_stream_gap(frame.trigger.event.sequence, frame.trigger.event.utc_ns);
                add_trigger(frame.trigger);
                break;
            case FrameKind::beam_frames:
                for (const BeamFrame& b : frame.beam_frames) {
                    contents_->beam.add_row(b.utc_ns, b.tick, b.power_w, b.charge_pc, b.cycle, b.veto, b.flavor);
                }
                break;
            case FrameKind::beam_states:
                for (const BeamResolution& state : frame.beam_states) resolve(state);
                settle();
                break;
            case FrameKind::ticks:
                for (const TickRecord& t : frame.ticks) {
                    contents_->ticks.add_row(kNoSequence, t.tick, t.time_ps, t.utc_ns, t.flags, t.power_w,
                                             static_cast<std::int8_t>(t.state));
                    summary_.add_tick(t.state, t.power_w, run_.tick_rate_hz);
                }
                break;
            case FrameKind::dead_time:
                close_stream_gap(frame.dead_time.first_sequence, 0);
                contents_->dead_time.add_row(frame.dead_time.first_sequence, frame.dead_time.last_sequence,
                                             frame.dead_time.begin_ps, frame.dead_time.end_ps, frame.dead_time.reason);
                summary_.add_dead_time(frame.dead_time);
                break;
            case FrameKind::gap: add_gap(frame.gap); break;
            case FrameKind::calibration:
                contents_->calibration.add_row(frame.calibration.from_sequence, frame.calibration.spe_charge_adc,
                                               frame.calibration.spe_charge_error_adc, frame.calibration.fit_quality,
                                               frame.calibration.block, frame.calibration.peaks,
                                               static_cast<std::uint8_t>(frame.calibration.origin),
                                               static_cast<std::uint16_t>(frame.calibration.detector));
                break;
            case FrameKind::counters: add_counters(frame.counters); break;
            case FrameKind::run_end:
                close_stream_gap(frame.run_end.ledger.triggers, frame.run_end.utc_ns);
                end_ = frame.run_end;
                summary_.ledger = frame.run_end.ledger;
                summary_.end_utc_ns = frame.run_end.utc_ns;
                break;
            case FrameKind::note: add_note(frame.note); break;
            case FrameKind::readings:
                for (const ReadingSample& reading : frame.readings) add_reading(reading);
                break;
        }
    }

    void flush() {
        h5::prepare();
        contents_->for_each_table([](Table& table) { table.flush(); });
        contents_->encoder.drain();
        for (h5::BoardWriter& board : contents_->boards) board.flush();
        // Rows whose state is not known yet stand as unknown, so that all columns are of one length at any moment.
        std::vector<float> power(pending_.size(), -1.f);
        std::vector<std::int8_t> state(pending_.size(), static_cast<std::int8_t>(BeamState::unknown));
        for (std::size_t i = 0; i < pending_.size(); ++i) {
            power[i] = pending_[i].power_w;
            state[i] = static_cast<std::int8_t>(pending_[i].state);
        }
        contents_->beam_power.flush_with_placeholders(std::as_bytes(std::span{power}));
        contents_->beam_state.flush_with_placeholders(std::as_bytes(std::span{state}));
        h5::check(H5Fflush(file_.get(), H5F_SCOPE_LOCAL), unfinished().string() + ": cannot be flushed");
    }

    void close(const PartEnd& end) {
        h5::prepare();
        if (std::filesystem::exists(final_))
            throw Error{fmt::format("{}: exists already and is not overwritten", final_.string())};
        close_stream_gap(next_sequence(), 0);
        for (PendingRow& row : pending_) row.resolved = true;
        settle();
        flush();
        summary_.run_ended = end.run_ended;
        summary_.clean = end.clean;
        summary_.end_reason = end.reason;
        summary_.quality = quality(end);
        if (end_) h5::put_text(file_.get(), "end_time_utc", utc_text(end_->utc_ns));
        h5::write_summary(file_.get(), summary_, run_);
        put_end(end);
        contents_.reset();
        h5::put_content_digest(file_.get());
        h5::check(H5Fclose(file_.release()), unfinished().string() + ": cannot be closed");
        disk_.sync();
        rename_new(unfinished(), final_);
        sync_folder(folder_of(final_));
    }

    [[nodiscard]] std::filesystem::path unfinished() const { return final_.string() + ".part"; }
    [[nodiscard]] const std::filesystem::path& final_name() const noexcept { return final_; }
    [[nodiscard]] const RunDescription& run() const noexcept { return run_; }
    [[nodiscard]] const PartSummary& summary() const noexcept { return summary_; }
    [[nodiscard]] const std::vector<OperatorNote>& notes() const noexcept { return notes_; }
    [[nodiscard]] std::uint64_t pending() const noexcept { return pending_.size(); }
    [[nodiscard]] std::uint64_t missing_frames() const noexcept { return missing_frames_; }
    [[nodiscard]] bool stream_gap_is_open() const noexcept { return open_gap_frames_ > 0; }
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        if (!contents_) return 0;
        std::uint64_t sum = contents_->beam_power.bytes() + contents_->beam_state.bytes();
        contents_->for_each_table([&](Table& table) { sum += table.bytes(); });
        for (const h5::BoardWriter& board : contents_->boards) sum += board.bytes();
        return sum;
    }

  private:
    void put_root(std::uint32_t part) {
        const hid_t root = file_.get();
        h5::put_text(root, "format", "alleycat");
        h5::put_number(root, "format_version", kFormatVersion);
        h5::put_number(root, "run", run_.run);
        h5::put_number(root, "part", part);
        h5::put_text(root, "start_time_utc", utc_text(run_.start_utc_ns));
        h5::put_number(root, "test_run", static_cast<std::uint8_t>(run_.test_run));
        h5::put_text(root, "software", run_.software);
        h5::put_text(root, "revision", run_.revision);
        h5::put_text(root, "compiler", run_.compiler);
        h5::put_text(root, "libraries", h5::library_versions());
        h5::put_text(root, "boards", join_names(run_.boards));
        h5::put_text(root, "board_serials", join(run_.boards | std::views::transform(&BoardInfo::serial)));
        h5::put_text(root, "profile", run_.profile);
        h5::put_text(root, "host", run_.host);
        h5::put_text(root, "config_name", run_.config_name);
        h5::put_number(root, "tick_rate_hz", run_.tick_rate_hz);
        h5::put_number(root, "rate_boost", run_.rate_boost);
        h5::put_text(root, "raw", raw_.of == RawData::all ? "all" : raw_.of == RawData::accepted ? "accepted" : "none");
        h5::put_number(root, "raw_prescale", raw_.prescale);
    }

    /// What /summary says of the part itself.
    void put_end(const PartEnd& end) {
        const Handle summary = h5::open_group(file_.get(), "summary");
        h5::put_number(summary.get(), "repaired", static_cast<std::uint8_t>(end.repaired));
        h5::put_number(summary.get(), "salvaged", static_cast<std::uint8_t>(end.salvaged));
        if (end.salvaged) h5::put_text(summary.get(), "lost", end.lost);
        h5::put_number(summary.get(), "beam_states_without_row", states_without_row_);
        h5::put_number(summary.get(), "last_ordinal", last_ordinal_);
    }

    /// Of another run: it was cut off. Of this one: a mark of the writer, and the next sequence number tells the rest.
    void add_gap(const Gap& gap) {
        if (gap.previous_run == run_.run) {
            missing_frames_ += gap.lost_estimated;
            open_gap_frames_ += gap.lost_estimated;
        } else {
            add_gap_row(gap, 0);
        }
    }

    /// Triggers between the last one accounted for and `sequence` were in the frames that are missing.
    void close_stream_gap(std::uint64_t sequence, std::int64_t utc_ns) {
        if (open_gap_frames_ == 0) return;
        Gap gap;
        gap.previous_run = run_.run;
        gap.last_sequence = summary_.last_sequence;
        gap.from_utc_ns = summary_.last_utc_ns;
        gap.to_utc_ns = std::max(utc_ns, gap.from_utc_ns);
        gap.lost_estimated = sequence - std::min(sequence, next_sequence());
        gap.told_by_writer = true;
        add_gap_row(gap, std::exchange(open_gap_frames_, 0));
        summary_.lost_in_stream += gap.lost_estimated;
    }
    [[nodiscard]] std::uint64_t next_sequence() const noexcept { return summary_.last_sequence + 1; }

    void add_gap_row(const Gap& gap, std::uint64_t missing_frames) {
        contents_->gaps.add_row(gap.previous_run, gap.last_sequence, gap.from_utc_ns, gap.to_utc_ns, gap.lost_estimated,
                                static_cast<std::uint8_t>(gap.told_by_writer), missing_frames);
    }

    void add_trigger(const TriggerFrame& frame) {
        const Event& e = frame.event;
        contents_->triggers.add_row(e.sequence, static_cast<std::uint8_t>(e.trigger_class), e.time_ps, e.utc_ns,
                                    e.flags, e.baseline_median_adc, e.baseline_mean_adc, e.baseline_sigma_adc,
                                    e.spe_charge_adc, e.tick, e.since_tick_ps, e.detector,
                                    frame.trigger.missing_boards);
        bool accepted = false;
        for (std::size_t w = 0; w < run_.windows.size(); ++w) {
            add_window(contents_->windows[w], e.sequence, e.window[w]);
            accepted = accepted || e.window[w].accepted();
        }
        if (e.trigger_class == TriggerClass::beam_tick)
            contents_->ticks.add_row(e.sequence, e.tick, e.time_ps - e.since_tick_ps, e.utc_ns, e.flags, -1.0f,
                                     static_cast<std::int8_t>(BeamState::unknown));
        for (const RecordView& record : frame.trigger.records()) {
            const std::uint16_t board = record.header().board;
            if (raw_.keeps(accepted, e.sequence)) {
                contents_->boards[board].add(e.sequence, record);
            }
            for (const TruthPulse& p : record.truth()) {
                contents_->truth.add_row(e.sequence, board, p.onset_ns, p.photoelectrons,
                                         static_cast<std::uint8_t>(p.kind));
            }
        }
        PendingRow row;
        row.sequence = e.sequence;
        row.trigger_class = e.trigger_class;
        row.box = summary_.add_event(e, run_);
        pending_.push_back(row);
    }

    void add_window(Table& table, std::uint64_t sequence, const WindowEvent& window) {
        std::size_t i = 0;
        table.column(i++).add(sequence);
        for (std::size_t f = 0; f < run_.features.size(); ++f) {
            switch (run_.features[f].type) {
                case FeatureType::u32: table.column(i++).add(narrowed<std::uint32_t>(window.value[f])); break;
                case FeatureType::i32: table.column(i++).add(narrowed<std::int32_t>(window.value[f])); break;
                case FeatureType::f64: table.column(i++).add(window.value[f]); break;
            }
        }
        table.column(i++).add(window.cuts);
        table.column(i).add(static_cast<std::uint8_t>(window.accepted()));
    }

    void resolve(const BeamResolution& state) {
        const auto at = std::lower_bound(pending_.begin(), pending_.end(), state.sequence,
                                         [](const PendingRow& row, std::uint64_t s) { return row.sequence < s; });
        if (at == pending_.end() || at->sequence != state.sequence || at->resolved) {
            if (state.sequence >= summary_.first_sequence && state.sequence <= summary_.last_sequence)
                ++states_without_row_;
            return;
        }
        at->resolved = true;
        at->state = state.state;
        at->power_w = state.power_w;
    }

    /// Rows whose state is known, up to the first whose is not, are final.
    void settle() {
        while (!pending_.empty() && pending_.front().resolved) {
            const PendingRow& row = pending_.front();
            contents_->beam_power.add(row.power_w);
            contents_->beam_state.add(static_cast<std::int8_t>(row.state));
            summary_.add_beam_state(row.trigger_class, row.box, row.state, row.power_w, run_.tick_rate_hz);
            pending_.pop_front();
        }
    }

    void add_note(const OperatorNote& note) {
        notes_.push_back(note);
        Table& table = contents_->comments;
        table.column(0).add(note.utc_ns);
        table.column(1).add(static_cast<std::uint8_t>(note.kind));
        table.column(2).add_text(note.author);
        table.column(3).add_text(note.text);
    }

    void add_reading(const ReadingSample& sample) {
        Table& table = contents_->readings;
        table.column(0).add(sample.utc_ns);
        table.column(1).add(sample.board);
        table.column(2).add_text(sample.reading.name);
        table.column(3).add(sample.reading.value);
        table.column(4).add_text(sample.reading.unit);
    }

    /// What this part can tell of its run; its last part tells all.
    [[nodiscard]] RunQuality quality(const PartEnd& end) const {
        return judge({.over = end.run_ended || !end.clean,
                      .end = end_,
                      .ledger = summary_.ledger,
                      .counters = counters_,
                      .missing = end.missing,
                      .shortcomings = end.shortcomings},
                     end.notes.empty() ? notes_ : end.notes);
    }

    void add_counters(const CounterSample& sample) {
        summary_.ledger = sample.ledger;
        counters_ = sample.counters;
        Table& table = contents_->counters;
        const std::uint64_t before = table.rows();
        bool more = false;
        for (const auto& [name, value] : sample.counters) {
            std::string column = name.empty() ? "unnamed" : name;
            std::replace_if(
                column.begin(), column.end(),
                [](char c) { return c == '/' || c == ',' || c == '{' || c == '}' || c == '\0'; }, '_');
            if (column == "utc_ns" || column == "sequence" || column == "." || column == "..") column += "_";
            auto& [made, last] = contents_->counter_columns[column];
            if (made == nullptr) {
                made = &table.add_column<std::uint64_t>(column, "", "counter " + name);
                for (std::uint64_t i = 0; i < before; ++i) made->add(std::uint64_t{0});
                more = true;
            }
            last = value;
        }
        table.column(0).add(sample.utc_ns);
        table.column(1).add(sample.sequence);
        for (auto& [name, column] : contents_->counter_columns) column.first->add(column.second);
        if (more) table.describe();
    }

    std::filesystem::path final_;
    RawSelection raw_;
    RunDescription run_;
    PartSummary summary_;
    std::deque<PendingRow> pending_;
    std::uint64_t states_without_row_ = 0, last_ordinal_ = 0;
    std::uint64_t missing_frames_ = 0;   ///< of the data stream, so far
    std::uint64_t open_gap_frames_ = 0;  ///< of them those behind which no sequence number came yet
    CounterValues counters_;             ///< as the run counted last
    std::optional<RunEnd> end_;
    std::vector<OperatorNote> notes_;
    h5::PartFile disk_;
    Handle file_;
    std::unique_ptr<Contents> contents_;
};

PartWriter::PartWriter(std::filesystem::path file, const FrameView& run_start, std::uint32_t part,
                       Compression compression, const RawSelection& raw, unsigned threads)
    : file_{std::make_unique<File>(std::move(file), run_start, part, compression, raw, threads)} {}
PartWriter::~PartWriter() = default;
void PartWriter::add(const FrameContent& frame) {
    file_->add(frame);
    file_->check_disk();
}
void PartWriter::flush() {
    file_->flush();
    file_->check_disk();
}
void PartWriter::close(const PartEnd& end) { file_->close(end); }
const RunDescription& PartWriter::run() const noexcept { return file_->run(); }
const std::filesystem::path& PartWriter::file() const noexcept { return file_->final_name(); }
std::filesystem::path PartWriter::unfinished_file() const { return file_->unfinished(); }
std::uint64_t PartWriter::bytes() const noexcept { return file_->bytes(); }
std::uint64_t PartWriter::triggers() const noexcept { return file_->summary().triggers; }
std::uint64_t PartWriter::pending_beam_states() const noexcept { return file_->pending(); }
std::uint64_t PartWriter::missing_frames() const noexcept { return file_->missing_frames(); }
bool PartWriter::stream_gap_is_open() const noexcept { return file_->stream_gap_is_open(); }
std::int64_t PartWriter::first_time_ps() const noexcept { return file_->summary().first_time_ps; }
const PartSummary& PartWriter::summary() const noexcept { return file_->summary(); }
const std::vector<OperatorNote>& PartWriter::notes() const noexcept { return file_->notes(); }

}  // namespace alleycat
