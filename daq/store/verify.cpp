#include "daq/store/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/journal.hpp"
#include "daq/store/rebuild.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kMostSentences = 20;  // of one kind; the rest is counted
constexpr std::uint64_t kBlockBytes = 1 << 22;

/// Sequence numbers from `first` to `last`, and whether they are rows or refused.
struct Range {
    std::uint64_t first = 0, last = 0;
    bool refused = false;
};

std::string text_of(std::uint64_t first, std::uint64_t last) {
    return first == last ? fmt::format("trigger {}", first) : fmt::format("triggers {} to {}", first, last);
}

/// Problems of one file; many of a kind become one sentence.
class Problems {
  public:
    explicit Problems(std::vector<std::string>& into) : into_{&into} {}
    void add(std::string sentence) {
        if (++count_ <= kMostSentences) into_->push_back(std::move(sentence));
    }
    ~Problems() {
        if (count_ > kMostSentences) into_->push_back(fmt::format("and {} more of this kind", count_ - kMostSentences));
    }
    Problems(const Problems&) = delete;
    Problems& operator=(const Problems&) = delete;

  private:
    std::vector<std::string>* into_;
    std::size_t count_ = 0;
};

/// Every sequence number between the first and the last range once, and only once.
void check_coverage(std::vector<Range>& ranges, std::vector<std::string>& problems) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    Problems gaps{problems};
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        const Range& a = ranges[i - 1];
        Range& b = ranges[i];
        if (b.first > a.last + 1)
            gaps.add(fmt::format("{} missing: neither recorded nor refused",
                                 text_of(a.last + 1, b.first - 1) + (b.first - 1 == a.last + 1 ? " is" : " are")));
        if (b.first <= a.last) {
            gaps.add(fmt::format(
                "{} there twice{}",
                text_of(b.first, std::min(a.last, b.last)) + (b.first == std::min(a.last, b.last) ? " is" : " are"),
                a.refused != b.refused ? ": recorded and refused" : ""));
            b.last = std::max(b.last, a.last);
        }
    }
}

class PartCheck {
  public:
    PartCheck(const AlleycatFile& file, VerifyReport::File& report)
        : file_{file}, id_{file.hdf5_id()}, report_{report} {}

    /// Ranges of sequence numbers that the part accounts for.
    std::vector<Range> run() {
        read_everything();
        check_lengths();
        check_rows();
        check_windows();
        check_raw();
        check_summary();
        std::vector<Range> all = ranges_;
        check_coverage(all, report_.problems);
        return all;
    }

  private:
    void problem(std::string sentence) { report_.problems.push_back(std::move(sentence)); }

    /// Does `action`; what cannot be read is a problem and not the end.
    template <class Do>
    void attempt(const Do& action) {
        try {
            action();
        } catch (const Error& e) {
            std::string_view what{e.what()};
            const std::string prefix = file_.path().string() + ": ";
            if (what.starts_with(prefix)) what.remove_prefix(prefix.size());
            problem(std::string{what});
        }
    }

