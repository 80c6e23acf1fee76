#include "daq/store/run_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/disk_room.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/part_closer.hpp"
#include "daq/store/rebuild.hpp"
#include "daq/store/repair.hpp"

namespace alleycat {
namespace {

/// Parts that wait for the beam states of their rows. Beyond this the oldest is closed with what is known: a beam
/// source that never answers must not keep every part of a run open.
constexpr std::size_t kMostWaitingParts = 4;
/// A journal this many times larger than a part may be starts a new part too: what a restart must replay stays bounded.
constexpr std::uint64_t kJournalOverPart = 8;
constexpr std::chrono::milliseconds kFlushInterval{900};
/// The disk is looked at with every sync(), and after so much: at full speed a second is long.
constexpr std::uint64_t kLookAfterBytes = 16'000'000;
constexpr std::size_t kProbeBytes = 1 << 16;

struct OpenPart {
    PartName name;
    JournalWriter journal;
    std::unique_ptr<PartWriter> writer;
    std::uint64_t last_ordinal = 0;  ///< in its journal
};

/// The journal of a part that is being closed: whole and synced.
struct ClosedJournal {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
};

/// A run without an end. Its last part is the one being written, those before wait for beam states.
struct OpenRun {
    RunDescription description;
    std::vector<std::byte> start_frame;
    std::vector<CalibrationFrame> calibrations;  ///< in force, and announced
    std::deque<OpenPart> parts;
    std::deque<ClosedJournal> closing;  ///< of the parts before those, until the catalogue knows them
    Durable appended;
    std::uint64_t triggers = 0;
    std::uint64_t missing_frames = 0, lost_in_stream = 0;  ///< frames, and triggers in them, of closed parts
    std::optional<RunEnd> end;
    std::vector<std::string> gaps;  ///< between its journals, found at the start
};

}  // namespace

/// What was synced of each journal when the disk refused: the rest is in memory at best.
using TrustedBytes = std::map<std::filesystem::path, std::uint64_t>;

/// The folder while the disk takes everything. After a DiskError it is of no use any more.
class RunWriter::Folder {
  public:
    Folder(const StoreConfig& config, const TrustedBytes& trusted) : config_{config}, trusted_{trusted} {
        open_catalogue();
        name_orphans();
        recover();
    }

    [[nodiscard]] std::optional<Durable> durable() const { return durable_; }
    [[nodiscard]] std::uint64_t durable_triggers() const noexcept { return durable_triggers_; }
    [[nodiscard]] std::uint64_t late() const noexcept { return late_states_; }
    /// Of the run that is written.
    [[nodiscard]] std::uint64_t missing_frames() const noexcept {
        if (!run_) return 0;
        std::uint64_t frames = run_->missing_frames;
        for (const OpenPart& part : run_->parts) frames += part.writer->missing_frames();
        return frames;
    }

    void append(const FrameView& frame) {
        if (!run_ || frame.header.run != run_->description.run) {
            if (taken_before(frame)) return;
            begin_run(frame);
            return;
        }
        if (frame.header.ordinal <= run_->appended.ordinal) return;
        read_content(frame, &run_->description, content_);
        check_order(content_, run_->appended.sequence);
        on_disk([&] {
            if (frame.header.ordinal > run_->appended.ordinal + 1) store_gap(frame.header.ordinal - 1);
            store(frame);
        });
    }

    std::optional<Durable> sync() {
        if (!run_) return durable_;
        on_disk([&] {
            sync_journals();
            note_closed_parts();
            const auto now = std::chrono::steady_clock::now();
            if (now - last_flush_ < kFlushInterval) return;
            last_flush_ = now;
            for (OpenPart& part : run_->parts) part.writer->flush();
        });
        return durable_;
    }

    /// Also while nothing is taken: they may make the room that is waited for.
    void settle_closed_parts() {
        on_disk([&] { note_closed_parts(); });
    }

    void finish() {
        (void)sync();
        on_disk([&] { wait_for_closing_parts(); });
    }

    [[nodiscard]] TrustedBytes synced_journals() const {
        TrustedBytes bytes;
        if (!run_) return bytes;
        for (const OpenPart& part : run_->parts) bytes[part.journal.path()] = part.journal.synced_bytes();
        for (const ClosedJournal& journal : run_->closing) bytes[journal.path] = journal.bytes;
        return bytes;
    }

