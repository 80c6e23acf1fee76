#pragma once
// Which sequence numbers are accounted for, and sentences about those that are not (internal to daq/store).

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace alleycat {

/// Sequence numbers from `first` to `last`, and what became of them.
struct SequenceRange {
    /// `lost`: between daemon and file, and the file says so.
    enum class Fate : std::uint8_t { recorded, refused, lost };
    std::uint64_t first = 0, last = 0;  ///< inclusive
    Fate fate = Fate::recorded;

    [[nodiscard]] std::uint64_t size() const noexcept { return last - first + 1; }
};

/// Adds one that is recorded; growing numbers make one range as long as none is left out.
void add_recorded(std::vector<SequenceRange>& ranges, std::uint64_t sequence);

/// "trigger 5", "triggers 5 to 7".
[[nodiscard]] std::string text_of(std::uint64_t first, std::uint64_t last);
/// "triggers 5 to 7, 9 and 11", of growing numbers; after a score of stretches it says how many more there are.
[[nodiscard]] std::string text_of(const std::vector<std::uint64_t>& sequences);

/// Sorts `ranges`; a sentence for all that is missing between the first and the last, and for all that is there twice.
void check_coverage(std::vector<SequenceRange>& ranges, std::vector<std::string>& problems);

/// Sentences of one kind about one thing; beyond a score they are counted.
class Sentences {
  public:
    explicit Sentences(std::vector<std::string>& into) : into_{&into} {}
    ~Sentences();
    Sentences(const Sentences&) = delete;
    Sentences& operator=(const Sentences&) = delete;
    void add(std::string sentence);

  private:
    std::vector<std::string>* into_;
    std::size_t count_ = 0;
};

}  // namespace alleycat
