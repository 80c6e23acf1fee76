#include "daq/store/run_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/rebuild.hpp"

namespace alleycat {
namespace {

/// Parts that wait for the beam states of their rows. Beyond this the oldest is closed with what is known: a beam
/// source that never answers must not keep every part of a run open.
constexpr std::size_t kMostWaitingParts = 4;
/// A journal this many times larger than a part may be starts a new part too: what a restart must replay stays bounded.
constexpr std::uint64_t kJournalOverPart = 8;
constexpr std::chrono::milliseconds kFlushInterval{900};

struct OpenPart {
    PartName name;
    JournalWriter journal;
    std::unique_ptr<PartWriter> writer;
    std::uint64_t last_ordinal = 0;  ///< in its journal
};

/// A run without an end. Its last part is the one being written, those before wait for beam states.
struct OpenRun {
    RunDescription description;
    std::vector<std::byte> start_frame;
    std::vector<CalibrationFrame> calibrations;  ///< in force, and announced
    std::deque<OpenPart> parts;
    Durable appended;
    std::uint64_t triggers = 0;
    std::optional<RunEnd> end;
    std::vector<std::string> gaps;  ///< between its journals, found at the start
};

CatalogueRun row_of(const RunDescription& run, const PartSummary& last) {
    CatalogueRun row;
    row.run = run.run;
    row.profile = run.profile;
    row.software = run.software;
    row.host = run.host;
    row.start_utc_ns = run.start_utc_ns;
    row.end_utc_ns = last.end_utc_ns;
    row.refused = std::max(last.ledger.refused, last.refused_total());
    row.lost_estimated = last.ledger.lost_estimated;
    row.quality = last.quality.flags;
    row.quality_reasons = last.quality.reasons;
    row.test_run = run.test_run;
    return row;
}

CatalogueComment row_of(std::uint64_t run, const OperatorNote& note) {
    return {run, note.utc_ns, note.author, std::string{to_text(note.kind)}, note.text};
}

}  // namespace

class RunWriter::Folder {
  public:
    explicit Folder(StoreConfig config) : config_{std::move(config)} {
        std::error_code error;
        std::filesystem::create_directories(config_.folder, error);
        if (error) throw Error{fmt::format("{}: cannot be made: {}", config_.folder.string(), error.message())};
        lock_ = open_file(config_.folder / "writer.lock", O_RDWR | O_CREAT);
        if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
            throw Error{fmt::format("{}: another writer uses this folder", config_.folder.string())};
        }
        catalogue_ = std::make_unique<Catalogue>(config_.folder, Catalogue::Open::write);
        recover();
    }

    [[nodiscard]] std::optional<Durable> durable() const { return durable_; }
    [[nodiscard]] std::uint64_t late() const noexcept { return late_states_; }

    void append(const FrameView& frame) {
        if (!failure_.empty()) throw Error{failure_};
        if (!run_ || frame.header.run != run_->description.run) {
            if (taken_before(frame)) return;
            begin_run(frame);
            return;
        }
        if (frame.header.ordinal <= run_->appended.ordinal) return;
        check_follows(frame, run_->appended.ordinal);
        read_content(frame, &run_->description, content_);
        check_order(content_, run_->appended.sequence);
        if (content_.kind == FrameKind::trigger && rotation_due(content_.trigger.event)) rotate(frame.header.ordinal);
        OpenPart& part = run_->parts.back();
        part.journal.append(frame.bytes);
        part.last_ordinal = run_->appended.ordinal = frame.header.ordinal;
        if (content_.kind == FrameKind::trigger) {
            run_->appended.sequence = content_.trigger.event.sequence;
            ++run_->triggers;
        }
        if (content_.kind == FrameKind::calibration) {
            run_->calibrations.push_back({content_.calibration, {frame.bytes.begin(), frame.bytes.end()}});
        }
        guarded([&] { part.writer->add(content_); });
        if (content_.kind == FrameKind::beam_states) tell_waiting_parts(frame);
        if (content_.kind == FrameKind::note) catalogue_note(content_.note);
        if (content_.kind == FrameKind::run_end) {
            run_->end = content_.run_end;
            guarded([&] { close_run(); });
        }
    }