    /// Reads every dataset from its first to its last byte, through its checksums.
    void read_everything() {
        std::vector<std::string> datasets;
        const auto collect = [](hid_t, const char* name, const H5O_info_t* object, void* into) -> herr_t {
            if (object->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(into)->emplace_back(name);
            return 0;
        };
        attempt([&] {
            h5::check(H5Ovisit2(id_, H5_INDEX_NAME, H5_ITER_INC, collect, &datasets, H5O_INFO_BASIC),
                      "its groups cannot be walked through");
        });
        for (const std::string& path : datasets) attempt([&] { read_dataset(path); });
    }

    void read_dataset(const std::string& path) {
        const h5::Handle dataset{h5::check(H5Dopen2(id_, path.c_str(), H5P_DEFAULT), "/" + path + " cannot be opened")};
        const h5::Handle type{H5Dget_type(dataset.get())};
        const h5::Handle space{H5Dget_space(dataset.get())};
        std::array<hsize_t, H5S_MAX_RANK> size{}, chunk{};
        const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
        if (rank < 1 || H5Tget_class(type.get()) == H5T_STRING) return;  // /config: read below with the run
        std::uint64_t row_bytes = H5Tget_size(type.get());
        for (int d = 1; d < rank; ++d) row_bytes *= size[static_cast<std::size_t>(d)];
        std::uint64_t step = 1;
        const h5::Handle creation{H5Dget_create_plist(dataset.get())};
        if (H5Pget_layout(creation.get()) == H5D_CHUNKED && H5Pget_chunk(creation.get(), rank, chunk.data()) == rank)
            step = chunk[0];
        while (step * row_bytes < kBlockBytes && step < size[0]) step *= 2;
        std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(step, size[0]) * row_bytes));
        Problems unreadable{report_.problems};
        for (std::uint64_t first = 0; first < size[0]; first += step) {
            try {
                h5::read_rows(id_, path, first, std::min<std::uint64_t>(step, size[0] - first), type.get(),
                              block.data());
            } catch (const Error& e) {
                unreadable.add(e.what());
            }
        }
    }

    void check_table(const std::string& group, std::uint64_t rows) {
        for (const std::string& name : h5::links(id_, group)) {
            const std::string column = group + "/" + name;
            std::optional<std::uint64_t> n = h5::rows(id_, column);
            if (!n) n = h5::rows(id_, column + "/cumulative_length");
            if (!n || *n == rows) continue;  // a group of another kind, or all is well
            problem(fmt::format("/{} has {} rows, /{} has {}", column, *n, group, rows));
        }
    }

    void check_lengths() {
        const auto table = [&](const std::string& group, const std::string& key) {
            const std::optional<std::uint64_t> n = h5::rows(id_, group + "/" + key);
            if (!n)
                problem(fmt::format("/{}/{} is missing", group, key));
            else
                check_table(group, *n);
        };
        table("triggers", "sequence");
        table("ticks", "sequence");
        table("beam", "tick");
        table("dead_time", "first_sequence");
        table("calibration", "from_sequence");
        table("counters", "utc_ns");
        table("truth", "sequence");
        const std::uint64_t triggers = h5::rows(id_, "triggers/sequence").value_or(0);
        for (const WindowInfo& window : file_.run().windows) {
            const std::string group = "windows/" + window.name;
            if (!h5::rows(id_, group + "/sequence")) problem(fmt::format("/{}/sequence is missing", group));
            check_table(group, triggers);
        }
        if (!h5::exists(id_, "config")) problem("/config is missing");
        if (!file_.has_raw()) {
            if (h5::get_text(id_, "raw") != "none") problem("/raw is missing");
            return;
        }
        for (const BoardInfo& board : file_.run().boards) {
            table("raw/" + board.name, "sequence");
            if (h5::exists(id_, "raw/" + board.name + "/irregular"))
                table("raw/" + board.name + "/irregular", "sequence");
        }
    }

    void check_rows() {
        attempt([&] {
            sequences_ = h5::read_column<std::uint64_t>(id_, "triggers/sequence");
            const auto times = h5::read_column<std::int64_t>(id_, "triggers/time_ps");
            const auto flags = h5::read_column<std::uint32_t>(id_, "triggers/flags");
            // A time that the run did not trust is its finding, not the file's fault: a tick's flags say so, or, of a
            // hit that came later than the boards' skew allows, that of its clock.
            const bool hits = triggers_are_hits(file_.run());
            const std::uint32_t known = trigger_flag::clock_backwards | (hits ? 0 : trigger_flag::distrusted_tick);
            const auto said_so = [&](std::size_t i) { return i < flags.size() && (flags[i] & known) != 0; };
            std::size_t known_backwards = 0;
            Problems order{report_.problems};
            for (std::size_t i = 0; i < sequences_.size(); ++i) {
                if (i > 0 && sequences_[i] <= sequences_[i - 1]) {
                    order.add(fmt::format("row {} of /triggers is trigger {}, the row before trigger {}", i,
                                          sequences_[i], sequences_[i - 1]));
                }
                const bool is_backwards = i > 0 && i < times.size() && times[i] < times[i - 1];
                if (is_backwards && (said_so(i) || (!hits && said_so(i - 1)))) {
                    ++known_backwards;
                } else if (is_backwards) {
                    order.add(fmt::format("time runs backwards at trigger {}: {} ps after {} ps", sequences_[i],
                                          times[i], times[i - 1]));
                }
                if (!ranges_.empty() && ranges_.back().last + 1 == sequences_[i])
                    ++ranges_.back().last;
                else
                    ranges_.push_back({sequences_[i], sequences_[i], false});
            }
            if (known_backwards > 0) {
                report_.notes.push_back(fmt::format("time runs backwards at {} trigger(s), flagged", known_backwards));
            }
        });
        attempt([&] {
            for (const DeadTime& d : file_.dead_time()) ranges_.push_back({d.first_sequence, d.last_sequence, true});
        });
    }

    void check_windows() {
        const std::size_t cuts = file_.run().cuts.size();
        for (const WindowInfo& window : file_.run().windows) {
            const std::string group = "windows/" + window.name;
            attempt([&] {
                if (h5::read_column<std::uint64_t>(id_, group + "/sequence") != sequences_) {
                    problem(fmt::format("the rows of /{} are not those of /triggers", group));
                }
                const auto failed = h5::read_column<std::uint32_t>(id_, group + "/cuts");
                const auto accepted = h5::read_column<std::uint8_t>(id_, group + "/accepted");
                Problems wrong{report_.problems};
                for (std::size_t i = 0; i < std::min(failed.size(), accepted.size()); ++i) {
                    if ((failed[i] == 0) != (accepted[i] == 1))
                        wrong.add(
                            fmt::format("row {} of /{}: accepted is {}, cuts is {}", i, group, accepted[i], failed[i]));
                    if (cuts < kMaxCuts && failed[i] >> cuts != 0)
                        wrong.add(
                            fmt::format("row {} of /{}: cuts is {}, there are {} cuts", i, group, failed[i], cuts));
                }
            });
        }
    }

    void check_raw() {
        if (!file_.has_raw()) return;
        for (const BoardInfo& board : file_.run().boards) {
            for (const std::string& group : {"raw/" + board.name, "raw/" + board.name + "/irregular"}) {
                if (!h5::exists(id_, group)) continue;
                attempt([&] {
                    const auto of = h5::read_column<std::uint64_t>(id_, group + "/sequence");
                    Problems stray{report_.problems};
                    for (std::size_t i = 0; i < of.size(); ++i) {
                        if (i > 0 && of[i] < of[i - 1])
                            stray.add(fmt::format("row {} of /{} is of trigger {}, the row before of {}", i, group,
                                                  of[i], of[i - 1]));
                        if (!std::binary_search(sequences_.begin(), sequences_.end(), of[i])) {
                            stray.add(fmt::format("row {} of /{} is of trigger {}, which is not in /triggers", i, group,
                                                  of[i]));
                        }
                    }
                    if (const auto samples = h5::rows(id_, group + "/samples/flattened_data")) {
                        const auto ends = h5::read_column<std::uint64_t>(id_, group + "/samples/cumulative_length");
                        if (!std::is_sorted(ends.begin(), ends.end()) || (ends.empty() ? 0 : ends.back()) != *samples) {
                            problem(
                                fmt::format("/{}/samples: cumulative_length does not add up to the {} samples there",
                                            group, *samples));
                        }
                    }
                });
            }
        }
    }

    void check_summary() {
        if (!file_.closed()) {
            problem("was not closed: it is being written, or was cut short");
            return;
        }
        attempt([&] {
            const PartSummary& stored = *file_.summary();
            for (const WindowSummary& w : stored.windows) {
                std::uint64_t sum = w.accepted;
                for (const std::uint64_t n : w.rejected) sum += n;
                if (sum != w.rows)
                    problem(fmt::format("the cut flow of {} does not close: {} rows, {} accepted or rejected", w.name,
                                        w.rows, sum));
            }
            PartSummary made = file_.recompute_summary();
            if (std::abs(made.beam_energy_gwh - stored.beam_energy_gwh) <= 1e-12 * std::abs(stored.beam_energy_gwh)) {
                made.beam_energy_gwh = stored.beam_energy_gwh;  // the order of the sum is not what is checked
            }
            if (made != stored) problem(difference(stored, made));
        });
    }

    static std::string difference(const PartSummary& stored, const PartSummary& made) {
        if (stored.triggers != made.triggers)
            return fmt::format("/summary counts {} triggers, there are {}", stored.triggers, made.triggers);
        if (stored.refused_total() != made.refused_total())
            return fmt::format("/summary counts {} refused triggers, /dead_time has {}", stored.refused_total(),
                               made.refused_total());
        if (stored.ticks != made.ticks) return "/summary's exposure is not that of /triggers";
        for (std::size_t w = 0; w < stored.windows.size() && w < made.windows.size(); ++w) {
            if (stored.windows[w] != made.windows[w])
                return fmt::format("/summary's cut flow or box counts of {} are not those of its rows",
                                   stored.windows[w].name);
        }
        return "/summary does not agree with the rows";
    }

    const AlleycatFile& file_;
    hid_t id_;
    VerifyReport::File& report_;
    std::vector<std::uint64_t> sequences_;
    std::vector<Range> ranges_;
};

