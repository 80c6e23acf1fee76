#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct archive;

namespace alleycat {

/// Members of a zip file, first to last, each read forward. The directory at the zip's end is not needed, so that
/// everything before a tear is readable; a wrong checksum shows when a member's last byte was read.
class ZipStream {
  public:
    /// Throws Error naming the file when it cannot be opened.
    explicit ZipStream(const std::filesystem::path& path);

    /// Goes to the next member that is a file; false when there is none, or problem() says why it cannot be reached.
    [[nodiscard]] bool next_member();
    [[nodiscard]] const std::string& member() const noexcept { return member_; }

    /// Fills `into` from the member. Less than its size: the member's end (problem() is empty) or damage.
    [[nodiscard]] std::size_t read(std::span<std::byte> into);

    enum class Damage {
        none,
        torn,      ///< cut short, or the compressed data do not decode: nothing after this point
        checksum,  ///< all bytes came, but they are not those that were packed
    };
    [[nodiscard]] Damage damage() const noexcept { return damage_; }
    /// What is wrong, in the library's words; "" when nothing is.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

    /// Of the packed file [bytes].
    [[nodiscard]] std::uint64_t bytes_consumed() const noexcept;

  private:
    struct Close {
        void operator()(archive* a) const noexcept;
    };
    void note_problem(Damage damage);

    std::unique_ptr<archive, Close> archive_;
    std::string member_;
    std::string problem_;
    std::span<const std::byte> block_;  ///< unpacked and not yet handed out
    bool member_ended_ = true;
    Damage damage_ = Damage::none;
};

}  // namespace alleycat
