// The missing codes of the PCI-5153. Expected values by hand from v = c - floor((c + 5) / 11) (signal) and
// v = c + sign * floor((4 - |c|) / 11) (veto); floor() rounds down also below zero.

#include "daq/core/code_map.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <utility>

using namespace alleycat;

namespace {

constexpr int counts(const CodeTable& table, int code) { return table[static_cast<std::size_t>(code + 128)]; }

}  // namespace

TEST_CASE("the signal channel's codes close their holes", "[core][unit]") {
    constexpr std::array<std::pair<int, int>, 15> by_hand{{{0, 0},
                                                           {5, 5},        // floor(10/11) = 0
                                                           {6, 5},        // floor(11/11) = 1
                                                           {16, 15},      // floor(21/11) = 1
                                                           {17, 15},      // floor(22/11) = 2
                                                           {100, 91},     // floor(105/11) = 9
                                                           {126, 115},    // floor(131/11) = 11
                                                           {127, 115},    // floor(132/11) = 12
                                                           {-1, -1},      // floor(4/11) = 0
                                                           {-5, -5},      // floor(0) = 0
                                                           {-6, -5},      // floor(-1/11) = -1
                                                           {-16, -15},    // floor(-11/11) = -1
                                                           {-17, -15},    // floor(-12/11) = -2
                                                           {-127, -115},  // floor(-122/11) = -12
                                                           {-128, -116}}};
    for (const auto& [code, expected] : by_hand) {
        INFO("code " << code);
        REQUIRE(counts(kPci5153Signal, code) == expected);
    }
}

TEST_CASE("the veto channel's codes close their holes the same way above and below zero", "[core][unit]") {
    constexpr std::array<std::pair<int, int>, 8> by_hand{{{0, 0},
                                                          {4, 4},        // floor(0/11) = 0
                                                          {5, 4},        // floor(-1/11) = -1
                                                          {15, 14},      // floor(-11/11) = -1
                                                          {16, 14},      // floor(-12/11) = -2
                                                          {100, 91},     // floor(-96/11) = -9
                                                          {127, 115},    // floor(-123/11) = -12
                                                          {128, 116}}};  // floor(-124/11) = -12, exists below zero only
    for (const auto& [magnitude, expected] : by_hand) {
        INFO("code " << magnitude);
        if (magnitude < 128) REQUIRE(counts(kPci5153Veto, magnitude) == expected);
        REQUIRE(counts(kPci5153Veto, -magnitude) == -expected);
    }
}

TEST_CASE("both tables equal the formula in floating point at all 256 codes", "[core][unit]") {
    for (int c = -128; c <= 127; ++c) {
        INFO("code " << c);
        REQUIRE(counts(kPci5153Signal, c) == c - static_cast<int>(std::floor((c + 5) / 11.0)));
        const int sign = c < 0 ? -1 : 1;
        REQUIRE(counts(kPci5153Veto, c) == c + sign * static_cast<int>(std::floor((4 - std::abs(c)) / 11.0)));
    }
}

TEST_CASE("a board delivers every count by one code, and eleven counts take twelve codes", "[core][unit]") {
    for (const CodeTable* const table : {&kPci5153Signal, &kPci5153Veto}) {
        std::set<int> used;
        for (int value = -116; value <= 115; ++value) {
            const int code = code_for(*table, value);
            INFO("counts " << value << " code " << code);
            REQUIRE(counts(*table, code) == value);
            used.insert(code);
        }
        REQUIRE(used.size() == 232);  // of 256 codes 24 are never delivered
    }
    // Of two codes with one meaning the one nearer to zero exists: 6 and -6 are holes of the signal channel.
    REQUIRE(code_for(kPci5153Signal, 5) == 5);
    REQUIRE(code_for(kPci5153Signal, -5) == -5);
    REQUIRE(code_for(kPci5153Veto, 4) == 4);
    REQUIRE(code_for(kPci5153Veto, -4) == -4);
}

TEST_CASE("counts beyond the range give the code at the end of the range", "[core][unit]") {
    REQUIRE(code_for(kPci5153Signal, 116) == 127);
    REQUIRE(code_for(kPci5153Signal, 1'000'000) == 127);
    REQUIRE(code_for(kPci5153Signal, -117) == -128);
    REQUIRE(code_for(kPci5153Veto, -1'000'000) == -128);
}

TEST_CASE("a channel's key names its table", "[core][unit]") {
    REQUIRE(code_table("pci5153_signal") == &kPci5153Signal);
    REQUIRE(code_table("pci5153_veto") == &kPci5153Veto);
    REQUIRE(code_table("plain") == nullptr);
}