    std::optional<Durable> sync() {
        if (!run_) return durable_;
        sync_journals();
        const auto now = std::chrono::steady_clock::now();
        if (failure_.empty() && now - last_flush_ >= kFlushInterval) {
            last_flush_ = now;
            try {  // what is acknowledged stands in the journal, whatever becomes of the part
                guarded([&] {
                    for (OpenPart& part : run_->parts) part.writer->flush();
                });
            } catch (const Error& e) {
                log::store().error("{}", e.what());
            }
        }
        return durable_;
    }

    [[nodiscard]] WriterStatus status() const {
        WriterStatus status;
        status.connected = true;
        status.durable_triggers = durable_triggers_;
        status.disk_free_bytes = free_bytes(config_.folder);
        if (run_) {
            status.file = run_->parts.back().writer->unfinished_file().filename().string();
            status.file_bytes = run_->parts.back().writer->bytes();
        }
        if (!failure_.empty())
            status.problem = failure_;
        else if (status.disk_free_bytes < config_.disk_warning_mb * 1'000'000) {
            status.problem =
                fmt::format("{}: {} MB are free", config_.folder.string(), status.disk_free_bytes / 1'000'000);
        } else if (late_states_ > 0) {
            status.problem = fmt::format("{} beam states came after their part was closed", late_states_);
        }
        return status;
    }

