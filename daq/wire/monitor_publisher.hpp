#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "daq/core/event_sink.hpp"
#include "daq/wire/security.hpp"

namespace alleycat {

/// The daemon's side of the monitor stream: numbers what it hears and sends it to whoever listens.
///
/// Never waits: a monitor that does not keep up misses messages, sees the hole in their numbers and asks for a
/// snapshot. Used by one thread. For a snapshot, that thread reads message_number() between two messages: the state it
/// has accumulated then is the state after that message.
class MonitorPublisher final : public EventSink {
  public:
    struct Config {
        std::string endpoint = "tcp://127.0.0.1:5556";
        Security security;
        int high_water_messages = 10'000;  ///< per monitor; beyond, that monitor misses messages
    };

    /// Listens. Throws Error (address in use), UsageError (unencrypted to other hosts).
    explicit MonitorPublisher(Config config);
    ~MonitorPublisher() override;

    void on_run(const RunDescription& run) override;
    void on_event(const Event& event) override;
    void on_beam(const BeamResolution& resolution) override;
    void on_ticks(std::span<const TickRecord> ticks) override;
    void on_dead_time(const DeadTime& interval) override;
    void on_calibration(const Calibration& calibration) override;
    void on_waveform(const Waveform& waveform) override;
    void on_status(const Status& status) override;
    void on_alarm(const Alarm& alarm) override;

    /// Several answers in one message.
    void on_beams(std::span<const BeamResolution> resolutions);
    /// Sends the last run again, for listeners without a snapshot; nothing before the first run. Once a second.
    void repeat_run();

    /// The state changed otherwise than by messages: listeners miss one, and ask for a snapshot.
    void leave_hole() noexcept;

    /// Of the last message sent; 0: none yet.
    [[nodiscard]] std::uint64_t message_number() const noexcept;
    /// Identity of this publisher, drawn at its start: goes into snapshots.
    [[nodiscard]] std::uint64_t identity() const noexcept;
    /// Where it listens, with the port that was chosen for "*".
    [[nodiscard]] const std::string& endpoint() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
