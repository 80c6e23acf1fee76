#pragma once
// A Struck SIS3316 that is not there: registers, two memory banks, both dialects of its Ethernet interface.

#include <chrono>
#include <memory>
#include <vector>

#include "tools/emulator/emulator.hpp"

namespace alleycat {

struct Sis3316Emulation {
    bool packet_identifiers = true;  ///< as VME FPGAs from V_3316-2008 on
    std::vector<unsigned> inputs{};  ///< 0 to 15: where the channels of the source are plugged in; empty: in order
    std::chrono::milliseconds stall{2500};     ///< Fault::stall: so long it answers nothing
    std::chrono::milliseconds reboot{500};     ///< Fault::reboot: the same, and it has forgotten everything
    std::chrono::milliseconds late{200};       ///< Fault::late: so late
    std::uint32_t stuck_register = 0;          ///< writes to this one are ignored
    std::chrono::microseconds packet_gap{12};  ///< between packets of a memory read: 1 Gbit/s
};

/// Triggers come while a bank is armed, at the configured rate, or as fast as the banks are read. A channel gets an
/// event of a trigger when its event configuration says so (external trigger, which the acquisition control must let
/// in, or internal trigger), with as many samples as the raw buffer is set to: of a longer waveform the first ones, a
/// shorter one goes on with its last. To clear the time stamp sets the clock to `first_clock`. A full bank stops the
/// triggers; so nothing is lost but in a reboot. Occasions of faults: lost, repeated, late, garbage: every answer;
/// reordered, wrong_counter, short_reply: every packet of a memory read; stall, reboot, clock_change, and garbage
/// again (in the words of one event): every trigger.
class Sis3316Emulator final : public Emulator {
  public:
    /// Throws Error when the port cannot be had or the source's samples are not of 16 bit.
    Sis3316Emulator(std::unique_ptr<RecordSource> source, const EmulatorConfig& config,
                    const Sis3316Emulation& emulation);
    ~Sis3316Emulator() override;

    [[nodiscard]] std::uint16_t port() const noexcept override;
    void serve(std::stop_token stop) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> counts() const override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
