#pragma once
// What an emulated board does wrong on purpose.

#include <array>
#include <cstdint>
#include <string_view>

#include "readout/simulator_random.hpp"

namespace alleycat {

enum class Fault : std::uint8_t {
    lost,           ///< a packet or reply that never comes
    repeated,       ///< comes twice
    reordered,      ///< comes after the next
    late,           ///< comes after the driver has given up waiting
    wrong_counter,  ///< its packet or event counter is not the next
    short_reply,    ///< ends before its length says
    garbage,        ///< bytes that mean nothing
    stall,          ///< the board answers nothing for a few seconds
    reboot,         ///< it drops its connections, and its clock and counters begin anew
    clock_change,   ///< its clock jumps without a reboot
};
inline constexpr std::array<std::string_view, 10> kFaultNames{"lost",          "repeated",    "reordered", "late",
                                                              "wrong_counter", "short_reply", "garbage",   "stall",
                                                              "reboot",        "clock_change"};

/// How often each fault strikes, as a share of the occasions (packets, replies, triggers), and when: a pure function
/// of the seed and the number of the occasion.
class FaultPlan {
  public:
    explicit FaultPlan(std::uint64_t seed = 1) noexcept : seed_{seed} {}

    /// "lost=0.01,stall=0.0005"; a name alone is 0.001. Throws UsageError naming the word that is none.
    [[nodiscard]] static FaultPlan parse(std::string_view text, std::uint64_t seed);

    void set(Fault fault, double share) noexcept { shares_[static_cast<std::size_t>(fault)] = share; }
    [[nodiscard]] double share(Fault fault) const noexcept { return shares_[static_cast<std::size_t>(fault)]; }
    /// The next occasion for this fault: does it strike? Counts those that did.
    [[nodiscard]] bool strikes(Fault fault) noexcept;
    [[nodiscard]] std::uint64_t struck(Fault fault) const noexcept { return struck_[static_cast<std::size_t>(fault)]; }

  private:
    std::uint64_t seed_;
    std::array<double, kFaultNames.size()> shares_{};
    std::array<std::uint64_t, kFaultNames.size()> occasions_{}, struck_{};
};

}  // namespace alleycat
