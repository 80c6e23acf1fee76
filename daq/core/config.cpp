#include "daq/core/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace alleycat {
namespace {

constexpr std::size_t kLongestFile = 1u << 20;  // bytes; a station of 16 boards has a few thousand lines

std::string_view kind_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::string: return "a text";
        case toml::node_type::integer: return "an integer";
        case toml::node_type::floating_point: return "a number";
        case toml::node_type::boolean: return "true or false";
        default: return "a date or time";
    }
}

/// The number a node holds, whether written as 3 or as 3.0.
std::optional<double> as_number(const toml::node& node) {
    if (node.is_integer()) return static_cast<double>(node.as_integer()->get());
    if (node.is_floating_point()) return node.as_floating_point()->get();
    return std::nullopt;
}

}  // namespace

void ConfigProblems::add(std::string_view file, std::uint32_t line, std::uint32_t column, std::string_view key,
                         std::string_view what) {
    problems_.push_back({line, column, fmt::format("{}:{}:{}: {}: {}", file, line, column, key, what)});
}

std::vector<std::string> ConfigProblems::lines() const {
    std::vector<Problem> sorted = problems_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
        return std::pair{a.line, a.column} < std::pair{b.line, b.column};
    });
    std::vector<std::string> lines;
    for (const Problem& problem : sorted) lines.push_back(problem.text);
    return lines;
}

void ConfigProblems::throw_if_any() const {
    if (problems_.empty()) return;
    std::string all;
    for (const std::string& line : lines()) all += (all.empty() ? "" : "\n") + line;
    throw UsageError{all};
}

ConfigFile::ConfigFile() = default;
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile& ConfigFile::operator=(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

ConfigFile ConfigFile::load(const std::filesystem::path& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
        throw UsageError{fmt::format("{}: is a folder, not a station file", path.string())};
    if (!std::filesystem::exists(path, error))
        throw UsageError{fmt::format("{}: there is no such file", path.string())};
    // Opening a FIFO or a socket would wait for somebody who writes; a device (/dev/stdin) may well be read.
    if (std::filesystem::is_fifo(path, error) || std::filesystem::is_socket(path, error))
        throw UsageError{fmt::format("{}: is a pipe or a socket, not a station file", path.string())};
    std::ifstream in{path, std::ios::binary};
    std::string text(kLongestFile + 1, '\0');  // a device or a recording given by mistake may have no end
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || (in.fail() && !in.eof()))
        throw UsageError{fmt::format("{}: cannot read the station file", path.string())};
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.empty()) throw UsageError{fmt::format("{}: the station file is empty", path.string())};
    if (text.size() > kLongestFile) throw UsageError{fmt::format("{}: is too long for a station file", path.string())};
    return parse(std::move(text), path.string());
}

ConfigFile ConfigFile::parse(std::string text, std::string name) {
    ConfigFile file;
    try {
        file.root_ = std::make_unique<toml::table>(toml::parse(std::string_view{text}, std::string_view{name}));
    } catch (const toml::parse_error& e) {
        throw UsageError{fmt::format("{}:{}:{}: not TOML: {}", name, e.source().begin.line, e.source().begin.column,
                                     e.description())};
    }
    file.text_ = std::move(text);
    file.name_ = std::move(name);
    return file;
}

ConfigSection::ConfigSection(const ConfigFile& file, ConfigProblems& problems)
    : ConfigSection{file.name(), &file.root(), "", problems} {}

ConfigSection::ConfigSection(const std::string& file, const toml::table* table, std::string path,
                             ConfigProblems& problems)
    : file_{file}, table_{table}, path_{std::move(path)}, problems_{&problems} {}

std::string ConfigSection::full_key(std::string_view key) const {
    if (key.empty()) return path_;
    return path_.empty() ? std::string{key} : fmt::format("{}.{}", path_, key);
}

const toml::node* ConfigSection::find(std::string_view key) {
    known_.insert(std::string{key});
    return table_ == nullptr ? nullptr : table_->get(key);
}

bool ConfigSection::has(std::string_view key) const { return table_ != nullptr && table_->contains(key); }

void ConfigSection::report(const toml::node* at, std::string_view key, std::string_view what) {
    const toml::source_region where = at != nullptr       ? at->source()
                                      : table_ != nullptr ? table_->source()
                                                          : toml::source_region{};
    problems_->add(file_, std::max<std::uint32_t>(where.begin.line, 1), std::max<std::uint32_t>(where.begin.column, 1),
                   full_key(key), what);
}

void ConfigSection::problem(std::string_view key, std::string_view what) { report(find(key), key, what); }

double ConfigSection::number(std::string_view key, double fallback, double min, double max) {
    const toml::node* const node = find(key);
    if (node == nullptr) return fallback;
    const std::optional<double> value = as_number(*node);
    if (!value) {
        report(node, key, fmt::format("must be a number, not {}", kind_of(*node)));
        return fallback;
    }
    if (!(*value >= min && *value <= max)) {
        report(node, key, fmt::format("{} is outside [{}, {}]", *value, min, max));
        return fallback;
    }
    return *value;
}

