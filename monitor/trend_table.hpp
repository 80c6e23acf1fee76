#pragma once
// Means of what an operator watches, per interval of event time, over minutes and over months.

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "daq/core/bytes.hpp"
#include "daq/core/event.hpp"
#include "monitor/snapshot.hpp"

namespace alleycat {

/// Sums behind a mean and its error. Two of them merge exactly, so thinning loses no event. NaN is not counted.
struct Mean {
    std::uint64_t n = 0;
    double sum = 0;
    double sum_of_squares = 0;

    void add(double value) noexcept;
    void merge(const Mean& other) noexcept;
    [[nodiscard]] std::optional<double> value() const noexcept;  ///< nullopt without entries
    [[nodiscard]] double error() const noexcept;                 ///< of the mean; 0: not known
};

/// Everything of one interval.
struct TrendRow {
    std::int64_t interval = 0;  ///< utc_ns / interval length, rounded down
    std::int64_t first_utc_ns = 0, last_utc_ns = 0;
    std::uint64_t events = 0;
    std::uint64_t muon_veto = 0, linear_gate = 0, overflow = 0;
    double triggers = 0;  ///< sequence numbers passed since the row before, refused ones included
    double seconds = 0;   ///< in this time of the board's clock
    double ticks = 0;     ///< of the triggers, those passed from tick to tick, without the strobes seen between them
    double tick_seconds = 0;
    Mean baseline_median_adc, baseline_sigma_adc, spe_charge_adc, pretrace_peaks, beam_power_w;

    void merge(const TrendRow& later) noexcept;
};

/// The newest rows as fine as they were taken, older ones merged, so that a campaign of months fits in the same memory:
/// half of the points are recent rows; what leaves them enters the other half, whose interval doubles when it is full.
///
/// The time of a row is that of its events, so a file gives the same trends as the live run. A host clock that jitters
/// back by less than an interval keeps its row; a longer step back starts a new one.
class TrendTable {
  public:
    TrendTable(double interval_s, std::uint32_t max_points);

    /// From here on another run's clock counts: no rate across the gap, no row shared.
    void start_run();
    /// `pretrace_peaks` of the coincident window; NaN when there is none. Returns the number of the event's row.
    std::uint64_t add(const Event& event, double pretrace_peaks);
    /// Beam power of an event that was added as part of `row`.
    void add_beam_power(std::uint64_t row, double power_w);

    [[nodiscard]] std::vector<Trend> trends(double tick_rate_hz) const;
    /// This run's newest row that is complete, or its present one when there is none; nullptr before its first event.
    [[nodiscard]] const TrendRow* newest_complete() const;
    [[nodiscard]] std::size_t rows() const noexcept { return coarse_.size() + recent_.size(); }

    void put(ByteWriter& out) const;
    [[nodiscard]] bool get(ByteReader& in);

  private:
    [[nodiscard]] TrendRow& row_for(std::int64_t utc_ns);
    void retire_oldest();
    [[nodiscard]] std::size_t half() const noexcept { return max_points_ / 2; }

    std::int64_t interval_ns_;
    std::uint32_t max_points_;
    std::deque<TrendRow> recent_;     ///< in the order they were taken
    std::vector<TrendRow> coarse_;    ///< before them
    std::int64_t coarse_factor_ = 1;  ///< interval of coarse_ in units of interval_ns_
    std::uint64_t first_recent_ = 0;  ///< number of recent_.front()
    std::uint64_t first_of_run_ = 0;  ///< number of this run's first row
    bool row_open_ = false;           ///< recent_.back() may take further events
    /// An event of this run from which sequence and time are counted on.
    struct Mark {
        bool known = false;
        std::uint64_t sequence = 0;
        std::int64_t time_ps = 0;
    };
    Mark last_event_, last_tick_;
    std::uint64_t others_since_tick_ = 0;  ///< events that are no ticks, since the last tick

    static void pass(Mark& mark, const Event& event, std::uint64_t others, double& count, double& seconds) noexcept;
};

}  // namespace alleycat
