#pragma once
// TOML, read once into plain structs; after start nobody reads text. Every problem is reported, not the first only, as
// "file:line:column: key: what is wrong"; a key nobody asked for is a problem.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daq/core/error.hpp"

namespace toml {
inline namespace v3 {
class node;
class table;
}  // namespace v3
}  // namespace toml

namespace alleycat {

/// Problems found in one station file, in the order of their lines.
class ConfigProblems {
  public:
    void add(std::string_view file, std::uint32_t line, std::uint32_t column, std::string_view key,
             std::string_view what);
    [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }
    /// "station.toml:2:17: trigger.threshold_adc: -3 is outside [1, 30000]" per problem, by line.
    [[nodiscard]] std::vector<std::string> lines() const;
    /// Throws UsageError with all lines when there are any.
    void throw_if_any() const;

  private:
    struct Problem {
        std::uint32_t line, column;
        std::string text;
    };
    std::vector<Problem> problems_;
};

/// A station file: its text and what it parsed to.
class ConfigFile {
  public:
    /// Throws UsageError when the file cannot be read or is not TOML ("FILE:3:5: ...").
    [[nodiscard]] static ConfigFile load(const std::filesystem::path& path);
    [[nodiscard]] static ConfigFile parse(std::string text, std::string name);
    ConfigFile(ConfigFile&&) noexcept;
    ConfigFile& operator=(ConfigFile&&) noexcept;
    ~ConfigFile();

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const toml::table& root() const noexcept { return *root_; }

  private:
    ConfigFile();
    std::string text_;
    std::string name_;
    std::unique_ptr<toml::table> root_;
};

/// One table of the file, read key by key. Call finish() when all keys were asked for: what is left over is unknown.
/// A missing table reads as an empty one.
class ConfigSection {
  public:
    /// The whole file.
    ConfigSection(const ConfigFile& file, ConfigProblems& problems);

    [[nodiscard]] bool present() const noexcept { return table_ != nullptr; }
    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    // With a fallback the key may be absent; without, its absence is a problem. A value of the wrong type or outside
    // [min, max] is a problem; the fallback (or min) is returned so that reading can go on.
    [[nodiscard]] double number(std::string_view key, double fallback, double min, double max);
    [[nodiscard]] double required_number(std::string_view key, double min, double max);
    [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
    [[nodiscard]] std::int64_t required_integer(std::string_view key, std::int64_t min, std::int64_t max);
    [[nodiscard]] bool boolean(std::string_view key, bool fallback);
    [[nodiscard]] std::string text(std::string_view key, std::string_view fallback);
    [[nodiscard]] std::string required_text(std::string_view key);
    /// Every key of a table whose keys are not known here, each with its text, in the order of the file.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> texts(std::string_view key);
    /// A text alone is a list of one.
    [[nodiscard]] std::vector<std::string> text_list(std::string_view key, std::vector<std::string> fallback);
    [[nodiscard]] std::vector<double> number_list(std::string_view key, std::vector<double> fallback, double min,
                                                  double max);

    /// One of a few words: choice<Polarity>("polarity", Polarity::negative, {{"negative", ...}, {"positive", ...}}).
    template <class E>
    [[nodiscard]] E choice(std::string_view key, E fallback,
                           std::initializer_list<std::pair<std::string_view, E>> words) {
        std::string known;
        std::string_view fallback_word;
        for (const auto& [word, value] : words) {
            known += (known.empty() ? "" : ", ") + std::string{word};
            if (value == fallback) fallback_word = word;
        }
        const std::string chosen = text(key, fallback_word);
        for (const auto& [word, value] : words) {
            if (word == chosen) return value;
        }
        problem(key, "'" + chosen + "' is not one of " + known);
        return fallback;
    }

    /// A table inside this one; reads as empty when absent.
    [[nodiscard]] ConfigSection section(std::string_view key);
    /// An array of tables inside this one ([[board]]); empty when absent.
    [[nodiscard]] std::vector<ConfigSection> sections(std::string_view key);

    /// A problem of meaning, reported at the key's place (or the table's, if the key is absent).
    void problem(std::string_view key, std::string_view what);
    /// A key that another folder reads: not unknown.
    void leave_to_others(std::string_view key) { known_.insert(std::string{key}); }
    /// Reports the keys nobody asked for.
    void finish();

  private:
    ConfigSection(const std::string& file, const toml::table* table, std::string path, ConfigProblems& problems);
    [[nodiscard]] const toml::node* find(std::string_view key);
    [[nodiscard]] std::string full_key(std::string_view key) const;
    void report(const toml::node* at, std::string_view key, std::string_view what);

    std::string file_;
    const toml::table* table_;
    std::string path_;
    ConfigProblems* problems_;
    std::set<std::string, std::less<>> known_;
};

}  // namespace alleycat
