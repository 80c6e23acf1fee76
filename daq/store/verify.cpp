#include "daq/store/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_check.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/repair.hpp"
#include "daq/store/run_check.hpp"
#include "daq/store/trial.hpp"

namespace alleycat {
namespace {

/// Parts as the writer names them belong to a run; a file of another name (a replay's) stands for itself.
using Runs = std::map<std::pair<std::uint64_t, std::string>, RunCheck>;
std::pair<std::uint64_t, std::string> key_of(std::uint64_t run, const std::filesystem::path& path) {
    return {run, parse_part_name(path) ? std::string{} : path.string()};
}

/// What the catalogue beside a file knows of it.
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
    if (row->sha256.empty()) {
        report.notes.push_back(
            "the catalogue was made from the files and has no digest of it: `alleycat verify "
            "--catalogue` takes one");
    } else if (sha256_of(path) != row->sha256) {
        report.problems.push_back("its content is not what it was when it was closed (SHA-256)");
    }
}

/// What a part says of how it came to be.
void note_origin(const AlleycatFile& file, VerifyReport::File& report) {
    if (!file.closed()) return;
    const h5::Handle summary = h5::open_group(file.hdf5_id(), "summary");
    if (h5::get_number<std::uint8_t>(summary.get(), "repaired").value_or(0) != 0)
        report.notes.push_back("was rebuilt from its journal");
    if (h5::get_number<std::uint8_t>(summary.get(), "salvaged").value_or(0) != 0) {
        const std::string lost = h5::get_text(summary.get(), "lost").value_or("");
        report.notes.push_back(lost.empty() ? "was salvaged without its journal, nothing is lost"
                                            : "was salvaged without its journal; lost: " + lost);
    }
}

struct Checked {
    bool can_be_salvaged = false;  ///< it was cut short, or some of it cannot be read
};

Checked verify_file(const std::filesystem::path& path, VerifyReport& report, Runs& runs) {
    VerifyReport::File& entry = report.files.emplace_back();
    entry.path = path;
    try {
        if (!std::filesystem::exists(path))
            throw Error{"is only in its journal so far: `alleycat verify --repair` makes the part"};
        require_openable(path, [&path] {
            const AlleycatFile file{path};
            VerifyReport::File nobody_reads;
            (void)check_part(file, nobody_reads);
            note_origin(file, nobody_reads);
        });
        const AlleycatFile file{path};
        entry.run = file.run().run;
        entry.part = file.part();
        entry.triggers = file.triggers();
        entry.closed = file.closed();
        PartAccount account = check_part(file, entry);
        const bool damaged = !file.closed() || account.unreadable;
        if (const auto there = runs[key_of(entry.run, path)].add(file, std::move(account)))
            entry.problems.push_back(
                fmt::format("is part {} of run {}, as is {}", entry.part, entry.run, there->string()));
        note_origin(file, entry);
        if (entry.closed) check_digest(path, entry);
        return {damaged};
    } catch (const Error& e) {
        entry.problems.push_back(without_path(e.what(), path));
        if (const auto name = parse_part_name(path)) {
            entry.run = name->run;
            entry.part = name->part;
            runs[key_of(name->run, path)].add_unreadable(name->part);
        }
        return {true};
    }
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

/// Where a part went that was moved away; nullopt: it was not.
std::optional<std::string> moved_to(const Catalogue& catalogue, const CataloguePart& part) {
    for (const CatalogueCopy& copy : catalogue.copies(part.file)) {
        if (copy.state == "moved") return copy.destination;
    }
    return std::nullopt;
}

/// Parts that `alleycat archive` verified at a second place and deleted here are not missing.
void account_for_moved_parts(const std::filesystem::path& folder, Runs& runs, std::vector<std::string>& notes) {
    if (!std::filesystem::exists(Catalogue::file_in(folder))) return;
    const Catalogue catalogue{folder, Catalogue::Open::read_only};
    for (const CataloguePart& part : catalogue.parts()) {
        if (std::filesystem::exists(folder / part.file)) continue;
        const std::optional<std::string> place = moved_to(catalogue, part);
        if (!place) continue;
        notes.push_back(fmt::format("{} was moved to {}", part.file, *place));
        const auto run = runs.find({part.run, ""});
        if (run == runs.end()) continue;
        std::optional<SequenceRange> range;
        if (part.first_sequence != kNoSequence) range = SequenceRange{part.first_sequence, part.last_sequence};
        run->second.add_moved(part.part, range);
    }
}

/// What the catalogue knows and the folder does not have.
void check_against_catalogue(const std::filesystem::path& folder, const Runs& runs,
                             std::vector<std::string>& problems) {
    if (!std::filesystem::exists(Catalogue::file_in(folder))) return;
    const Catalogue catalogue{folder, Catalogue::Open::read_only};
    for (const CatalogueRun& run : catalogue.runs()) {
        const auto found = runs.find({run.run, ""});
        bool absent = false;
        Sentences sentences{problems};
        for (const CataloguePart& part : catalogue.parts(run.run)) {
            if (std::filesystem::exists(folder / part.file)) continue;
            absent = true;
            if (moved_to(catalogue, part)) continue;
            sentences.add(fmt::format("{} is in the catalogue and not in the folder: {}", part.file,
                                      part.first_sequence == kNoSequence
                                          ? std::string{"no triggers"}
                                          : text_of(part.first_sequence, part.last_sequence)));
        }
        const std::uint64_t last = found == runs.end() ? kNoSequence : found->second.last_sequence();
        const bool all_read = found == runs.end() || found->second.readable();
        if (!absent && all_read && run.last_sequence != kNoSequence && last + 1 < run.last_sequence + 1)
            sentences.add(fmt::format(
                "run {}: the catalogue knows of triggers up to {}, the folder {}", run.run, run.last_sequence,
                last == kNoSequence ? std::string{"has none of it"} : fmt::format("has them up to {}", last)));
    }
}

/// Checks a part, makes it again if it is not whole, and checks what came of it.
void repair_file(const std::filesystem::path& path, VerifyReport& report, Runs& runs) {
    VerifyReport before;
    Runs ignored;
    const Checked checked = verify_file(path, before, ignored);
    if (before.ok()) {
        (void)verify_file(path, report, runs);
        return;
    }
    std::vector<std::string> failures;
    const auto attempt = [&](Repair (*repair)(const std::filesystem::path&)) {
        try {
            const Repair done = repair(path);
            (void)verify_file(closed_path(path), report, runs);
            report.files.back().notes.push_back(done.done);
            for (const std::string& lost : done.lost) report.files.back().problems.push_back("lost: " + lost);
            return true;
        } catch (const Error& e) {
            failures.push_back(without_path(e.what(), path));
            return false;
        }
    };
    if (has_journal(path) && attempt(repair_from_journals)) return;
    if (checked.can_be_salvaged && std::filesystem::exists(path) && attempt(salvage_part)) return;
    (void)verify_file(path, report, runs);
    if (failures.empty())
        failures.push_back(
            "cannot be repaired: its journal is not beside it, and all of its bytes can be read; nothing "
            "was changed");
    for (std::string& failure : failures) report.files.back().problems.push_back(std::move(failure));
}

/// The parts of each run together, and the runs of a folder.
void check_runs(Runs& runs, bool folder, VerifyReport& report) {
    std::map<std::uint64_t, RunCheck::Ends> ends;
    for (auto& [key, run] : runs) {
        run.check(key.first, folder && key.second.empty(), report.problems);
        const auto end = run.ends();
        if (folder && key.second.empty() && end) ends[key.first] = *end;
    }
    for (std::string& note : notes_on_gaps(ends)) report.notes.push_back(std::move(note));
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
    const std::vector<std::filesystem::path> paths = folder ? parts_in(path) : std::vector{path};
    if (paths.empty() && !(folder && std::filesystem::exists(Catalogue::file_in(path))))
        throw Error{fmt::format("{}: holds no .h5 file", path.string())};

    VerifyReport report;
    Runs runs;
    for (const std::filesystem::path& part : paths) {
        if (repair)
            repair_file(part, report, runs);
        else
            (void)verify_file(part, report, runs);
    }
    const auto with_catalogue = [&](const auto& action) {
        try {
            if (folder) action();
        } catch (const Error& e) {
            const std::string sentence =
                fmt::format("{}: `alleycat verify --catalogue` makes it again from the files", e.what());
            if (std::ranges::find(report.problems, sentence) == report.problems.end())
                report.problems.push_back(sentence);
        }
    };
    with_catalogue([&] { account_for_moved_parts(path, runs, report.notes); });
    check_runs(runs, folder, report);
    with_catalogue([&] { check_against_catalogue(path, runs, report.problems); });
    return report;
}

}  // namespace alleycat