    void describe(WriterStatus& status) const {
        if (!run_) return;
        status.file = run_->parts.back().writer->unfinished_file().filename().string();
        status.file_bytes = run_->parts.back().writer->bytes();
        for (const OpenPart& part : run_->parts) status.journal_bytes += part.journal.bytes();
        for (const ClosedJournal& journal : run_->closing) status.journal_bytes += journal.bytes;
    }

  private:
    /// Does what changes the disk. Whatever fails there is the disk's failure: journals hold what parts did not take.
    template <class Do>
    static void on_disk(const Do& action) {
        try {
            action();
        } catch (const DiskError&) {
            throw;
        } catch (const std::exception& e) {
            throw DiskError{e.what(), EIO};
        }
    }

    /// A frame of the run that was checked; its content is in content_.
    void store(const FrameView& frame) {
        if (content_.kind == FrameKind::trigger && rotation_due(content_.trigger.event)) rotate(frame.header.ordinal);
        OpenPart& part = run_->parts.back();
        part.journal.append(frame.bytes);
        part.last_ordinal = run_->appended.ordinal = frame.header.ordinal;
        if (content_.kind == FrameKind::trigger) {
            run_->appended.sequence = content_.trigger.event.sequence;
            run_->appended.utc_ns = content_.trigger.event.utc_ns;
            ++run_->triggers;
        }
        if (content_.kind == FrameKind::calibration) {
            run_->calibrations.push_back({content_.calibration, {frame.bytes.begin(), frame.bytes.end()}});
        }
        part.writer->add(content_);
        if (content_.kind == FrameKind::beam_states) tell_waiting_parts(frame);
        if (content_.kind == FrameKind::note) catalogue_note(content_.note);
        if (content_.kind == FrameKind::run_end) {
            run_->end = content_.run_end;
            close_run();
        }
    }

    /// Frames up to `last` are missing: the daemon does not have them whole. A gap in their place says so in the
    /// journal; the part names the triggers when the next one comes.
    void store_gap(std::uint64_t last) {
        const std::uint64_t run = run_->description.run, first = run_->appended.ordinal + 1;
        log::store().error("run {}: frames {} to {} did not come whole: the run goes on with a gap", run, first, last);
        Gap gap;
        gap.previous_run = run;
        gap.lost_estimated = last - first + 1;  // frames
        const std::vector<std::byte> bytes = encode_gap(run, last, gap);
        FrameView frame;
        if (read_frame(bytes, frame) != FrameError::none)
            throw Error{fmt::format("run {}: a frame is damaged in memory", run)};
        FrameContent content;
        read_content(frame, &run_->description, content);
        OpenPart& part = run_->parts.back();
        part.journal.append(frame.bytes);
        part.last_ordinal = run_->appended.ordinal = last;
        part.writer->add(content);
    }

    void sync_journals() {
        for (OpenPart& part : run_->parts) part.journal.sync();
        durable_ = run_->appended;
        durable_triggers_ = run_->triggers;
    }

    [[nodiscard]] std::filesystem::path in_folder(const std::string& name) const { return config_.folder / name; }

    /// A frame of a run that is over: true when it is on the disk already. Throws when it can no longer be added.
    bool taken_before(const FrameView& frame) {
        const std::optional<CatalogueRun> known = catalogue_->run(frame.header.run);
        if (!known) return false;
        if (frame.header.ordinal <= known->last_ordinal) return true;
        throw Error{fmt::format("run {}: was closed ({}) after frame {}, frame {} cannot be added", frame.header.run,
                                known->reason, known->last_ordinal, frame.header.ordinal)};
    }

    void begin_run(const FrameView& frame) {
        check_follows(frame, std::nullopt);
        read_content(frame, nullptr, content_);
        on_disk([&] {
            if (run_) close_run();
            OpenRun run;
            run.description = *content_.description;
            run.start_frame.assign(frame.bytes.begin(), frame.bytes.end());
            run.appended = {frame.header.run, 0, kNoSequence};
            run.parts.push_back(new_part(run, {frame.header.run, 1}, 0));
            run_ = std::move(run);
        });
        late_states_ = 0;
    }

    /// Makes journal and part; the journal's first frames (run_start, calibrations) are durable when this returns.
    OpenPart new_part(const OpenRun& run, PartName name, std::uint64_t first_ordinal) {
        while (std::filesystem::exists(in_folder(closed_name(name))) ||
               std::filesystem::exists(in_folder(unfinished_name(name))) ||
               std::filesystem::exists(in_folder(journal_name(name)))) {
            ++name.part;
        }
        try {
            return make_part(run, name, first_ordinal);
        } catch (...) {  // the frame that asked for it was not taken and may come again
            std::error_code ignored;
            std::filesystem::remove(in_folder(journal_name(name)), ignored);
            throw;
        }
    }

