#include "daq/store/sequence_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace alleycat {
namespace {

constexpr std::size_t kMost = 20;

std::string is_or_are(std::uint64_t first, std::uint64_t last) {
    return text_of(first, last) + (first == last ? " is" : " are");
}

}  // namespace

void add_recorded(std::vector<SequenceRange>& ranges, std::uint64_t sequence) {
    if (!ranges.empty() && ranges.back().fate == SequenceRange::Fate::recorded && ranges.back().last + 1 == sequence)
        ++ranges.back().last;
    else
        ranges.push_back({sequence, sequence});
}

std::string text_of(std::uint64_t first, std::uint64_t last) {
    return first == last ? fmt::format("trigger {}", first) : fmt::format("triggers {} to {}", first, last);
}

std::string text_of(const std::vector<std::uint64_t>& sequences) {
    std::vector<SequenceRange> stretches;
    for (const std::uint64_t s : sequences) add_recorded(stretches, s);
    std::string text = sequences.size() == 1 ? "trigger " : "triggers ";
    for (std::size_t i = 0; i < std::min(stretches.size(), kMost); ++i) {
        const SequenceRange& s = stretches[i];
        const char* const before = i == 0 ? "" : i + 1 == stretches.size() ? " and " : ", ";
        text += before + (s.first == s.last ? std::to_string(s.first) : fmt::format("{} to {}", s.first, s.last));
    }
    if (stretches.size() > kMost) text += fmt::format(" and {} stretches more", stretches.size() - kMost);
    return text;
}

void check_coverage(std::vector<SequenceRange>& ranges, std::vector<std::string>& problems) {
    std::sort(ranges.begin(), ranges.end(),
              [](const SequenceRange& a, const SequenceRange& b) { return a.first < b.first; });
    Sentences gaps{problems};
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const SequenceRange& r = ranges[i];
        if (i > 0 && r.first > last + 1)
            gaps.add(fmt::format("{} missing: neither recorded nor refused", is_or_are(last + 1, r.first - 1)));
        if (i > 0 && r.first <= last) {
            const bool both = ranges[i - 1].fate != r.fate && r.fate != SequenceRange::Fate::lost &&
                              ranges[i - 1].fate != SequenceRange::Fate::lost;
            gaps.add(fmt::format("{} there twice{}", is_or_are(r.first, std::min(last, r.last)),
                                 both ? ": recorded and refused" : ""));
        }
        last = i == 0 ? r.last : std::max(last, r.last);
    }
}

Sentences::~Sentences() {
    if (count_ > kMost) into_->push_back(fmt::format("and {} more of this kind", count_ - kMost));
}

void Sentences::add(std::string sentence) {
    if (++count_ <= kMost) into_->push_back(std::move(sentence));
}

}  // namespace alleycat