/// The parts of one run, put together.
struct RunCheck {
    std::map<std::uint32_t, std::filesystem::path> parts;
    std::vector<Range> ranges;
    std::uint64_t recorded = 0, refused = 0;
    bool ticks_apart = false;
    std::uint64_t ticks = 0, duplicate_ticks = 0;  // that came apart from the triggers
    bool all_readable = true;
    std::optional<Ledger> ledger;  ///< of the part in which the run ended
    bool first_part_there = false;
};

std::filesystem::path journal_of(const std::filesystem::path& part) {
    const std::optional<PartName> name = parse_part_name(part);
    return name ? folder_of(part) / journal_name(*name) : std::filesystem::path{};
}

std::filesystem::path closed_path(const std::filesystem::path& part) {
    return part.extension() == ".part" ? std::filesystem::path{part}.replace_extension() : part;
}

/// Makes a part again from its journal. Returns what was done, or throws why it was not.
std::string repair_part(const std::filesystem::path& path) {
    const std::filesystem::path journal = journal_of(path), closed = closed_path(path), folder = folder_of(path);
    if (journal.empty() || !std::filesystem::exists(journal)) {
        throw Error{"cannot be repaired: its journal is not beside it; nothing was changed"};
    }
    const FileDescriptor lock = open_file(folder / "writer.lock", O_RDWR | O_CREAT);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) throw Error{"is not repaired while a writer uses its folder"};
    if (path == closed) {  // a closed part that is damaged: kept, under another name
        std::filesystem::path aside = closed.string() + ".damaged";
        for (int n = 2; std::filesystem::exists(aside); ++n) aside = fmt::format("{}.damaged{}", closed.string(), n);
        rename_new(closed, aside);
    }
    RebuiltPart rebuilt = rebuild_part(journal, closed, Compression::deflate, RawData::all);
    if (!rebuilt.writer) throw Error{"cannot be repaired: its journal holds no frame"};
    const std::uint64_t triggers = rebuilt.writer->triggers();
    const std::string reason = rebuilt.end ? rebuilt.end->reason : "repaired: rebuilt from its journal";
    rebuilt.writer->close({.run_ended = rebuilt.end.has_value(),
                           .clean = rebuilt.end && rebuilt.end->clean,
                           .repaired = true,
                           .reason = reason});
    const AlleycatFile file{closed};
    const PartSummary& s = *file.summary();
    Catalogue{folder, Catalogue::Open::write}.put(CataloguePart{
        closed.filename().string(), file.run().run, file.part(), sha256_of(closed), std::filesystem::file_size(closed),
        s.first_sequence, s.last_sequence, s.triggers, s.first_utc_ns, s.last_utc_ns, "repaired"});
    return fmt::format("rebuilt from {}: {} triggers{}", journal.filename().string(), triggers,
                       rebuilt.tear.empty() ? "" : " (" + rebuilt.tear + ")");
}

