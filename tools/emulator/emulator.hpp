#pragma once
// A board that is not there: speaks its protocol on a loopback port and serves the waveforms of a RecordSource, the
// simulator or a recorded file, at a chosen rate and with chosen faults.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "tools/emulator/faults.hpp"

namespace alleycat {

struct EmulatorConfig {
    std::uint16_t port = 0;  ///< on 127.0.0.1; 0: any free one
    double rate_hz = 0;      ///< triggers; 0: as fast as the client takes them
    /// With a rate: when the first waveform's trigger comes. Those that nobody takes are gone, as in life, and
    /// emulators with the same time and rate see the same triggers. nullopt: they wait for a client.
    std::optional<std::chrono::sys_time<std::chrono::nanoseconds>> first_trigger_utc{};
    std::uint64_t first_clock = 0;  ///< the board's clock at its start [its ticks]: near its end, it rolls over soon
    double clock_drift_ppm = 0;     ///< its clock runs fast by this
    FaultPlan faults{};
};

class Emulator {
  public:
    virtual ~Emulator() = default;

    /// Where it listens, from construction on.
    [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
    /// Serves clients, one after the other, until `stop` or until all its waveforms were taken.
    virtual void serve(std::stop_token stop) = 0;
    /// What it did: "triggers_served", "packets_lost", ... Valid when serve() has returned.
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::uint64_t>> counts() const = 0;
};

}  // namespace alleycat
