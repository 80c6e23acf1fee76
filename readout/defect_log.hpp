#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alleycat {

/// What a reader met that was not as it should be: a counter per kind and sentences for the operator. Called only when
/// something is wrong, so it may allocate.
class DefectLog {
  public:
    void count(std::string_view name, std::uint64_t n = 1) {
        for (auto& [known, value] : counts_) {
            if (known == name) {
                value += n;
                return;
            }
        }
        counts_.emplace_back(name, n);
    }
    /// After the first hundred sentences only their number grows: a run folder has ten thousand files.
    void remark(std::string sentence) {
        if (sentences_.size() < kMostSentences) {
            sentences_.push_back(std::move(sentence));
        } else {
            ++unsaid_;
        }
    }
    /// What another reader met, after what stands here.
    void add(const DefectLog& other) {
        for (const auto& [name, n] : other.counts_) count(name, n);
        for (const std::string& sentence : other.sentences_) remark(sentence);
        unsaid_ += other.unsaid_;
    }
    [[nodiscard]] const std::vector<std::pair<std::string, std::uint64_t>>& counts() const noexcept { return counts_; }
    [[nodiscard]] std::vector<std::string> remarks() const {
        std::vector<std::string> all = sentences_;
        if (unsaid_ != 0) all.push_back("and " + std::to_string(unsaid_) + " more");
        return all;
    }

  private:
    static constexpr std::size_t kMostSentences = 100;
    std::vector<std::pair<std::string, std::uint64_t>> counts_;
    std::vector<std::string> sentences_;
    std::uint64_t unsaid_ = 0;
};

}  // namespace alleycat
