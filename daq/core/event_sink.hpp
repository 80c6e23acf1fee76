#pragma once
// What a monitor hears, in order, whether from the daemon's socket, from inside the daemon, or from a file.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/event.hpp"
#include "daq/core/run_description.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

/// Where an SPE charge comes from.
enum class CalibrationOrigin : std::uint32_t {
    configured = 0,  ///< the station file
    fitted = 1,      ///< a fit to a block of the data
    kept = 2,        ///< the block's fit was no good, or there was too little to fit: the last good value goes on
};
inline constexpr std::array<std::string_view, 3> kCalibrationOriginNames{"configured", "fitted", "kept"};

/// The SPE charge in force from a sequence on.
struct Calibration {
    std::uint64_t from_sequence = 0;
    double spe_charge_adc = 0;  ///< [ADC x sample]
    double spe_charge_error_adc = 0;
    double fit_quality = 0;   ///< chi2 / degrees of freedom of the block's fit; 0: there was none
    std::uint64_t block = 0;  ///< whose data it was made from, counted from 0
    std::uint64_t peaks = 0;  ///< in the histogram that was fitted
    CalibrationOrigin origin = CalibrationOrigin::configured;
    std::uint32_t detector = 0;  ///< index in RunDescription::detectors

    friend bool operator==(const Calibration&, const Calibration&) = default;
};

/// One trace as the scope shows it.
struct WaveformChannel {
    std::string board;
    std::string channel;
    std::int64_t sample_period_ps = 0;
    std::vector<std::int32_t> codes;  ///< ADC codes as delivered, shape (samples,)

    friend bool operator==(const WaveformChannel&, const WaveformChannel&) = default;
};
struct WaveformPeak {
    std::int32_t begin = 0, end = 0;  ///< samples of the signal trace: first above threshold, first below again
    friend bool operator==(const WaveformPeak&, const WaveformPeak&) = default;
};
struct Waveform {
    std::uint64_t sequence = 0;
    std::int64_t utc_ns = 0;
    double baseline_median_adc = 0;  ///< of the signal channel, in ADC counts after its code map
    std::vector<WaveformChannel> channels;
    std::vector<WaveformPeak> peaks;  ///< of the signal channel
    bool peaks_known = true;          ///< false: from a file, which holds samples and features but no peak list

    friend bool operator==(const Waveform&, const Waveform&) = default;
};

class EventSink {
  public:
    virtual ~EventSink() = default;
    virtual void on_run(const RunDescription& run) = 0;
    virtual void on_event(const Event& event) = 0;
    virtual void on_beam(const BeamResolution& resolution) = 0;
    /// Ticks of a station of self-triggered boards, in order of time.
    virtual void on_ticks(std::span<const TickRecord> ticks) = 0;
    virtual void on_dead_time(const DeadTime& interval) = 0;
    virtual void on_calibration(const Calibration& calibration) = 0;
    virtual void on_waveform(const Waveform& waveform) = 0;
    virtual void on_status(const Status& status) = 0;
    virtual void on_alarm(const Alarm& alarm) = 0;
};

/// A recorded run that can be played into a sink (an Alleycat file).
class EventSource {
  public:
    virtual ~EventSource() = default;
    /// Plays the next piece (a block of events at most); false at the end. Throws Error when the file cannot go on.
    [[nodiscard]] virtual bool play(EventSink& sink) = 0;
    [[nodiscard]] virtual double fraction_done() const = 0;
};

}  // namespace alleycat
