#pragma once
// What operators say of a run: comments, and marks with their reasons. They travel in the data stream like data.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace alleycat {

enum class NoteKind : std::uint8_t { comment = 0, good = 1, tainted = 2 };
inline constexpr std::array<std::string_view, 3> kNoteKindNames{"comment", "good", "tainted"};
[[nodiscard]] constexpr std::string_view to_text(NoteKind kind) noexcept {
    return kNoteKindNames[static_cast<std::size_t>(kind)];
}

inline constexpr std::size_t kMaxNoteText = 1000;   ///< bytes of UTF-8
inline constexpr std::size_t kMaxNoteAuthor = 100;  ///< the same

struct OperatorNote {
    std::int64_t utc_ns = 0;  ///< when it was said
    NoteKind kind = NoteKind::comment;
    std::string author;
    std::string text;  ///< of a mark its reason

    friend bool operator==(const OperatorNote&, const OperatorNote&) = default;
};

/// Why it cannot be noted, in words for the operator; "": it can. Text is one line: it stands in logs and on screens.
[[nodiscard]] std::string note_problem(const OperatorNote& note);

}  // namespace alleycat