  private:
    /// Does what touches parts. Where it fails the journal still holds everything: the next start makes the part from
    /// it.
    template <class Do>
    void guarded(const Do& action) {
        try {
            action();
        } catch (const Error& e) {
            failure_ = fmt::format(
                "{} (nothing is lost: the journal holds it, and the next start of the writer makes the part again)",
                e.what());
            throw Error{failure_};
        }
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
        if (run_) guarded([&] { close_run(); });
        OpenRun run;
        run.description = *content_.description;
        run.start_frame.assign(frame.bytes.begin(), frame.bytes.end());
        run.appended = {frame.header.run, 0, kNoSequence};
        run.parts.push_back(new_part(run, {frame.header.run, 1}, 0));
        run_ = std::move(run);
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
        if (part.writer->triggers() == 0) return false;
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
        guarded([&] { close_settled_parts(); });
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
            guarded([&] { part.writer->add(content_); });
        }
        const PartSummary& oldest = run_->parts.front().writer->summary();
        if (oldest.first_sequence != kNoSequence) {
            for (const BeamResolution& s : content_.beam_states)
                late_states_ += s.sequence < oldest.first_sequence ? 1 : 0;
        }
        guarded([&] { close_settled_parts(); });
    }

    void close_settled_parts() {
        while (run_->parts.size() > 1 &&
               (run_->parts.front().writer->pending_beam_states() == 0 || run_->parts.size() > kMostWaitingParts + 1)) {
            sync_journals();  // the catalogue must not know of frames that a power cut may still take
            const PartSummary closed = close_part(
                run_->parts.front(),
                {.run_ended = false, .clean = true, .repaired = false, .reason = "part full", .notes = notes()},
                "closed");
            run_->parts.pop_front();
            put_run("running", "", closed);
        }
    }

    /// Closes all parts of the run, which has ended or was interrupted.
    void close_run() {
        sync_journals();
        while (run_->parts.size() > 1) {
            (void)close_part(
                run_->parts.front(),
                {.run_ended = false, .clean = true, .repaired = false, .reason = "part full", .notes = notes()},
                "closed");
            run_->parts.pop_front();
        }
        const std::string reason = run_->end ? run_->end->reason : "interrupted: the run's end never came";
        const PartSummary closed = close_part(run_->parts.front(),
                                              {.run_ended = run_->end.has_value(),
                                               .clean = run_->end && run_->end->clean,
                                               .repaired = false,
                                               .reason = reason,
                                               .notes = notes(),
                                               .missing = what_is_missing(),
                                               .shortcomings = shortcomings()},
                                              run_->end ? "closed" : "interrupted");
        put_run(run_->end ? "ended" : "interrupted", reason, closed);
        // The journal of the last part goes last: until then the run can be told from it.
        remove_journal(run_->parts.front().name);
        run_.reset();
    }

    /// What operators said of the run so far: the catalogue has it from every part.
    [[nodiscard]] std::vector<OperatorNote> notes() const {
        for (const OpenPart& part : run_->parts) {
            for (const OperatorNote& note : part.writer->notes()) catalogue_->put(row_of(run_->description.run, note));
        }
        return catalogue_->notes(run_->description.run);
    }

    /// At once, for those who look while the run goes on; again when a part is closed.
    void catalogue_note(const OperatorNote& note) {
        try {
            catalogue_->put(row_of(run_->description.run, note));
        } catch (const Error& e) {
            log::store().warn("{}: a comment is only in its part so far", e.what());
        }
    }

    [[nodiscard]] std::vector<std::string> what_is_missing() const {
        std::vector<std::string> missing = run_->gaps;
        if (run_->end && run_->end->ledger.recorded != run_->triggers) {
            missing.push_back(fmt::format("its ledger says {} triggers were recorded, its files hold {}",
                                          run_->end->ledger.recorded, run_->triggers));
        }
        return missing;
    }

    [[nodiscard]] std::vector<std::string> shortcomings() const {
        if (late_states_ == 0) return {};
        return {fmt::format("{} beam states came after their part was closed", late_states_)};
    }

    /// What stands in the part then.
    PartSummary close_part(OpenPart& part, const PartEnd& end, const std::string& state) {
        const PartSummary expected = part.writer->summary();
        part.writer->close(end);
        const bool last = &part == &run_->parts.back();
        const std::filesystem::path file = in_folder(closed_name(part.name));
        const AlleycatFile closed{file};
        if (!closed.closed() || closed.triggers() != expected.triggers) {
            throw Error{fmt::format("{}: does not hold what was written into it ({} of {} triggers)", file.string(),
                                    closed.triggers(), expected.triggers)};
        }
        catalogue_part(closed, state);
        if (!last) remove_journal(part.name);
        log::store().info("{}: closed, {} triggers", file.filename().string(), expected.triggers);
        return *closed.summary();
    }

    void catalogue_part(const AlleycatFile& file, const std::string& state) {
        const PartSummary& s = *file.summary();
        catalogue_->put(CataloguePart{file.path().filename().string(), file.run().run, file.part(),
                                      sha256_of(file.path()), std::filesystem::file_size(file.path()), s.first_sequence,
                                      s.last_sequence, s.triggers, s.first_utc_ns, s.last_utc_ns, state});
    }

    /// `last` is of the part closed last.
    void put_run(const std::string& state, const std::string& reason, const PartSummary& last) {
        CatalogueRun row = row_of(run_->description, last);
        row.state = state;
        row.reason = reason;
        row.last_ordinal = run_->appended.ordinal;
        row.last_sequence = run_->appended.sequence;
        row.recorded = run_->triggers;
        catalogue_->put(row);
        catalogue_->judge_anew(row.run);  // by what was said meanwhile
    }

    void remove_journal(const PartName& name) {
        std::filesystem::remove(in_folder(journal_name(name)));
        sync_folder(config_.folder);
    }

    // ---- after a crash

    void recover() {
        std::map<std::uint64_t, std::map<std::uint32_t, std::filesystem::path>> journals;
        for (const auto& entry : std::filesystem::directory_iterator{config_.folder}) {
            const std::optional<PartName> name = parse_part_name(entry.path());
            if (name && entry.path().extension() == ".journal") journals[name->run][name->part] = entry.path();
        }
        const std::optional<CatalogueRun> newest = catalogue_->newest_run();
        if (newest) durable_ = Durable{newest->run, newest->last_ordinal, newest->last_sequence};
        for (const auto& [number, parts] : journals) {
            recover_run(parts);
            if (!run_) continue;
            if (!durable_ || durable_->run <= number) durable_ = run_->appended;
            const bool newer = number != journals.rbegin()->first || (newest && newest->run > number);
            if (run_->end || newer) close_run_keeping_durable();
        }
        if (run_) log::store().info("run {} goes on behind frame {}", run_->description.run, run_->appended.ordinal);
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
            } catch (const Error& e) {
                if (std::filesystem::file_size(path) <=
                    sizeof(JournalHeader)) {  // killed while it was made: nothing was acknowledged
                    std::filesystem::remove(path);
                } else {
                    throw Error{fmt::format("{}; move this journal away to start without it", e.what())};
                }
            }
        }
        if (run.parts.empty()) return;
        run_ = std::move(run);
        for (const CataloguePart& closed : catalogue_->parts(run_->description.run)) run_->triggers += closed.triggers;
        durable_triggers_ = run_->triggers;
        pass_on_beam_states();
    }

    void recover_part(const std::filesystem::path& path, OpenRun& run) {
        const PartName name = *parse_part_name(path);
        RebuiltPart rebuilt = rebuild_part(path, in_folder(closed_name(name)), config_.compression, config_.raw,
                                               config_.compression_threads);
        if (PartName{rebuilt.header.run, rebuilt.header.part} != name) {
            throw Error{fmt::format("{}: says it is of run {}, part {}", path.string(), rebuilt.header.run,
                                    rebuilt.header.part)};
        }
        if (!rebuilt.tear.empty()) log::store().warn("{}; what is before it is used", rebuilt.tear);
        if (rebuilt.frames_behind_the_tear) set_aside_copy(path);
        if (!rebuilt.writer) {
            std::filesystem::remove(path);
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
        if (rebuilt.last_sequence != kNoSequence) run.appended.sequence = rebuilt.last_sequence;
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
            catalogue_part(file, file.summary()->run_ended || file.summary()->clean ? "closed" : "interrupted");
        }
        JournalReader reader{journal};
        Durable last{reader.header().run, 0, file.summary()->last_sequence};
        for (FrameView frame; reader.next(frame);) last.ordinal = frame.header.ordinal;
        if (const auto known = catalogue_->run(last.run); !known || known->last_ordinal < last.ordinal) {
            const bool ended = file.summary()->run_ended, full = file.summary()->clean;
            for (const OperatorNote& note : file.notes()) catalogue_->put(row_of(last.run, note));
            CatalogueRun row = row_of(file.run(), *file.summary());
            row.state = ended ? "ended" : full ? "running" : "interrupted";
            row.reason = file.summary()->end_reason;
            row.last_ordinal = last.ordinal;
            row.last_sequence = last.sequence;
            for (const CataloguePart& part : catalogue_->parts(last.run)) row.recorded += part.triggers;
            catalogue_->put(row);
            catalogue_->judge_anew(row.run);
            if (!durable_ || durable_->run <= last.run) durable_ = last;
        }
        std::filesystem::remove(journal);
        sync_folder(config_.folder);
    }

    void set_aside_copy(const std::filesystem::path& journal) {
        std::filesystem::path copy = journal.string() + ".damaged";
        for (int n = 2; std::filesystem::exists(copy); ++n) copy = fmt::format("{}.damaged{}", journal.string(), n);
        std::filesystem::copy_file(journal, copy);
        log::store().error("{}: whole frames stand behind the damage; a copy is kept as {}", journal.string(),
                           copy.filename().string());
    }

    StoreConfig config_;
    FileDescriptor lock_;
    std::unique_ptr<Catalogue> catalogue_;
    std::optional<OpenRun> run_;
    std::optional<Durable> durable_;
    std::uint64_t durable_triggers_ = 0, late_states_ = 0;
    std::string failure_;
    std::chrono::steady_clock::time_point last_flush_{};
    FrameContent content_;
};

RunWriter::RunWriter(StoreConfig config) : folder_{std::make_unique<Folder>(std::move(config))} {}
RunWriter::~RunWriter() = default;
std::optional<Durable> RunWriter::durable() const { return folder_->durable(); }
void RunWriter::append(const FrameView& frame) { folder_->append(frame); }
std::optional<Durable> RunWriter::sync() { return folder_->sync(); }
void RunWriter::finish() { (void)folder_->sync(); }
WriterStatus RunWriter::status() const { return folder_->status(); }
std::uint64_t RunWriter::late_beam_states() const noexcept { return folder_->late(); }

}  // namespace alleycat
