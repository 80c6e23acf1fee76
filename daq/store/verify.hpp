#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace alleycat {

/// What verify found, in plain sentences.
struct VerifyReport {
    struct File {
        std::filesystem::path path;
        std::uint64_t run = 0;
        std::uint32_t part = 0;
        std::uint64_t triggers = 0;
        bool closed = false;
        std::vector<std::string> problems;  ///< data are missing, doubled, changed, or cannot be read
        std::vector<std::string> notes;     ///< worth knowing, not wrong: no digest recorded, rebuilt from its journal
    };
    std::vector<File> files;
    std::vector<std::string> problems;  ///< between files: a part or sequence numbers between parts are missing
    std::vector<std::string> notes;     ///< between files: what was lost between runs

    /// No problem anywhere.
    [[nodiscard]] bool ok() const noexcept;
};

/// Checks a part, or all parts of a folder and how they follow each other: every sequence number is a row or refused
/// and none is both, columns are of one length and aligned, each trigger has the records it should have, time grows,
/// dead times are disjoint, /summary and the ledgers agree with the rows, the part's own digest with its content, the
/// catalogue with parts and digests; every stored byte is read against its checksum.
///
/// `repair`: a part that is not closed or cannot be read is made again from the journals of its run where its own
/// stands beside it; else what of it is provably right becomes a new part, and what is lost is named. What it replaces
/// is kept as FILE.damaged. Throws Error when `path` is absent, or a folder without parts.
[[nodiscard]] VerifyReport verify(const std::filesystem::path& path, bool repair = false);

}  // namespace alleycat
