#include "daq/store/catalogue_rebuild.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <map>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_check.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/repair.hpp"
#include "daq/store/trial.hpp"

namespace alleycat {
namespace {

constexpr const char* kRecomputed = "recomputed";

/// Number of the last frame in a part; before format version 3 it is not in the file: then every frame of the run
/// counts as taken.
std::uint64_t last_ordinal_of(const AlleycatFile& file) {
    return h5::get_number<std::uint64_t>(h5::open_group(file.hdf5_id(), "summary").get(), "last_ordinal")
        .value_or(kNoSequence);
}

/// Closed parts as the writer names them, in order.
std::map<PartName, std::filesystem::path> closed_parts(const std::filesystem::path& folder) {
    std::map<PartName, std::filesystem::path> parts;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        const std::optional<PartName> name = parse_part_name(entry.path());
        if (name && entry.path().filename() == closed_name(*name)) parts.emplace(*name, entry.path());
    }
    return parts;
}

void add_part(const std::filesystem::path& path, Catalogue& catalogue, CatalogueNews& news) {
    try {
        require_openable(path, [&path] {
            const AlleycatFile file{path};
            (void)part_row(file, "", kRecomputed);
            (void)last_ordinal_of(file);
        });
        const AlleycatFile file{path};
        if (!file.closed()) throw Error{"was not closed"};
        catalogue.put(part_row(file, "", kRecomputed));
        put_run_row(catalogue, file, last_ordinal_of(file));
        news.push_back(fmt::format("{}: was not in the catalogue, its row is made from the file", path.string()));
    } catch (const Error& e) {
        news.push_back(fmt::format("{}: is not in the catalogue, and no row can be made from it: {}", path.string(),
                                   without_path(e.what(), path)));
    }
}

void add_digest(const std::filesystem::path& path, Catalogue& catalogue, CatalogueNews& news) {
    std::optional<CataloguePart> row = catalogue.part(path.filename().string());
    if (!row || !row->sha256.empty()) return;
    try {
        require_openable(path, [&path] {
            const AlleycatFile file{path};
            VerifyReport::File nobody_reads;
            (void)check_part(file, nobody_reads);
        });
        const AlleycatFile file{path};
        VerifyReport::File report;
        (void)check_part(file, report);
        if (!report.problems.empty()) throw Error{report.problems.front()};
        row->sha256 = sha256_of(path);
        row->bytes = std::filesystem::file_size(path);
        catalogue.put(*row);
        news.push_back(fmt::format("{}: its digest is recomputed from the file as it is now", path.string()));
    } catch (const Error& e) {
        news.push_back(
            fmt::format("{}: gets no digest, it is not whole: {}", path.string(), without_path(e.what(), path)));
    }
}

}  // namespace

CataloguePart part_row(const AlleycatFile& file, std::string sha256, std::string state) {
    const PartSummary& s = *file.summary();
    CataloguePart row;
    row.file = file.path().filename().string();
    row.run = file.run().run;
    row.part = file.part();
    row.sha256 = std::move(sha256);
    row.bytes = std::filesystem::file_size(file.path());
    row.first_sequence = s.first_sequence;
    row.last_sequence = s.last_sequence;
    row.triggers = s.triggers;
    row.start_utc_ns = s.first_utc_ns;
    row.end_utc_ns = s.last_utc_ns;
    row.state = std::move(state);
    return row;
}

CatalogueRun run_row(const RunDescription& run, const PartSummary& last) {
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

CatalogueComment comment_row(std::uint64_t run, const OperatorNote& note) {
    return {run, note.utc_ns, note.author, std::string{to_text(note.kind)}, note.text};
}

void put_run_row(Catalogue& catalogue, const AlleycatFile& file, std::uint64_t last_ordinal) {
    const RunDescription& d = file.run();
    for (const OperatorNote& note : file.notes()) catalogue.put(comment_row(d.run, note));
    const PartSummary& s = *file.summary();
    const std::optional<CatalogueRun> known = catalogue.run(d.run);
    const auto reached = [](std::uint64_t sequence) { return sequence + 1; };  // kNoSequence is before all others
    if (known &&
        (known->state == "ended" || (reached(known->last_sequence) >= reached(s.last_sequence) && !s.run_ended)))
        return;
    replace_run_row(catalogue, file, std::max(known ? known->last_ordinal : 0, last_ordinal));
}

void replace_run_row(Catalogue& catalogue, const AlleycatFile& file, std::uint64_t last_ordinal) {
    const RunDescription& d = file.run();
    const PartSummary& s = *file.summary();
    CatalogueRun row = run_row(d, s);
    row.state = s.run_ended ? "ended" : s.clean ? "running" : "interrupted";
    row.reason = s.end_reason;
    row.last_ordinal = last_ordinal;
    row.last_sequence = s.last_sequence;
    for (const CataloguePart& part : catalogue.parts(d.run)) row.recorded += part.triggers;
    catalogue.put(row);
    catalogue.judge_anew(d.run);
}

std::unique_ptr<Catalogue> open_catalogue(const std::filesystem::path& folder, CatalogueNews& news) {
    const std::filesystem::path path = Catalogue::file_in(folder);
    if (const std::string damage = Catalogue::damage_in(folder); !damage.empty()) {
        const std::filesystem::path aside = name_aside(path);
        rename_new(path, aside);
        std::error_code ignored;
        std::filesystem::remove(path.string() + "-journal", ignored);  // belongs to the one set aside
        news.push_back(fmt::format("{}: cannot be read ({}): it is set aside as {}", path.string(), damage,
                                   aside.filename().string()));
    }
    return std::make_unique<Catalogue>(folder, Catalogue::Open::write);
}

void complete_catalogue(const std::filesystem::path& folder, Catalogue& catalogue, CatalogueNews& news) {
    for (const auto& [name, path] : closed_parts(folder)) {
        if (!has_journal(path) && !catalogue.part(path.filename().string())) add_part(path, catalogue, news);
    }
}

CatalogueNews rebuild_catalogue(const std::filesystem::path& folder) {
    h5::prepare();
    if (!std::filesystem::is_directory(folder)) throw Error{fmt::format("{}: is not a folder", folder.string())};
    const FileDescriptor lock = open_file(folder / "writer.lock", O_RDWR | O_CREAT);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        throw Error{fmt::format("{}: a writer uses this folder: it completes the catalogue itself when it starts",
                                folder.string())};
    CatalogueNews news;
    const std::unique_ptr<Catalogue> catalogue = open_catalogue(folder, news);
    complete_catalogue(folder, *catalogue, news);
    for (const auto& [name, path] : closed_parts(folder)) add_digest(path, *catalogue, news);
    return news;
}

}  // namespace alleycat
