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
    std::vector<std::string> problems;      ///< between files: a part or sequence numbers between parts are missing

    /// No problem anywhere.
    [[nodiscard]] bool ok() const noexcept;
};

/// Checks a part, or all parts of a folder and how they follow each other: every sequence number is a row or refused
/// and none is both, columns are of one length and aligned, samples belong to triggers, time grows, /summary and the
/// ledger agree with the rows, the digest with the catalogue; every stored byte is read against its checksum.
///
/// `repair`: a part that is not closed or cannot be read is made again from its journal where that stands beside it. What it
/// replaces is kept as FILE.damaged. Without a journal nothing is changed and a problem says so.
/// Throws Error when `path` is absent, or a folder without parts.
[[nodiscard]] VerifyReport verify(const std::filesystem::path& path, bool repair = false);

}  // namespace alleycat