void check_digest(const std::filesystem::path& path, VerifyReport::File& report) {
    const std::filesystem::path folder = folder_of(path);
    if (!std::filesystem::exists(Catalogue::file_in(folder))) {
        report.notes.push_back("no catalogue is beside it: its digest was not checked");
        return;
    }
    const std::optional<CataloguePart> row =
        Catalogue{folder, Catalogue::Open::read_only}.part(path.filename().string());
    if (!row) {
        report.notes.push_back("the catalogue does not know it: its digest was not checked");
        return;
    }
    if (row->state != "closed") report.notes.push_back(fmt::format("the catalogue calls it {}", row->state));
    const std::uint64_t bytes = std::filesystem::file_size(path);
    if (bytes != row->bytes)
        report.problems.push_back(fmt::format("has {} bytes, {} when it was closed", bytes, row->bytes));
    if (sha256_of(path) != row->sha256)
        report.problems.push_back("its content is not what it was when it was closed (SHA-256)");
}

/// Parts as the writer names them belong to a run; a file of another name (a replay's) stands for itself.
using Runs = std::map<std::pair<std::uint64_t, std::string>, RunCheck>;
std::pair<std::uint64_t, std::string> key_of(std::uint64_t run, const std::filesystem::path& path) {
    return {run, parse_part_name(path) ? std::string{} : path.string()};
}

