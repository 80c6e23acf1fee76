#include "daq/store/part_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/core/event.hpp"
#include "daq/core/time.hpp"
#include "daq/store/content_digest.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/part_writer.hpp"

namespace alleycat {
namespace {

constexpr std::uint64_t kBlockBytes = 1 << 22;
constexpr std::uint64_t kMostBlockBytes = 1 << 30;  // a chunk of ours has a megabyte
constexpr std::uint32_t kFirstWithDigest = 3;       // format version

class PartCheck {
  public:
    PartCheck(const AlleycatFile& file, VerifyReport::File& report)
        : file_{file}, id_{file.hdf5_id()}, report_{report} {}

    PartAccount run() {
        read_everything();
        account_.unreadable = !report_.problems.empty();
        check_identity();
        check_content_digest();
        check_lengths();
        check_rows();
        check_dead_time();
        check_stream_gaps();
        check_gaps();
        attempt([&] { (void)file_.readings(); });
        check_windows();
        check_raw();
        check_records();
        note_missing_boards();
        check_summary();
        count_ticks();
        check_coverage(account_.ranges, report_.problems);
        return std::move(account_);
    }

  private:
    void problem(std::string sentence) { report_.problems.push_back(std::move(sentence)); }
    void note(std::string sentence) { report_.notes.push_back(std::move(sentence)); }

    /// Does `action`; what cannot be read is a problem and not the end.
    template <class Do>
    void attempt(const Do& action) {
        try {
            action();
        } catch (const Error& e) {
            problem(without_path(e.what(), file_.path()));
        }
    }

    /// Reads every dataset from its first to its last byte, through its checksums.
    void read_everything() {
        attempt([&] {
            for (const std::string& path : h5::datasets(id_)) attempt([&] { read_dataset(path); });
        });
    }

    void read_dataset(const std::string& path) {
        const h5::Handle dataset{h5::check(H5Dopen2(id_, path.c_str(), H5P_DEFAULT), "/" + path + " cannot be opened")};
        const h5::Handle type{H5Dget_type(dataset.get())};
        const h5::Handle space{H5Dget_space(dataset.get())};
        h5::check_all_written(dataset.get(), "/" + path);
        std::array<hsize_t, H5S_MAX_RANK> size{}, chunk{};
        const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
        if (rank < 1 || H5Tis_variable_str(type.get()) > 0) return;  // /config: read with what the part is
        std::uint64_t row_bytes = H5Tget_size(type.get());
        for (std::size_t d = 1; d < static_cast<std::size_t>(rank); ++d)
            row_bytes *= std::min<std::uint64_t>(size[d], kMostBlockBytes);
        std::uint64_t step = 1;
        const h5::Handle creation{H5Dget_create_plist(dataset.get())};
        if (H5Pget_layout(creation.get()) == H5D_CHUNKED && H5Pget_chunk(creation.get(), rank, chunk.data()) == rank)
            step = chunk[0];
        if (row_bytes == 0 || row_bytes > kMostBlockBytes / step)
            throw Error{fmt::format("/{} has an impossible shape", path)};
        while (step * row_bytes < kBlockBytes && step < size[0]) step *= 2;
        std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(step, size[0]) * row_bytes));
        Sentences unreadable{report_.problems};
        for (std::uint64_t first = 0; first < size[0]; first += step) {
            try {
                h5::read_rows(id_, path, first, std::min<std::uint64_t>(step, size[0] - first), type.get(),
                              block.data());
            } catch (const Error& e) {
                unreadable.add(e.what());
            }
        }
    }

    /// Name, root attributes and /config are those of the run's description, which has a checksum of its own.
    void check_identity() {
        const RunDescription& run = file_.run();
        if (const auto name = parse_part_name(file_.path()); name && *name != PartName{run.run, file_.part()}) {
            problem(fmt::format("its name says part {} of run {}, its content part {} of run {}", name->part, name->run,
                                file_.part(), run.run));
        }
        if (h5::get_number<std::uint64_t>(id_, "run") != run.run)
            problem(fmt::format("its attribute run is not {}, as /run_description says", run.run));
        const auto text = [&](const char* name, const std::string& expected) {
            if (h5::get_text(id_, name) != expected)
                problem(fmt::format("its attribute {} is not '{}', as /run_description says", name, expected));
        };
        text("profile", run.profile);
        text("software", run.software);
        text("host", run.host);
        text("config_name", run.config_name);
        text("start_time_utc", to_iso8601(UtcTime{std::chrono::nanoseconds{run.start_utc_ns}}));
        attempt([&] {
            if (!h5::exists(id_, "config")) {
                problem("/config is missing");
            } else if (h5::read_text(id_, "config") != run.config_text) {
                problem("/config is not the station file that /run_description holds");
            }
        });
    }

