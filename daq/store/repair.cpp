#include "daq/store/repair.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <map>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/rebuild.hpp"

namespace alleycat {
namespace {

std::filesystem::path journal_of(const std::filesystem::path& part) {
    const std::optional<PartName> name = parse_part_name(part);
    return name ? folder_of(part) / journal_name(*name) : std::filesystem::path{};
}

/// All journals of a run, by part.
std::map<std::uint32_t, std::filesystem::path> journals_of(const std::filesystem::path& folder, std::uint64_t run) {
    std::map<std::uint32_t, std::filesystem::path> journals;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        const std::optional<PartName> name = parse_part_name(entry.path());
        if (name && name->run == run && entry.path().extension() == ".journal") journals[name->part] = entry.path();
    }
    return journals;
}

/// Beam states that reached a newer journal and not the part's own.
void take_beam_states(RebuiltPart& part, const std::filesystem::path& newer) {
    JournalReader reader{newer};
    FrameContent content;
    for (FrameView frame; reader.next(frame);) {
        if (frame.header.kind != FrameKind::beam_states || frame.header.ordinal <= part.last_ordinal ||
            frame.header.ordinal < reader.header().first_ordinal)
            continue;
        read_content(frame, &part.writer->run(), content);
        part.writer->add(content);
        part.last_ordinal = frame.header.ordinal;
    }
}

/// The first frame of a journal describes its run.
StoreConfig store_config_in(const std::filesystem::path& journal) {
    JournalReader reader{journal};
    FrameView frame;
    if (!reader.next(frame)) throw Error{"cannot be repaired: its journal holds no frame"};
    FrameContent content;
    read_content(frame, nullptr, content);
    return store_config_of(content.description->config_text);
}

}  // namespace

std::filesystem::path closed_path(const std::filesystem::path& part) {
    return part.extension() == ".part" ? std::filesystem::path{part}.replace_extension() : part;
}

std::filesystem::path name_aside(const std::filesystem::path& file) {
    std::filesystem::path aside = file.string() + ".damaged";
    for (int n = 2; std::filesystem::exists(aside); ++n) aside = fmt::format("{}.damaged{}", file.string(), n);
    return aside;
}

bool has_journal(const std::filesystem::path& part) {
    const std::filesystem::path journal = journal_of(part);
    return !journal.empty() && std::filesystem::exists(journal);
}

StoreConfig store_config_of(const std::string& config_text) {
    try {
        const ConfigFile file = ConfigFile::parse(config_text, "/config");
        ConfigProblems problems;
        ConfigSection root{file, problems};
        return parse_store(root);
    } catch (const Error&) {
        return {};
    }
}

Repair repair_from_journals(const std::filesystem::path& path) {
    const std::filesystem::path journal = journal_of(path), closed = closed_path(path), folder = folder_of(path);
    const FileDescriptor lock = open_file(folder / "writer.lock", O_RDWR | O_CREAT);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) throw Error{"is not repaired while a writer uses its folder"};
    const StoreConfig store = store_config_in(journal);
    if (path == closed) rename_new(closed, name_aside(closed));  // a closed part that is damaged
    RebuiltPart rebuilt = rebuild_part(journal, closed, store.compression, store.raw);
    if (!rebuilt.writer) throw Error{"cannot be repaired: its journal holds no frame"};
    for (const auto& [part, newer] : journals_of(folder, rebuilt.header.run)) {
        if (part > rebuilt.header.part) take_beam_states(rebuilt, newer);
    }
    const std::uint64_t triggers = rebuilt.writer->triggers();
    const bool more = !rebuilt.end && journals_of(folder, rebuilt.header.run).rbegin()->first > rebuilt.header.part;
    rebuilt.writer->close({.run_ended = rebuilt.end.has_value(),
                           .clean = rebuilt.end ? rebuilt.end->clean : more,
                           .repaired = true,
                           .reason = rebuilt.end ? rebuilt.end->reason
                                     : more      ? "part full"
                                                 : "repaired: rebuilt from its journal"});
    Catalogue catalogue{folder, Catalogue::Open::write};
    const AlleycatFile file{closed};
    catalogue.put(part_row(file, sha256_of(closed), "repaired"));
    put_run_row(catalogue, file, rebuilt.last_ordinal);
    // A writer would have gone on with it: whoever repairs must know that this was the end of the run.
    const bool cut_off = !rebuilt.end && !more;
    return {fmt::format("rebuilt from {}: {} triggers{}{}", journal.filename().string(), triggers,
                        rebuilt.tear.empty() ? "" : " (" + rebuilt.tear + ")",
                        cut_off ? "; its run is over with this: what a daemon still has of it cannot be added" : ""),
            {}};
}

}  // namespace alleycat