void verify_file(const std::filesystem::path& path, VerifyReport& report, Runs& runs) {
    VerifyReport::File& entry = report.files.emplace_back();
    entry.path = path;
    try {
        if (!std::filesystem::exists(path))
            throw Error{"is only in its journal so far: `alleycat verify --repair` makes the part"};
        const AlleycatFile file{path};
        entry.run = file.run().run;
        entry.part = file.part();
        entry.triggers = file.triggers();
        entry.closed = file.closed();
        const std::vector<Range> ranges = PartCheck{file, entry}.run();
        RunCheck& run = runs[key_of(entry.run, path)];
        const auto [there, added] = run.parts.emplace(entry.part, path);
        if (!added)
            entry.problems.push_back(
                fmt::format("is part {} of run {}, as is {}", entry.part, entry.run, there->second.string()));
        run.ranges.insert(run.ranges.end(), ranges.begin(), ranges.end());
        run.recorded += file.triggers();
        for (const Range& r : ranges) run.refused += r.refused ? r.last - r.first + 1 : 0;
        for (const TickRecord& tick : file.ticks()) {
            ++run.ticks;
            run.duplicate_ticks += (tick.flags & trigger_flag::duplicate_tick) != 0 ? 1 : 0;
        }
        run.ticks_apart = triggers_are_hits(file.run());
        run.first_part_there = run.first_part_there || entry.part == 1;
        if (file.closed() && file.summary()->run_ended) run.ledger = file.summary()->ledger;
        if (file.closed() &&
            h5::get_number<std::uint8_t>(h5::open_group(file.hdf5_id(), "summary").get(), "repaired").value_or(0) !=
                0) {
            entry.notes.push_back("was rebuilt from its journal");
        }
        if (entry.closed) check_digest(path, entry);
    } catch (const Error& e) {
        std::string_view what{e.what()};
        const std::string prefix = path.string() + ": ";
        if (what.starts_with(prefix)) what.remove_prefix(prefix.size());
        entry.problems.emplace_back(what);
        if (const auto name = parse_part_name(path)) {
            entry.run = name->run;
            entry.part = name->part;
            runs[key_of(name->run, path)].all_readable = false;
        }
    }
}

