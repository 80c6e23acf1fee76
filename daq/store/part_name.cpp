#include "daq/store/part_name.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace alleycat {
namespace {

std::string stem(const PartName& name) { return fmt::format("run_{:06}_part_{:04}", name.run, name.part); }

/// Takes `prefix` and a number off the front.
template <class Number>
bool take(std::string_view& text, std::string_view prefix, Number& value) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

}  // namespace

std::string closed_name(const PartName& name) { return stem(name) + ".h5"; }
std::string unfinished_name(const PartName& name) { return stem(name) + ".h5.part"; }
std::string journal_name(const PartName& name) { return stem(name) + ".journal"; }

std::optional<PartName> parse_part_name(const std::filesystem::path& file) {
    const std::string name = file.filename().string();
    std::string_view rest = name;
    PartName found;
    if (!take(rest, "run_", found.run) || !take(rest, "_part_", found.part)) return std::nullopt;
    if (!rest.starts_with(".h5") && !rest.starts_with(".journal")) return std::nullopt;
    return found;
}

}  // namespace alleycat