    OpenPart make_part(const OpenRun& run, const PartName& name, std::uint64_t first_ordinal) {
        JournalWriter journal = JournalWriter::create(in_folder(journal_name(name)), name, first_ordinal);
        journal.append(run.start_frame);
        for (const CalibrationFrame& c : run.calibrations) journal.append(c.frame);
        journal.sync();
        FrameView start;
        if (read_frame(run.start_frame, start) != FrameError::none)
            throw Error{fmt::format("run {}: its first frame is damaged in memory", name.run)};
        OpenPart part{name, std::move(journal),
                      std::make_unique<PartWriter>(in_folder(closed_name(name)), start, name.part, config_.compression,
                                                   config_.raw, config_.compression_threads),
                      first_ordinal};
        FrameContent content;
        for (const CalibrationFrame& c : run.calibrations) {
            FrameView view;
            if (read_frame(c.frame, view) != FrameError::none) continue;  // it is a copy of a frame that was checked
            read_content(view, &run.description, content);
            part.writer->add(content);
        }
        return part;
    }

    [[nodiscard]] bool rotation_due(const Event& event) const {
        const OpenPart& part = run_->parts.back();
        if (part.writer->triggers() == 0 || part.writer->stream_gap_is_open()) return false;
        const std::uint64_t limit = config_.part_size_mb * 1'000'000;
        const auto minutes =
            std::chrono::duration_cast<std::chrono::duration<std::int64_t, std::pico>>(config_.part_minutes).count();
        return part.writer->bytes() >= limit || part.journal.bytes() >= kJournalOverPart * limit ||
               event.time_ps - part.writer->first_time_ps() >= minutes;
    }

    void rotate(std::uint64_t first_ordinal) {
        run_->parts.back().journal.sync();  // a journal never begins before the one it follows is whole
        prune_calibrations();
        run_->parts.push_back(
            new_part(*run_, {run_->description.run, run_->parts.back().name.part + 1}, first_ordinal));
        close_settled_parts();
    }

    /// Of the calibrations only those in force (one per detector) and those announced are of use to the next part.
    void prune_calibrations() {
        auto& all = run_->calibrations;
        const auto applies = [&](const CalibrationFrame& c) {
            return c.calibration.from_sequence <= run_->appended.sequence;
        };
        for (auto c = all.begin(); c != all.end();) {
            const bool superseded = applies(*c) && std::any_of(std::next(c), all.end(), [&](const CalibrationFrame& o) {
                                        return applies(o) && o.calibration.detector == c->calibration.detector;
                                    });
            c = superseded ? all.erase(c) : std::next(c);
        }
    }

    void tell_waiting_parts(const FrameView& frame) {
        for (std::size_t i = 0; i + 1 < run_->parts.size(); ++i) {
            OpenPart& part = run_->parts[i];
            const std::uint64_t last = part.writer->summary().last_sequence;
            const bool concerned = std::any_of(content_.beam_states.begin(), content_.beam_states.end(),
                                               [&](const BeamResolution& s) { return s.sequence <= last; });
            if (!concerned || frame.header.ordinal <= part.last_ordinal) continue;
            part.journal.append(frame.bytes);
            part.last_ordinal = frame.header.ordinal;
            part.writer->add(content_);
        }
        const PartSummary& oldest = run_->parts.front().writer->summary();
        if (oldest.first_sequence != kNoSequence) {
            for (const BeamResolution& s : content_.beam_states)
                late_states_ += s.sequence < oldest.first_sequence ? 1 : 0;
        }
        close_settled_parts();
    }

    void close_settled_parts() {
        while (run_->parts.size() > 1 &&
               (run_->parts.front().writer->pending_beam_states() == 0 || run_->parts.size() > kMostWaitingParts + 1)) {
            begin_to_close_oldest();
        }
    }

