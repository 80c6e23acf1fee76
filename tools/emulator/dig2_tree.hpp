#pragma once
// The parameter tree of an emulated CAEN 27xx: folders, parameters, commands and endpoints, found by handle and path.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alleycat::dig2 {

/// The board says no; the words are its answer.
struct No {
    std::string why;
};

/// What a number may be.
struct Range {
    double min = 0, max = 0, step = 0;  ///< step 0: any; else values are rounded to it, as the board does
};

class Tree {
  public:
    struct Node {
        std::uint32_t handle = 0;
        std::uint32_t parent = 0;
        std::string name;       ///< in small letters
        std::string_view type;  ///< as getNodeProperties says it
        std::vector<std::uint32_t> children{};
        std::string value{}, initial{};
        bool writable = false;
        std::optional<Range> range{};
        std::vector<std::string> words{};     ///< allowed; empty: any
        std::function<std::string()> live{};  ///< read instead of `value`
    };

    Tree();

    [[nodiscard]] std::uint32_t root() const noexcept { return 1; }
    std::uint32_t add(std::uint32_t parent, std::string_view name, std::string_view type);
    Node& add_parameter(std::uint32_t folder, std::string_view name, std::string value);
    [[nodiscard]] Node& at(std::uint32_t handle) { return nodes_.at(handle - 1); }
    [[nodiscard]] const Node& at(std::uint32_t handle) const { return nodes_.at(handle - 1); }
    [[nodiscard]] bool known(std::uint32_t handle) const noexcept { return handle >= 1 && handle <= nodes_.size(); }

    /// The node at `path` below `from`; the last part but one may be a range: "/ch/0..63/par/chenable". Throws No.
    [[nodiscard]] std::vector<std::uint32_t> find_all(std::uint32_t from, std::string_view path) const;
    [[nodiscard]] std::uint32_t find(std::uint32_t from, std::string_view path) const;
    [[nodiscard]] std::string path(std::uint32_t handle) const;
    [[nodiscard]] std::string get(std::uint32_t handle) const;
    void set(std::uint32_t handle, std::string_view value);
    /// Every parameter has its first value again.
    void reset();
    /// All below, as JSON text.
    [[nodiscard]] std::string dump(std::uint32_t handle) const;

  private:
    std::deque<Node> nodes_;  // by handle - 1
};

}  // namespace alleycat::dig2
