#pragma once
// The detectors of a station of several: how often each is seen, how much charge, with what gain. A dead or a hot one
// must be seen among two dozen.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daq/core/bytes.hpp"
#include "daq/core/event.hpp"
#include "daq/core/event_sink.hpp"
#include "monitor/snapshot.hpp"
#include "monitor/trend_table.hpp"

namespace alleycat {

/// Counts of one run. Rates are over the newest complete interval of the board's clock, or over the first one as far as
/// it has come.
class DetectorTable {
  public:
    explicit DetectorTable(double interval_s);

    /// Everything anew, for so many detectors; 0: the station has one, and nothing is counted.
    void start_run(std::size_t detectors);
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

    void add(const Event& event);
    /// Charge of a loose coincident window of the event's detector.
    void add_charge(std::uint16_t detector, double charge_pe);
    void calibrate(const Calibration& calibration);

    /// A detector is silent when, since its last event, the detectors had `silent_events` each on average; 0: never.
    [[nodiscard]] std::vector<DetectorState> states(std::span<const std::string> names, double silent_events) const;

    void put(ByteWriter& out) const;
    [[nodiscard]] bool get(ByteReader& in);

  private:
    struct Row {
        std::uint64_t events = 0;
        std::uint64_t open = 0, complete = 0;  ///< of them, in the present and in the newest complete interval
        std::uint64_t all_at_last = 0;         ///< events of all detectors when its last one came
        Mean charge_pe;
        double spe_charge_adc = 0, spe_charge_error_adc = 0;
    };

    std::int64_t interval_ps_;
    std::vector<Row> rows_;
    std::uint64_t events_ = 0;
    std::int64_t begin_ps_ = 0, newest_ps_ = 0;  ///< of the present interval
    std::int64_t complete_ps_ = 0;               ///< length of the newest complete interval; 0: there is none
};

}  // namespace alleycat