    /// In a thread of its own; with too many under way, waits for the oldest of them.
    void begin_to_close_oldest() {
        OpenPart& part = run_->parts.front();
        part.journal.sync();
        if (!closer_.room()) note_closed(closer_.wait());
        PartEnd end{.run_ended = false, .clean = true, .repaired = false, .reason = "part full", .notes = notes()};
        run_->missing_frames += part.writer->missing_frames();
        run_->lost_in_stream += part.writer->summary().lost_in_stream;
        run_->closing.push_back({part.journal.path(), part.journal.bytes()});
        closer_.close({.writer = std::move(part.writer), .end = std::move(end), .state = "closed"});
        run_->parts.pop_front();
    }

    void note_closed_parts() {
        while (const std::optional<ClosedPart> closed = closer_.take()) note_closed(*closed);
    }

    void wait_for_closing_parts() {
        while (!closer_.empty()) note_closed(closer_.wait());
    }

    void note_closed(const ClosedPart& closed) {
        sync_journals();  // the catalogue must not know of frames that a power cut may still take
        catalogue_->put(closed.row);
        put_run("running", "", closed.summary);
        remove_journal(run_->closing.front().path);
        run_->closing.pop_front();
    }

    /// Closes all parts of the run, which has ended or was interrupted.
    void close_run() {
        sync_journals();
        while (run_->parts.size() > 1) begin_to_close_oldest();
        wait_for_closing_parts();
        const std::string reason = run_->end ? run_->end->reason : "interrupted: the run's end never came";
        PartEnd end{.run_ended = run_->end.has_value(),
                    .clean = run_->end && run_->end->clean,
                    .repaired = false,
                    .reason = reason,
                    .notes = notes(),
                    .missing = what_is_missing(),
                    .shortcomings = shortcomings()};
        OpenPart& last = run_->parts.front();
        ClosingPart part{
            .writer = std::move(last.writer), .end = std::move(end), .state = run_->end ? "closed" : "interrupted"};
        const ClosedPart closed = close_now(part);
        catalogue_->put(closed.row);
        put_run(run_->end ? "ended" : "interrupted", reason, closed.summary);
        // The journal of the last part goes last: until then the run can be told from it.
        remove_journal(last.journal.path());
        run_.reset();
    }

    /// What operators said of the run so far: the catalogue has it from every part.
    [[nodiscard]] std::vector<OperatorNote> notes() const {
        for (const OpenPart& part : run_->parts) {
            for (const OperatorNote& note : part.writer->notes())
                catalogue_->put(comment_row(run_->description.run, note));
        }
        return catalogue_->notes(run_->description.run);
    }

    /// At once, for those who look while the run goes on; again when a part is closed.
    void catalogue_note(const OperatorNote& note) {
        try {
            catalogue_->put(comment_row(run_->description.run, note));
        } catch (const Error& e) {
            log::store().warn("{}: a comment is only in its part so far", e.what());
        }
    }

    [[nodiscard]] std::vector<std::string> what_is_missing() const {
        std::vector<std::string> missing = run_->gaps;
        const PartWriter& last = *run_->parts.back().writer;
        const std::uint64_t lost = run_->lost_in_stream + last.summary().lost_in_stream;
        const std::uint64_t recorded = run_->end ? run_->end->ledger.recorded : run_->triggers;
        if (recorded < run_->triggers || recorded - run_->triggers > lost) {
            missing.push_back(fmt::format("its ledger says {} triggers were recorded, its files hold {}",
                                          run_->end->ledger.recorded, run_->triggers));
        }
        return missing;
    }

    [[nodiscard]] std::vector<std::string> shortcomings() const {
        std::vector<std::string> sentences;
        if (late_states_ > 0)
            sentences.push_back(fmt::format("{} beam states came after their part was closed", late_states_));
        if (const std::uint64_t frames = missing_frames(); frames > 0) {
            const std::uint64_t lost = run_->lost_in_stream + run_->parts.back().writer->summary().lost_in_stream;
            sentences.push_back(fmt::format(
                "{} frame(s) of its data stream are missing, and {} trigger(s) in them are lost", frames, lost));
        }
        return sentences;
    }

    /// `last` is of the part closed last.
    void put_run(const std::string& state, const std::string& reason, const PartSummary& last) {
        CatalogueRun row = run_row(run_->description, last);
        row.state = state;
        row.reason = reason;
        row.last_ordinal = run_->appended.ordinal;
        row.last_sequence = run_->appended.sequence;
        row.recorded = run_->triggers;
        catalogue_->put(row);
        catalogue_->judge_anew(row.run);  // by what was said meanwhile
    }

    void remove_journal(const std::filesystem::path& path) {
        remove_file(path);
        sync_folder(config_.folder);
    }

