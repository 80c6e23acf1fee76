#include "tools/emulator/dig2_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

namespace alleycat::dig2 {
namespace {

std::string lower(std::string_view text) {
    std::string small{text};
    for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return small;
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// "0..63": the numbers of a range of nodes.
std::optional<std::pair<unsigned, unsigned>> range_of(std::string_view name) {
    const std::size_t dots = name.find("..");
    if (dots == std::string_view::npos) return std::nullopt;
    const std::optional<double> first = number(name.substr(0, dots)), last = number(name.substr(dots + 2));
    if (!first || !last || *first < 0 || *last > 1000) return std::nullopt;
    return std::pair{static_cast<unsigned>(*first), static_cast<unsigned>(*last)};
}

nlohmann::json to_json(const Tree& tree, std::uint32_t handle) {
    const Tree::Node& node = tree.at(handle);
    nlohmann::json json{{"handle", node.handle}, {"name", node.name}, {"type", std::string{node.type}}};
    if (node.children.empty() && node.type == "PARAMETER") json["value"] = tree.get(handle);
    for (const std::uint32_t child : node.children) json["children"].push_back(to_json(tree, child));
    return json;
}

}  // namespace

Tree::Tree() { nodes_.push_back({.handle = 1, .parent = 1, .name = "", .type = "DIGITIZER"}); }

std::uint32_t Tree::add(std::uint32_t parent, std::string_view name, std::string_view type) {
    const auto handle = static_cast<std::uint32_t>(nodes_.size() + 1);
    nodes_.push_back({.handle = handle, .parent = parent, .name = lower(name), .type = type});
    at(parent).children.push_back(handle);
    return handle;
}

Tree::Node& Tree::add_parameter(std::uint32_t folder, std::string_view name, std::string value) {
    Node& node = at(add(folder, name, "PARAMETER"));
    node.value = node.initial = std::move(value);
    return node;
}

std::vector<std::uint32_t> Tree::find_all(std::uint32_t from, std::string_view path) const {
    if (!known(from)) throw No{fmt::format("handle {} is not known", from)};
    std::vector<std::uint32_t> here{from};
    std::string_view left = path;
    while (!left.empty()) {
        if (left.front() == '/') left.remove_prefix(1);
        const std::string name = lower(left.substr(0, left.find('/')));
        left.remove_prefix(name.size());
        if (name.empty()) continue;
        const auto range = range_of(name);
        std::vector<std::uint32_t> next;
        for (const std::uint32_t handle : here) {
            for (const std::uint32_t child : at(handle).children) {
                const std::string& is = at(child).name;
                const std::optional<double> index = range ? number(is) : std::nullopt;
                if (range ? index && *index >= range->first && *index <= range->second : is == name) {
                    next.push_back(child);
                }
            }
        }
        if (next.empty()) throw No{fmt::format("{}: '{}' not found", path, name)};
        here = std::move(next);
    }
    return here;
}

std::uint32_t Tree::find(std::uint32_t from, std::string_view path) const {
    const std::vector<std::uint32_t> found = find_all(from, path);
    if (found.size() != 1) throw No{fmt::format("{}: is several", path)};
    return found.front();
}

std::string Tree::path(std::uint32_t handle) const {
    return handle == root() ? "" : path(at(handle).parent) + "/" + at(handle).name;
}

std::string Tree::get(std::uint32_t handle) const {
    const Node& node = at(handle);
    if (node.type != "PARAMETER" && node.type != "ATTRIBUTE" && node.type != "FEATURE") {
        throw No{fmt::format("{}: has no value", path(handle))};
    }
    return node.live ? node.live() : node.value;
}

void Tree::set(std::uint32_t handle, std::string_view value) {
    Node& node = at(handle);
    if (!node.writable) throw No{fmt::format("{}: cannot be written", path(handle))};
    if (node.range) {
        const std::optional<double> wanted = number(value);
        if (!wanted || *wanted < node.range->min || *wanted > node.range->max) {
            throw No{fmt::format("{}: {} is outside {} to {}", path(handle), value, node.range->min, node.range->max)};
        }
        const double step = node.range->step;
        node.value = fmt::format("{}", step > 0 ? std::round(*wanted / step) * step : *wanted);
        return;
    }
    const auto allowed = [&](std::string_view word) {
        return std::any_of(node.words.begin(), node.words.end(),
                           [&](const std::string& known) { return lower(known) == lower(word); });
    };
    for (std::string_view left = value; !node.words.empty() && !left.empty();) {
        std::string_view word = left.substr(0, left.find('|'));
        left.remove_prefix(std::min(word.size() + 1, left.size()));
        while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
        while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
        if (!allowed(word)) throw No{fmt::format("{}: '{}' is not allowed", path(handle), word)};
    }
    node.value = value;
}

void Tree::reset() {
    for (Node& node : nodes_) node.value = node.initial;
}

std::string Tree::dump(std::uint32_t handle) const { return to_json(*this, handle).dump(); }

}  // namespace alleycat::dig2