double ConfigSection::required_number(std::string_view key, double min, double max) {
    if (!has(key)) report(find(key), key, fmt::format("is missing: a number from {} to {}", min, max));
    return number(key, min, min, max);
}

std::int64_t ConfigSection::integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max) {
    const toml::node* const node = find(key);
    if (node == nullptr) return fallback;
    if (!node->is_integer()) {
        report(node, key, fmt::format("must be an integer, not {}", kind_of(*node)));
        return fallback;
    }
    const std::int64_t value = node->as_integer()->get();
    if (value < min || value > max) {
        report(node, key, fmt::format("{} is outside [{}, {}]", value, min, max));
        return fallback;
    }
    return value;
}

std::int64_t ConfigSection::required_integer(std::string_view key, std::int64_t min, std::int64_t max) {
    if (!has(key)) report(find(key), key, fmt::format("is missing: an integer from {} to {}", min, max));
    return integer(key, min, min, max);
}

bool ConfigSection::boolean(std::string_view key, bool fallback) {
    const toml::node* const node = find(key);
    if (node == nullptr) return fallback;
    if (!node->is_boolean()) {
        report(node, key, fmt::format("must be true or false, not {}", kind_of(*node)));
        return fallback;
    }
    return node->as_boolean()->get();
}

std::string ConfigSection::text(std::string_view key, std::string_view fallback) {
    const toml::node* const node = find(key);
    if (node == nullptr) return std::string{fallback};
    if (!node->is_string()) {
        report(node, key, fmt::format("must be a text in quotes, not {}", kind_of(*node)));
        return std::string{fallback};
    }
    return node->as_string()->get();
}

std::string ConfigSection::required_text(std::string_view key) {
    if (!has(key)) report(find(key), key, "is missing: a text in quotes");
    return text(key, "");
}

std::vector<std::pair<std::string, std::string>> ConfigSection::texts(std::string_view key) {
    ConfigSection all = section(key);
    std::vector<std::pair<toml::source_position, std::pair<std::string, std::string>>> found;
    if (all.present()) {
        for (const auto& [name, node] : *all.table_) {
            found.emplace_back(name.source().begin, std::pair{std::string{name.str()}, all.text(name.str(), "")});
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::pair<std::string, std::string>> texts;
    for (auto& [place, one] : found) texts.push_back(std::move(one));
    return texts;
}

std::vector<std::string> ConfigSection::text_list(std::string_view key, std::vector<std::string> fallback) {
    const toml::node* const node = find(key);
    if (node == nullptr) return fallback;
    if (node->is_string()) return {node->as_string()->get()};
    if (!node->is_array()) {
        report(node, key, fmt::format("must be a list of texts, not {}", kind_of(*node)));
        return fallback;
    }
    std::vector<std::string> texts;
    for (const toml::node& element : *node->as_array()) {
        if (element.is_string()) {
            texts.push_back(element.as_string()->get());
        } else {
            report(&element, key, fmt::format("must hold texts only, not {}", kind_of(element)));
        }
    }
    return texts;
}

std::vector<double> ConfigSection::number_list(std::string_view key, std::vector<double> fallback, double min,
                                               double max) {
    const toml::node* const node = find(key);
    if (node == nullptr) return fallback;
    if (!node->is_array()) {
        report(node, key, fmt::format("must be a list of numbers, not {}", kind_of(*node)));
        return fallback;
    }
    std::vector<double> numbers;
    for (const toml::node& element : *node->as_array()) {
        const std::optional<double> value = as_number(element);
        if (!value) {
            report(&element, key, fmt::format("must hold numbers only, not {}", kind_of(element)));
        } else if (!(*value >= min && *value <= max)) {
            report(&element, key, fmt::format("{} is outside [{}, {}]", *value, min, max));
        } else {
            numbers.push_back(*value);
        }
    }
    return numbers;
}

ConfigSection ConfigSection::section(std::string_view key) {
    const toml::node* const node = find(key);
    if (node != nullptr && !node->is_table()) {
        report(node, key, fmt::format("must be a table ([{}]), not {}", full_key(key), kind_of(*node)));
    }
    return {file_, node != nullptr ? node->as_table() : nullptr, full_key(key), *problems_};
}

std::vector<ConfigSection> ConfigSection::sections(std::string_view key) {
    std::vector<ConfigSection> all;
    const toml::node* const node = find(key);
    if (node == nullptr) return all;
    if (!node->is_array_of_tables()) {
        report(node, key, fmt::format("must be written as [[{}]], not {}", full_key(key), kind_of(*node)));
        return all;
    }
    for (const toml::node& element : *node->as_array()) {
        all.push_back({file_, element.as_table(), full_key(key), *problems_});
    }
    return all;
}

void ConfigSection::finish() {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
        if (!known_.contains(key.str())) {
            problems_->add(file_, key.source().begin.line, key.source().begin.column, full_key(key.str()),
                           "unknown key");
        }
    }
}

}  // namespace alleycat
