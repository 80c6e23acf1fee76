#pragma once
// Events in, snapshot out: the campaign. The daemon keeps one, a monitor keeps its copy, a file fills one in seconds.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daq/core/event_sink.hpp"
#include "monitor/monitor_config.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// Means over the newest complete trend interval of the present run: what alarms are judged by.
struct Conditions {
    std::uint64_t events = 0;  ///< behind the means; 0: nothing is known yet
    std::int64_t newest_event_utc_ns = 0;
    double tick_rate_hz = 0;      ///< by the board's clock, refused triggers included, strobes not
    double tick_rate_span_s = 0;  ///< of time behind it; 0: not known, and no judgement
    double baseline_median_adc = 0, baseline_sigma_adc = 0;
    double spe_charge_adc = 0;                  ///< 0: not known
    std::vector<std::string> silent_detectors;  ///< their names
};

/// Accumulates what comes in the order of an EventSink, over all runs of a campaign.
///
/// A run description with another run number keeps the histograms and starts what belongs to a run (status, waveform,
/// calibration, rates) anew; events of the run before that still wait become unknown, so all beam states of a run must
/// come before the next run's description. A description that cannot be added to what is there (another profile,
/// windows, features, cuts, box, tick rate, rate boost, or simulated against real) starts a new campaign, with a line
/// in the log.
///
/// An event fills the loose selection and the cut flow at once; the analysis selections and the exposure wait for its
/// beam state. Events must come in the order of their sequence; others are skipped and counted. The memory is bounded.
/// Used by one thread.
class Accumulator final : public EventSink {
  public:
    /// Throws UsageError when a number of the configuration is outside the range parse_monitor() accepts.
    explicit Accumulator(MonitorConfig config = {});
    ~Accumulator() override;
    Accumulator(Accumulator&&) noexcept;
    Accumulator& operator=(Accumulator&&) noexcept;

    void on_run(const RunDescription& run) override;
    void on_event(const Event& event) override;
    void on_beam(const BeamResolution& resolution) override;
    void on_ticks(std::span<const TickRecord> ticks) override;
    void on_dead_time(const DeadTime& interval) override;
    void on_calibration(const Calibration& calibration) override;
    void on_waveform(const Waveform& waveform) override;
    void on_status(const Status& status) override;
    void on_alarm(const Alarm& alarm) override;

    /// Everything computed now. `message_number`: the last message that was applied.
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot(std::uint64_t message_number = 0) const;
    [[nodiscard]] Conditions conditions() const;
    [[nodiscard]] const MonitorConfig& config() const noexcept;

    /// All of it but the waveform (the next one comes within a second), configuration included. The same things in the
    /// same order give the same bytes, whether or not they went through restore() on the way.
    [[nodiscard]] std::vector<std::byte> state() const;
    /// Becomes what state() was taken from, its configuration included: compare config() where that matters. False, and
    /// nothing is changed, when the bytes are damaged, hostile or of a newer version.
    [[nodiscard]] bool restore(std::span<const std::byte> bytes);
    /// The same for a campaign that was put aside: alarms are those of now.
    [[nodiscard]] bool resume(std::span<const std::byte> bytes);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace alleycat