    void check_content_digest() {
        if (!file_.closed()) return;
        attempt([&] {
            const std::optional<std::string> written = h5::get_content_digest(id_);
            const std::uint32_t version = h5::get_number<std::uint32_t>(id_, "format_version").value_or(0);
            if (!written && version < kFirstWithDigest) {
                note("an older Alleycat wrote it, without a digest of its own");
            } else if (!written) {
                problem("its own digest (/summary: content_sha256) is missing");
            } else if (h5::content_digest(id_) != *written) {
                problem(
                    "names, types, attributes or chunks are not those it was closed with (/summary: content_sha256)");
            }
        });
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
        if (h5::exists(id_, "comments")) table("comments", "utc_ns");  // since format version 3
        if (h5::exists(id_, "gaps")) table("gaps", "previous_run");    // the same
        if (h5::exists(id_, "readings")) table("readings", "utc_ns");  // younger still
        const std::uint64_t triggers = h5::rows(id_, "triggers/sequence").value_or(0);
        for (const WindowInfo& window : file_.run().windows) {
            const std::string group = "windows/" + window.name;
            if (!h5::rows(id_, group + "/sequence")) problem(fmt::format("/{}/sequence is missing", group));
            check_table(group, triggers);
        }
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
            Sentences order{report_.problems};
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
                add_recorded(account_.ranges, sequences_[i]);
            }
            if (known_backwards > 0) {
                note(fmt::format("time runs backwards at {} trigger(s), flagged", known_backwards));
            }
        });
    }

    void check_dead_time() {
        attempt([&] {
            account_.dead_time = file_.dead_time();
            Sentences impossible{report_.problems};
            std::uint64_t without_samples = 0;
            for (const DeadTime& d : account_.dead_time) {
                if (d.reason == static_cast<std::uint8_t>(RefusalReason::not_kept))
                    without_samples += d.last_sequence - d.first_sequence + 1;
                account_.ranges.push_back({d.first_sequence, d.last_sequence, SequenceRange::Fate::refused});
                if (d.end_ps < d.begin_ps)
                    impossible.add(fmt::format("the dead time of {} ends at {} ps, before it begins at {} ps",
                                               text_of(d.first_sequence, d.last_sequence), d.end_ps, d.begin_ps));
            }
            if (without_samples > 0)
                note(
                    fmt::format("{} trigger(s) had no samples in what was replayed and were not measured again: "
                                "their results stand in the file they were recorded in",
                                without_samples));
        });
    }

    /// What was lost on the way from the daemon is accounted for where the part says so.
    void check_stream_gaps() {
        attempt([&] {
            for (const StreamGap& gap : file_.stream_gaps()) {
                account_.missing_frames += gap.frames;
                const std::uint64_t first = gap.last_sequence + 1;  // 2^64-1: none was before
                if (gap.triggers > 0)
                    account_.ranges.push_back({first, first + gap.triggers - 1, SequenceRange::Fate::lost});
                note(fmt::format("{} frame(s) of the data stream are missing: {}", gap.frames,
                                 gap.triggers == 0 ? std::string{"no trigger is lost"}
                                                   : text_of(first, first + gap.triggers - 1) +
                                                         (gap.triggers == 1 ? " is lost" : " are lost")));
            }
        });
    }

    void check_gaps() {
        if (!h5::exists(id_, "gaps")) return;
        attempt([&] {
            account_.gaps = file_.gaps();
            for (const Gap& gap : *account_.gaps) {
                note(fmt::format("before this run: {}{}", to_text(gap), provenance_of(gap)));
                if (gap.to_utc_ns < gap.from_utc_ns)
                    problem(fmt::format("/gaps: the gap ends at {} ns, before it begins at {} ns", gap.to_utc_ns,
                                        gap.from_utc_ns));
            }
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
                Sentences wrong{report_.problems};
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
                    Sentences stray{report_.problems};
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

    /// Samples are there of every board that was not missing: with raw = all of every trigger, with raw = accepted of
    /// every accepted one and of every so many of the others.
    void check_records() {
        const std::string raw = h5::get_text(id_, "raw").value_or("");
        if (raw != "all" && raw != "accepted") return;
        attempt([&] {
            const std::vector<std::uint64_t> there = boards_of_rows();
            const auto missing = h5::read_column<std::uint64_t>(id_, "triggers/missing_boards");
            const std::vector<bool> accepted = raw == "all" ? std::vector<bool>{} : accepted_rows();
            const RawSelection selection{raw == "all" ? RawData::all : RawData::accepted,
                                         h5::get_number<std::uint64_t>(id_, "raw_prescale").value_or(0)};
            const std::vector<BoardInfo>& boards = file_.run().boards;
            std::vector<std::vector<std::uint64_t>> without(boards.size()), unexpected(boards.size());
            std::vector<std::uint64_t> of_none;
            for (std::size_t i = 0; i < std::min(there.size(), missing.size()); ++i) {
                const bool kept = selection.keeps(raw == "all" || accepted.at(i), sequences_[i]);
                if (triggers_are_hits(file_.run())) {  // a record of one of the boards
                    if (kept && there[i] == 0) of_none.push_back(sequences_[i]);
                    continue;
                }
                if (!kept && there[i] == 0) continue;
                for (std::size_t b = 0; b < boards.size(); ++b) {
                    const bool is_there = (there[i] >> b & 1) != 0, is_missing = (missing[i] >> b & 1) != 0;
                    if (!is_there && !is_missing) without[b].push_back(sequences_[i]);
                    if (is_there && is_missing) unexpected[b].push_back(sequences_[i]);
                }
            }
            if (!of_none.empty()) problem(fmt::format("{}: no board has samples", text_of(of_none)));
            for (std::size_t b = 0; b < boards.size(); ++b) {
                if (!without[b].empty())
                    problem(fmt::format("/raw/{} has no record of {}", boards[b].name, text_of(without[b])));
                if (!unexpected[b].empty())
                    problem(fmt::format("/raw/{} has records of {}, of which /triggers says that the board was missing",
                                        boards[b].name, text_of(unexpected[b])));
            }
        });
    }

    void note_missing_boards() {
        attempt([&] {
            const auto missing = h5::read_column<std::uint64_t>(id_, "triggers/missing_boards");
            const std::vector<BoardInfo>& boards = file_.run().boards;
            for (std::size_t b = 0; b < boards.size(); ++b) {
                std::vector<std::uint64_t> of_board;
                for (std::size_t i = 0; i < std::min(missing.size(), sequences_.size()); ++i) {
                    if ((missing[i] >> b & 1) != 0) of_board.push_back(sequences_[i]);
                }
                if (!of_board.empty())
                    note(fmt::format("board {} is missing from {}, {} in all", boards[b].name, text_of(of_board),
                                     of_board.size()));
            }
        });
    }

    /// Per row of /triggers a bit for each board that has a record of it.
    std::vector<std::uint64_t> boards_of_rows() {
        std::vector<std::uint64_t> there(sequences_.size(), 0);
        const std::vector<BoardInfo>& boards = file_.run().boards;
        for (std::size_t b = 0; b < boards.size(); ++b) {
            const std::string regular = "raw/" + boards[b].name, irregular = regular + "/irregular";
            for (const std::string& group : {regular, irregular}) {
                if (!h5::exists(id_, group)) continue;
                for (const std::uint64_t s : h5::read_column<std::uint64_t>(id_, group + "/sequence")) {
                    const auto row = std::lower_bound(sequences_.begin(), sequences_.end(), s);
                    if (row != sequences_.end() && *row == s)
                        there[static_cast<std::size_t>(row - sequences_.begin())] |= std::uint64_t{1} << b;
                }
            }
        }
        return there;
    }

    std::vector<bool> accepted_rows() {
        std::vector<bool> accepted(sequences_.size(), false);
        for (const WindowInfo& window : file_.run().windows) {
            const auto of_window = h5::read_column<std::uint8_t>(id_, "windows/" + window.name + "/accepted");
            for (std::size_t i = 0; i < std::min(accepted.size(), of_window.size()); ++i)
                accepted[i] = accepted[i] || of_window[i] == 1;
        }
        return accepted;
    }

    void count_ticks() {
        attempt([&] {
            for (const TickRecord& tick : file_.ticks()) {
                ++account_.ticks_apart;
                account_.duplicate_ticks += (tick.flags & trigger_flag::duplicate_tick) != 0 ? 1 : 0;
            }
        });
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
        if (stored.lost_in_stream != made.lost_in_stream)
            return fmt::format("/summary says {} triggers were lost on the way from the daemon, /gaps {}",
                               stored.lost_in_stream, made.lost_in_stream);
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
    PartAccount account_;
};

}  // namespace

PartAccount check_part(const AlleycatFile& file, VerifyReport::File& report) { return PartCheck{file, report}.run(); }

std::string without_path(const char* error, const std::filesystem::path& path) {
    std::string_view what{error};
    const std::string prefix = path.string() + ": ";
    if (what.starts_with(prefix)) what.remove_prefix(prefix.size());
    return std::string{what};
}

}  // namespace alleycat