    // ---- after a crash

    /// A catalogue that is lost or damaged is made again from the parts, one that lacks some is completed.
    void open_catalogue() {
        CatalogueNews news;
        catalogue_ = alleycat::open_catalogue(config_.folder, news);
        complete_catalogue(config_.folder, *catalogue_, news);
        for (const std::string& sentence : news) log::store().warn("{}", sentence);
    }

    /// Unfinished parts without a journal: nothing here can go on with them, and nobody else will say so.
    void name_orphans() {
        for (const auto& entry : std::filesystem::directory_iterator{config_.folder}) {
            if (!entry.path().string().ends_with(".h5.part") || !parse_part_name(entry.path())) continue;
            if (!has_journal(entry.path())) {
                log::store().error(
                    "{}: was cut short and its journal is gone: `alleycat verify --repair` saves what can "
                    "be read",
                    entry.path().string());
            }
        }
    }

    void recover() {
        std::map<std::uint64_t, std::map<std::uint32_t, std::filesystem::path>> journals;
        for (const auto& entry : std::filesystem::directory_iterator{config_.folder}) {
            const std::optional<PartName> name = parse_part_name(entry.path());
            if (name && entry.path().extension() == ".journal") journals[name->run][name->part] = entry.path();
        }
        const std::optional<CatalogueRun> newest = catalogue_->newest_run();
        if (newest) durable_ = known_of(*newest);
        for (const auto& [number, parts] : journals) {
            recover_run(parts);
            if (!run_) continue;
            if (!durable_ || durable_->run <= number) durable_ = run_->appended;
            const bool newer = number != journals.rbegin()->first || (newest && newest->run > number);
            if (run_->end || newer) close_run_keeping_durable();
        }
        if (run_) log::store().info("run {} goes on behind frame {}", run_->description.run, run_->appended.ordinal);
    }

    /// The time of a run's last trigger stands with the part that holds it.
    [[nodiscard]] Durable known_of(const CatalogueRun& run) const {
        Durable known{run.run, run.last_ordinal, run.last_sequence};
        for (const CataloguePart& part : catalogue_->parts(run.run)) {
            if (part.last_sequence == run.last_sequence) known.utc_ns = part.end_utc_ns;
        }
        return known;
    }

    /// close_run() as it is, but an older run than the newest does not become what durable() says.
    void close_run_keeping_durable() {
        const std::optional<Durable> keep = durable_;
        close_run();
        durable_ = keep;
    }

    void recover_run(const std::map<std::uint32_t, std::filesystem::path>& journals) {
        OpenRun run;
        for (const auto& [part, path] : journals) {
            if (std::filesystem::exists(path.parent_path() / closed_name(*parse_part_name(path)))) {
                finish_closed(path);
                continue;
            }
            try {
                recover_part(path, run);
            } catch (const DiskError&) {
                throw;
            } catch (const Error& e) {
                if (std::filesystem::file_size(path) <=
                    sizeof(JournalHeader)) {  // killed while it was made: nothing was acknowledged
                    remove_file(path);
                } else {
                    throw Error{fmt::format("{}; move this journal away to start without it", e.what())};
                }
            }
        }
        if (run.parts.empty()) return;
        run_ = std::move(run);
        for (const CataloguePart& closed : catalogue_->parts(run_->description.run)) {
            run_->triggers += closed.triggers;
            recall_gaps(in_folder(closed.file));
        }
        durable_triggers_ = run_->triggers;
        pass_on_beam_states();
    }

    /// What a closed part of the run says of its data stream.
    void recall_gaps(const std::filesystem::path& file) {
        if (!std::filesystem::exists(file)) return;  // archived elsewhere
        for (const StreamGap& gap : AlleycatFile{file}.stream_gaps()) {
            run_->missing_frames += gap.frames;
            run_->lost_in_stream += gap.triggers;
        }
    }

