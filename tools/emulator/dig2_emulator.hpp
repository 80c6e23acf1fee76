#pragma once
// A CAEN 27xx with scope firmware that is not there: parameter tree, commands, start, data and stop events.

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "tools/emulator/emulator.hpp"

namespace alleycat {

/// Answers any number of clients on the control port, in the JSON dialect, and one on the data port. It has 64 inputs:
/// the k-th enabled one sees the source's k-th channel, one beyond them a flat line. Records are cut or, with their
/// last sample, filled to RecordLengthS. Its clock is that of the records; what it cannot send at once waits.
///
/// Of the faults: lost, repeated, wrong_counter (5 back), clock_change (back by up to 0.3 s), short_reply (half of an
/// event in a block that claims to be whole), garbage (an event, or every other time a block header), stall
/// (`stall_s` of silence on both connections), late (half a second of it), reordered (an event after the next) and
/// reboot.
class Dig2Emulator final : public Emulator {
  public:
    /// Throws Error when the port is taken.
    Dig2Emulator(std::unique_ptr<RecordSource> source, const EmulatorConfig& config, double stall_s = 4);
    ~Dig2Emulator() override;

    [[nodiscard]] std::uint16_t port() const noexcept override;
    void serve(std::stop_token stop) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> counts() const override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
