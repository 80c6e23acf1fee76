#pragma once
// From raw ADC codes to ADC counts. Most boards deliver counts; the PCI-5153 of the CsI[Na] detector leaves out one
// code in eleven (its driver scales), and every published threshold is in counts with the holes closed (facts of the
// 2015-17 raw format). Records keep the raw codes; this map belongs to the channel's configuration.

#include <array>
#include <cstdint>
#include <string_view>

namespace alleycat {

/// ADC counts for each int8 code, index = code + 128.
using CodeTable = std::array<std::int8_t, 256>;

namespace detail {
constexpr int floor_div(int a, int b) noexcept { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
}  // namespace detail

/// CsI channel: v = c - floor((c + 5) / 11).
[[nodiscard]] constexpr int pci5153_signal_counts(int code) noexcept { return code - detail::floor_div(code + 5, 11); }
/// Veto channel: v = c + sign * floor((4 - |c|) / 11), sign = -1 for c < 0, else +1.
[[nodiscard]] constexpr int pci5153_veto_counts(int code) noexcept {
    const int magnitude = code < 0 ? -code : code;
    return code + (code < 0 ? -1 : 1) * detail::floor_div(4 - magnitude, 11);
}

template <class Counts>
[[nodiscard]] constexpr CodeTable make_code_table(Counts counts) noexcept {
    CodeTable table{};
    for (int code = -128; code <= 127; ++code) {
        table[static_cast<std::size_t>(code + 128)] = static_cast<std::int8_t>(counts(code));
    }
    return table;
}
inline constexpr CodeTable kPci5153Signal = make_code_table(pci5153_signal_counts);
inline constexpr CodeTable kPci5153Veto = make_code_table(pci5153_veto_counts);

/// The table of a channel's `codes` key; nullptr for "plain".
[[nodiscard]] constexpr const CodeTable* code_table(std::string_view name) noexcept {
    if (name == "pci5153_signal") return &kPci5153Signal;
    if (name == "pci5153_veto") return &kPci5153Veto;
    return nullptr;
}

/// The code a board with this map delivers for `counts`. Of two codes that mean the same the one nearer to zero is the
/// one that exists; counts beyond the range give the code at its end, -128 or 127, which readers take for an overflow.
[[nodiscard]] constexpr std::int8_t code_for(const CodeTable& table, int counts) noexcept {
    int found = -129;
    for (int code = -128; code <= 127; ++code) {
        if (table[static_cast<std::size_t>(code + 128)] != counts) continue;
        if (found == -129 || (code < 0 ? -code : code) < (found < 0 ? -found : found)) found = code;
    }
    if (found == -129) return counts > 0 ? std::int8_t{127} : std::int8_t{-128};
    return static_cast<std::int8_t>(found);
}

}  // namespace alleycat