    void recover_part(const std::filesystem::path& path, OpenRun& run) {
        const PartName name = *parse_part_name(path);
        RebuiltPart rebuilt = rebuild_part(path, in_folder(closed_name(name)), config_.compression, config_.raw,
                                           config_.compression_threads, trusted_bytes(path));
        if (PartName{rebuilt.header.run, rebuilt.header.part} != name) {
            throw Error{fmt::format("{}: says it is of run {}, part {}", path.string(), rebuilt.header.run,
                                    rebuilt.header.part)};
        }
        if (!rebuilt.tear.empty()) log::store().warn("{}; what is before it is used", rebuilt.tear);
        if (rebuilt.frames_behind_the_tear) set_aside_copy(path);
        if (!rebuilt.writer) {
            remove_file(path);
            return;
        }
        if (!run.parts.empty() && rebuilt.header.first_ordinal > run.appended.ordinal + 1) {
            run.gaps.push_back(fmt::format("frames {} to {} are missing between parts {} and {}",
                                           run.appended.ordinal + 1, rebuilt.header.first_ordinal - 1,
                                           run.parts.back().name.part, name.part));
            log::store().error("run {}: {}", name.run, run.gaps.back());
        }
        if (run.parts.empty()) {
            run.description = rebuilt.writer->run();
            run.start_frame = rebuilt.start_frame;
            run.appended = {name.run, rebuilt.last_ordinal, kNoSequence};
            if (const auto known = catalogue_->run(name.run)) run.appended.sequence = known->last_sequence;
        }
        for (CalibrationFrame& c : rebuilt.calibrations) {
            const auto same = [&](const CalibrationFrame& other) { return other.frame == c.frame; };
            if (std::none_of(run.calibrations.begin(), run.calibrations.end(), same))
                run.calibrations.push_back(std::move(c));
        }
        // An older part's journal may hold beam states that its run's newest journal lost: the newest decides.
        run.appended.ordinal = rebuilt.last_ordinal;
        if (rebuilt.last_sequence != kNoSequence) {
            run.appended.sequence = rebuilt.last_sequence;
            run.appended.utc_ns = rebuilt.writer->summary().last_utc_ns;
        }
        run.triggers += rebuilt.writer->triggers();
        run.end = rebuilt.end;
        run.parts.push_back(
            {name, JournalWriter::reopen(path, rebuilt.whole_bytes), std::move(rebuilt.writer), rebuilt.last_ordinal});
        log::store().info("{}: rebuilt from its journal, {} triggers", unfinished_name(name),
                          run.parts.back().writer->triggers());
    }

    /// Beam states that reached the newest journal but not that of the part they concern.
    void pass_on_beam_states() {
        for (std::size_t newer = 1; newer < run_->parts.size(); ++newer) {
            JournalReader reader{run_->parts[newer].journal.path()};
            for (FrameView frame; reader.next(frame);) {
                if (frame.header.kind != FrameKind::beam_states || frame.header.ordinal < reader.header().first_ordinal)
                    continue;
                read_content(frame, &run_->description, content_);
                for (std::size_t older = 0; older < newer; ++older) {
                    OpenPart& part = run_->parts[older];
                    if (frame.header.ordinal <= part.last_ordinal) continue;
                    part.journal.append(frame.bytes);
                    part.last_ordinal = frame.header.ordinal;
                    part.writer->add(content_);
                }
            }
        }
        for (OpenPart& part : run_->parts) part.journal.sync();
        close_settled_parts();
    }

    /// A part that was closed in the moment before the crash: its journal is no longer needed.
    void finish_closed(const std::filesystem::path& journal) {
        const std::filesystem::path path = in_folder(closed_name(*parse_part_name(journal)));
        const AlleycatFile file{path};
        if (!file.closed())
            throw Error{fmt::format(
                "{}: was not closed in order, yet its journal is there: `alleycat verify --repair` it", path.string())};
        if (!catalogue_->part(path.filename().string())) {
            catalogue_->put(part_row(file, sha256_of(path),
                                     file.summary()->run_ended || file.summary()->clean ? "closed" : "interrupted"));
        }
        JournalReader reader{journal};
        Durable last{reader.header().run, 0, file.summary()->last_sequence, file.summary()->last_utc_ns};
        std::uint64_t triggers = 0;
        for (FrameView frame; reader.next(frame);) {
            last.ordinal = frame.header.ordinal;
            triggers += frame.header.kind == FrameKind::trigger ? 1 : 0;
        }
        if (const auto known = catalogue_->run(last.run); !known || known->last_ordinal < last.ordinal) {
            for (const OperatorNote& note : file.notes()) catalogue_->put(comment_row(last.run, note));
            replace_run_row(*catalogue_, file, last.ordinal);
            if (!durable_ || durable_->run <= last.run) durable_ = last;
        }
        if (reader.complete() && triggers == file.triggers()) {
            remove_file(journal);
        } else {  // it says something else than the file: somebody must look at both
            const std::filesystem::path aside = name_aside(journal);
            rename_new(journal, aside);
            log::store().error("{}: holds {} triggers{}, {} holds {}: kept as {}", journal.string(), triggers,
                               reader.complete() ? "" : " before its damage", path.filename().string(), file.triggers(),
                               aside.filename().string());
        }
        sync_folder(config_.folder);
    }