/// How the parts of a run follow each other. Only with the whole run in hand can something be missing between them.
void check_run(std::uint64_t number, RunCheck& run, bool whole_folder, std::vector<std::string>& problems) {
    if (!run.all_readable || run.parts.empty()) return;
    const bool complete = run.first_part_there && run.ledger && run.parts.rbegin()->first == run.parts.size();
    if (whole_folder) {
        std::uint32_t expected = 1;
        for (const auto& [part, path] : run.parts) {
            for (; expected < part; ++expected)
                problems.push_back(fmt::format("run {}: part {} is not in the folder", number, expected));
            expected = part + 1;
        }
        std::vector<std::string> gaps;
        check_coverage(run.ranges, gaps);
        for (const std::string& gap : gaps) problems.push_back(fmt::format("run {}: {}", number, gap));
        if (run.first_part_there && !run.ranges.empty() && run.ranges.front().first != 0) {
            problems.push_back(
                fmt::format("run {}: {} missing at its beginning", number, text_of(0, run.ranges.front().first - 1)));
        }
    }
    if (!complete) return;
    const Ledger& ledger = *run.ledger;
    if (!ledger.closes())
        problems.push_back(
            fmt::format("run {}: its ledger does not close: {} triggers, {} recorded, {} refused; {} ticks expected, "
                        "{} seen, {} missed",
                        number, ledger.triggers, ledger.recorded, ledger.refused, ledger.ticks_expected,
                        ledger.ticks_seen, ledger.ticks_missed));
    if (ledger.recorded != run.recorded)
        problems.push_back(fmt::format("run {}: its ledger says {} triggers were recorded, the files hold {}", number,
                                       ledger.recorded, run.recorded));
    // A tick that was delivered twice was seen once; a second one of its own number was seen.
    if (run.ticks_apart && (run.ticks < ledger.ticks_seen || run.ticks - run.duplicate_ticks > ledger.ticks_seen))
        problems.push_back(fmt::format("run {}: its ledger says {} ticks were seen, the files hold {}", number,
                                       ledger.ticks_seen, run.ticks));
    if (ledger.refused != run.refused)
        problems.push_back(fmt::format("run {}: its ledger says {} triggers were refused, the files say {}", number,
                                       ledger.refused, run.refused));
}

std::vector<std::filesystem::path> parts_in(const std::filesystem::path& folder) {
    std::set<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".h5") || name.ends_with(".h5.part")) found.insert(entry.path());
        // A journal alone is a part of which nothing else is left.
        if (entry.path().extension() == ".journal" &&
            !std::filesystem::exists(folder / closed_name(parse_part_name(name).value_or(PartName{}))) &&
            parse_part_name(name)) {
            found.insert(folder / unfinished_name(*parse_part_name(name)));
        }
    }
    return {found.begin(), found.end()};
}

}  // namespace

bool VerifyReport::ok() const noexcept {
    return problems.empty() &&
           std::all_of(files.begin(), files.end(), [](const File& f) { return f.problems.empty(); });
}

VerifyReport verify(const std::filesystem::path& path, bool repair) {
    h5::prepare();
    if (!std::filesystem::exists(path)) throw Error{fmt::format("{}: there is no such file or folder", path.string())};
    const bool folder = std::filesystem::is_directory(path);
    std::vector<std::filesystem::path> paths = folder ? parts_in(path) : std::vector{path};
    if (paths.empty()) throw Error{fmt::format("{}: holds no .h5 file", path.string())};

    VerifyReport report;
    Runs runs;
    for (std::filesystem::path& part : paths) {
        if (!repair) {
            verify_file(part, report, runs);
            continue;
        }
        VerifyReport before;
        Runs ignored;
        verify_file(part, before, ignored);
        if (before.ok()) {
            verify_file(part, report, runs);
            continue;
        }
        try {
            const std::string done = repair_part(part);
            verify_file(closed_path(part), report, runs);
            report.files.back().notes.push_back(done);
        } catch (const Error& e) {
            verify_file(part, report, runs);
            report.files.back().problems.emplace_back(e.what());
        }
    }
    for (auto& [key, run] : runs) check_run(key.first, run, folder && key.second.empty(), report.problems);
    return report;
}

}  // namespace alleycat
