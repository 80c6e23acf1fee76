#pragma once
// The bodies of monitor messages: numbered bytes out, checked core structs in. No socket here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "daq/core/event_sink.hpp"

namespace alleycat {

/// Second frame of every monitor message. Raised when an older receiver could misread what is sent.
inline constexpr std::uint32_t kMonitorSchemaVersion = 1;

/// First frame of every monitor message. Dead time travels as "status": it, too, is how the run is doing.
namespace monitor_topic {
inline constexpr std::string_view run = "run", status = "status", event = "event", beam = "beam", waveform = "waveform",
                                  calibration = "calibration", alarm = "alarm";
}

/// Which message of which daemon.
struct MonitorMessageId {
    std::uint64_t publisher = 0;  ///< drawn at a publisher's start
    std::uint64_t number = 0;     ///< from 1, without holes, over all topics

    friend bool operator==(const MonitorMessageId&, const MonitorMessageId&) = default;
};

/// Makes bodies. What it returns holds until the next call. Reuses its memory: nothing is allocated per event once
/// warm.
class MonitorEncoder {
  public:
    MonitorEncoder();
    ~MonitorEncoder();
    MonitorEncoder(MonitorEncoder&&) noexcept;

    /// `repeat`: the run was announced before; this one is for those who came later.
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const RunDescription& run, bool repeat);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const Event& event);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, std::span<const BeamResolution> resolutions);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, std::span<const TickRecord> ticks);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const DeadTime& interval);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const Calibration& calibration);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const Waveform& waveform);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const Status& status);
    [[nodiscard]] std::span<const std::byte> encode(MonitorMessageId id, const Alarm& alarm);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads bodies, checks them whole, and then hands them on.
class MonitorDecoder {
  public:
    MonitorDecoder();
    ~MonitorDecoder();
    MonitorDecoder(MonitorDecoder&&) noexcept;

    /// false: damaged or hostile; then nothing of it is to be used.
    [[nodiscard]] bool read(std::span<const std::byte> body);

    // Of the message read last:
    [[nodiscard]] MonitorMessageId id() const noexcept;
    /// A run message that only repeats what was announced before.
    [[nodiscard]] bool is_repeat() const noexcept;
    /// Calls the one function of the sink that fits; none when the message is of a kind this program does not know.
    void deliver(EventSink& sink) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