    [[nodiscard]] std::uint64_t trusted_bytes(const std::filesystem::path& journal) const {
        const auto known = trusted_.find(journal);
        return known == trusted_.end() ? JournalReader::kWhole : known->second;
    }

    void set_aside_copy(const std::filesystem::path& journal) {
        const std::filesystem::path copy = name_aside(journal);
        std::filesystem::copy_file(journal, copy);
        log::store().error("{}: whole frames stand behind the damage; a copy is kept as {}", journal.string(),
                           copy.filename().string());
    }

    StoreConfig config_;
    TrustedBytes trusted_;
    std::unique_ptr<Catalogue> catalogue_;
    std::optional<OpenRun> run_;
    std::optional<Durable> durable_;
    std::uint64_t durable_triggers_ = 0, late_states_ = 0;
    std::chrono::steady_clock::time_point last_flush_{};
    FrameContent content_;
    PartCloser closer_;  // last: its thread uses what stands above
};

/// The folder while the disk takes what it is given; while it does not, why, and when it is tried again.
class RunWriter::Session {
  public:
    explicit Session(StoreConfig config) : config_{std::move(config)}, room_{config_} {
        std::error_code error;
        std::filesystem::create_directories(config_.folder, error);
        if (error) throw Error{fmt::format("{}: cannot be made: {}", config_.folder.string(), error.message())};
        take_folder(O_CREAT);
        try {
            if (has_room())
                open_folder();
            else
                stop_for_space();
        } catch (const DiskError& e) {
            give_up(e);
        }
    }

    [[nodiscard]] bool ready() {
        if (problem_.empty()) return true;
        const auto now = std::chrono::steady_clock::now();
        if (now < next_try_) return false;
        next_try_ = now + config_.retry_interval;
        try {
            if (folder_) folder_->settle_closed_parts();
        } catch (const DiskError& e) {
            give_up(e);
            return false;
        }
        if (!has_room()) {
            stop_for_space();
            return false;
        }
        try {
            if (!folder_) {
                take_folder(0);
                try_disk();
                open_folder();
            }
        } catch (const DiskError& e) {
            give_up(e);
            return false;
        } catch (const std::exception& e) {  // it was readable when this writer started
            give_up(DiskError{e.what(), EIO});
            return false;
        }
        log::store().info("{}: is written again", config_.folder.string());
        state_ = WriterState::writing;
        problem_.clear();
        return true;
    }

    void append(const FrameView& frame) {
        must_be_open();
        refusable([&] { folder_->append(frame); });
        since_look_ += frame.bytes.size();
        if (since_look_ >= kLookAfterBytes) (void)look_at_room();
    }

    std::optional<Durable> sync() {
        must_be_open();
        refusable([&] { durable_ = folder_->sync(); });
        (void)look_at_room();
        return durable_;
    }

    void finish() {
        if (problem_.empty()) refusable([&] { folder_->finish(); });
    }

    [[nodiscard]] std::optional<Durable> durable() const { return folder_ ? folder_->durable() : durable_; }
    [[nodiscard]] std::uint64_t late() const noexcept { return folder_ ? folder_->late() : 0; }

    [[nodiscard]] WriterStatus status() const {
        WriterStatus status;
        status.connected = true;
        status.state = state_;
        status.durable_triggers = folder_ ? folder_->durable_triggers() : durable_triggers_;
        status.disk_free_bytes = free_bytes(config_.folder).value_or(0);
        status.disk_stop_bytes = room_.stop_bytes();
        if (folder_) folder_->describe(status);
        if (!problem_.empty()) {
            status.problem = problem_;
        } else if (room_.verdict() == DiskRoom::Verdict::low) {
            status.state = WriterState::disk_low;
            status.problem = fmt::format("{}: {} MB are free, a warning is due below {} MB", config_.folder.string(),
                                         status.disk_free_bytes / 1'000'000, config_.disk_warning_mb);
        } else if (const std::uint64_t frames = folder_ ? folder_->missing_frames() : 0; frames > 0) {
            status.problem = fmt::format("{} frame(s) of the data stream are missing: the run has a gap", frames);
        } else if (late() > 0) {
            status.problem = fmt::format("{} beam states came after their part was closed", late());
        }
        return status;
    }

