#pragma once
// A FlashCam readout that is not there: an FCIO stream over TCP.

#include <memory>

#include "tools/emulator/emulator.hpp"

namespace alleycat {

/// Serves the source's records as events, and a status a second with one card. Times are those of the source, as pulses
/// per second and ticks of 4 ns, later by first_clock ticks. The two words before each trace, which the source does not
/// have, are the first sample and 0.
///
/// Faults, of events: lost; repeated; reordered (after the next); late (half a second); wrong_counter (its number is
/// not the next); short_reply (without its traces); garbage (bytes that are no stream, after which the connection is
/// given up); stall (3 s); reboot (the connection is dropped, clock and numbers begin anew); clock_change (a step of 10
/// s).
[[nodiscard]] std::unique_ptr<Emulator> make_fcio_emulator(std::unique_ptr<RecordSource> waveforms,
                                                           const EmulatorConfig& config);

}  // namespace alleycat
