#pragma once
// run_000123_part_0001.h5, its .part while it is written, and its .journal.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace alleycat {

struct PartName {
    std::uint64_t run = 0;
    std::uint32_t part = 0;  ///< from 1

    friend auto operator<=>(const PartName&, const PartName&) = default;
};

[[nodiscard]] std::string closed_name(const PartName& name);      ///< "run_000123_part_0001.h5"
[[nodiscard]] std::string unfinished_name(const PartName& name);  ///< "run_000123_part_0001.h5.part"
[[nodiscard]] std::string journal_name(const PartName& name);     ///< "run_000123_part_0001.journal"

/// The part a file belongs to: a closed, an unfinished one, or a journal (also one set aside: any text may follow);
/// nullopt for other names.
[[nodiscard]] std::optional<PartName> parse_part_name(const std::filesystem::path& file);

}  // namespace alleycat