  private:
    void open_folder() {
        folder_ = std::make_unique<Folder>(config_, trusted_);
        trusted_.clear();
        durable_ = folder_->durable();
    }

    /// Of an old folder the lock must be there: else this is the empty place where a disk was mounted.
    void take_folder(int create) {
        const std::filesystem::path file = config_.folder / "writer.lock";
        try {
            lock_ = open_file(file, O_RDWR | create);
        } catch (const DiskError& e) {
            if (e.system_error() != ENOENT) throw;
            throw DiskError{fmt::format("{}: is not there any more: is the disk mounted?", file.string()), ENOENT};
        }
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
            lock_ = FileDescriptor{};
            throw Error{fmt::format("{}: another writer uses this folder", config_.folder.string())};
        }
    }

    /// A recovery takes long and writes much: not before the disk has taken a little.
    void try_disk() const {
        const std::filesystem::path file = config_.folder / "writer.probe";
        const std::vector<std::byte> zeros(kProbeBytes);
        {
            const FileDescriptor probe = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
            write_at(probe, zeros, 0, file);
            sync_data(probe, file);
        }
        remove_file(file);
    }

    void must_be_open() const {
        if (!problem_.empty()) throw DiskRefused{problem_};
    }

    template <class Do>
    void refusable(const Do& action) {
        try {
            action();
        } catch (const DiskError& e) {
            give_up(e);
            throw DiskRefused{problem_};
        }
    }

    /// Nothing that stands open is trusted any more, but what was synced. Nothing stays open, not even the lock: the
    /// disk can be unmounted, mended and mounted again meanwhile.
    void give_up(const DiskError& e) {
        if (folder_) {
            durable_ = folder_->durable();
            durable_triggers_ = folder_->durable_triggers();
            trusted_ = folder_->synced_journals();
            folder_.reset();
        }
        lock_ = FileDescriptor{};
        if (e.disk_full()) room_.refused();
        hold(e.disk_full() ? WriterState::stopped_disk_full : WriterState::failed,
             fmt::format("{} (what was acknowledged is safe; the disk is tried again every {:g} s)", e.what(),
                         std::chrono::duration<double>{config_.retry_interval}.count()));
    }

    [[nodiscard]] bool has_room() {
        since_look_ = 0;
        return room_.look(free_bytes(config_.folder)) != DiskRoom::Verdict::full;
    }

    /// Before the disk is full: everything is synced and stays as it is, open, until there is room again.
    bool look_at_room() {
        if (has_room()) return true;
        refusable([&] { durable_ = folder_->sync(); });
        stop_for_space();
        return false;
    }

    void stop_for_space() {
        hold(WriterState::stopped_disk_full,
             fmt::format("{}: fewer than {} MB are free (disk_stop_mb): nothing is written until {} MB are",
                         config_.folder.string(), config_.disk_stop_mb, room_.resume_bytes() / 1'000'000));
    }

    void hold(WriterState state, std::string problem) {
        next_try_ = std::chrono::steady_clock::now() + config_.retry_interval;
        if (problem != problem_) log::store().error("{}", problem);  // said once, not at every try
        state_ = state;
        problem_ = std::move(problem);
    }

    StoreConfig config_;
    DiskRoom room_;
    FileDescriptor lock_;
    std::unique_ptr<Folder> folder_;  ///< nullptr: after a failure, until the next try
    TrustedBytes trusted_;
    std::optional<Durable> durable_;
    std::uint64_t durable_triggers_ = 0, since_look_ = 0;
    WriterState state_ = WriterState::writing;
    std::string problem_;  ///< why nothing is taken; "": it is
    std::chrono::steady_clock::time_point next_try_{};
};

RunWriter::RunWriter(StoreConfig config) : session_{std::make_unique<Session>(std::move(config))} {}
RunWriter::~RunWriter() = default;
bool RunWriter::ready() { return session_->ready(); }
std::optional<Durable> RunWriter::durable() const { return session_->durable(); }
void RunWriter::append(const FrameView& frame) { session_->append(frame); }
std::optional<Durable> RunWriter::sync() { return session_->sync(); }
void RunWriter::finish() { session_->finish(); }
WriterStatus RunWriter::status() const { return session_->status(); }
std::uint64_t RunWriter::late_beam_states() const noexcept { return session_->late(); }

}  // namespace alleycat
