#include "monitor/trend_table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace alleycat {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept { return a / b - (a % b != 0 && a < 0); }

TrendPoint point(const TrendRow& row, double value, double error) {
    return {std::midpoint(row.first_utc_ns, row.last_utc_ns), value, error};
}

/// Mean of a share of events in percent, with its binomial error.
std::optional<TrendPoint> percent(const TrendRow& row, std::uint64_t flagged) {
    if (row.events == 0) return std::nullopt;
    const auto n = static_cast<double>(row.events);
    const double share = static_cast<double>(flagged) / n;
    return point(row, 100 * share, 100 * std::sqrt(share * (1 - share) / n));
}

std::optional<TrendPoint> mean(const TrendRow& row, const Mean& of) {
    const std::optional<double> value = of.value();
    if (!value) return std::nullopt;
    return point(row, *value, of.error());
}

void put_mean(ByteWriter& out, const Mean& m) {
    out.put(m.n);
    out.put(m.sum);
    out.put(m.sum_of_squares);
}

void get_mean(ByteReader& in, Mean& m) {
    m.n = in.get<std::uint64_t>();
    m.sum = in.get<double>();
    m.sum_of_squares = in.get<double>();
}

constexpr std::size_t kRowBytes = 8 * 11 + 24 * 5;

void put_row(ByteWriter& out, const TrendRow& r) {
    for (const std::int64_t n : {r.interval, r.first_utc_ns, r.last_utc_ns}) out.put(n);
    for (const std::uint64_t n : {r.events, r.muon_veto, r.linear_gate, r.overflow}) out.put(n);
    for (const double x : {r.triggers, r.seconds, r.ticks, r.tick_seconds}) out.put(x);
    for (const Mean* m :
         {&r.baseline_median_adc, &r.baseline_sigma_adc, &r.spe_charge_adc, &r.pretrace_peaks, &r.beam_power_w}) {
        put_mean(out, *m);
    }
}

TrendRow get_row(ByteReader& in) {
    TrendRow r;
    for (std::int64_t* n : {&r.interval, &r.first_utc_ns, &r.last_utc_ns}) *n = in.get<std::int64_t>();
    for (std::uint64_t* n : {&r.events, &r.muon_veto, &r.linear_gate, &r.overflow}) *n = in.get<std::uint64_t>();
    for (double* x : {&r.triggers, &r.seconds, &r.ticks, &r.tick_seconds}) *x = in.get<double>();
    for (Mean* m :
         {&r.baseline_median_adc, &r.baseline_sigma_adc, &r.spe_charge_adc, &r.pretrace_peaks, &r.beam_power_w}) {
        get_mean(in, *m);
    }
    return r;
}

/// Years 1678 to 2262 fit in an int64 of nanoseconds; half of that, so that interval numbers can be counted on either
/// side.
constexpr std::int64_t kMaxUtcNs = std::int64_t{1} << 62;

bool plausible(const TrendRow& r) {
    const auto in_range = [](std::int64_t ns) { return ns >= -kMaxUtcNs && ns <= kMaxUtcNs; };
    return in_range(r.interval) && in_range(r.first_utc_ns) && in_range(r.last_utc_ns) &&
           r.first_utc_ns <= r.last_utc_ns && r.muon_veto <= r.events && r.linear_gate <= r.events &&
           r.overflow <= r.events && r.seconds >= 0 && r.triggers >= 0 && r.tick_seconds >= 0 && r.ticks >= 0;
}

}  // namespace

void Mean::add(double value) noexcept {
    if (!std::isfinite(value)) return;
    ++n;
    sum += value;
    sum_of_squares += value * value;
}

void Mean::merge(const Mean& other) noexcept {
    n += other.n;
    sum += other.sum;
    sum_of_squares += other.sum_of_squares;
}

std::optional<double> Mean::value() const noexcept {
    if (n == 0) return std::nullopt;
    return sum / static_cast<double>(n);
}

double Mean::error() const noexcept {
    if (n < 2) return 0;
    const auto entries = static_cast<double>(n);
    const double average = sum / entries;
    return std::sqrt(std::max(0.0, sum_of_squares / entries - average * average) / (entries - 1));
}

void TrendRow::merge(const TrendRow& later) noexcept {
    first_utc_ns = std::min(first_utc_ns, later.first_utc_ns);
    last_utc_ns = std::max(last_utc_ns, later.last_utc_ns);
    events += later.events;
    muon_veto += later.muon_veto;
    linear_gate += later.linear_gate;
    overflow += later.overflow;
    triggers += later.triggers;
    seconds += later.seconds;
    ticks += later.ticks;
    tick_seconds += later.tick_seconds;
    baseline_median_adc.merge(later.baseline_median_adc);
    baseline_sigma_adc.merge(later.baseline_sigma_adc);
    spe_charge_adc.merge(later.spe_charge_adc);
    pretrace_peaks.merge(later.pretrace_peaks);
    beam_power_w.merge(later.beam_power_w);
}

TrendTable::TrendTable(double interval_s, std::uint32_t max_points)
    : interval_ns_{std::max<std::int64_t>(1, std::llround(interval_s * 1e9))}, max_points_{max_points} {}

void TrendTable::start_run() {
    row_open_ = false;
    last_event_ = last_tick_ = {};
    others_since_tick_ = 0;
    first_of_run_ = first_recent_ + recent_.size();
}

void TrendTable::retire_oldest() {
    TrendRow row = recent_.front();
    recent_.pop_front();
    ++first_recent_;
    row.interval = floor_div(row.interval, coarse_factor_);
    if (!coarse_.empty() && coarse_.back().interval == row.interval) {
        coarse_.back().merge(row);
        return;
    }
    if (coarse_.size() >= half()) {
        // Neighbours merge whatever their times are, so that half of the room is free whatever came.
        std::size_t kept = 0;
        for (std::size_t i = 0; i < coarse_.size(); i += 2, ++kept) {
            TrendRow merged = coarse_[i];
            if (i + 1 < coarse_.size()) merged.merge(coarse_[i + 1]);
            merged.interval = floor_div(merged.interval, 2);
            coarse_[kept] = merged;
        }
        coarse_.resize(kept);
        if (coarse_factor_ < (std::int64_t{1} << 40)) coarse_factor_ *= 2;
        row.interval = floor_div(row.interval, 2);
    }
    coarse_.push_back(row);
}

TrendRow& TrendTable::row_for(std::int64_t utc_ns) {
    const std::int64_t interval = floor_div(utc_ns, interval_ns_);
    if (row_open_) {
        TrendRow& open = recent_.back();
        if (interval == open.interval || interval == open.interval - 1) return open;
    }
    if (recent_.size() >= half()) retire_oldest();
    TrendRow row;
    row.interval = interval;
    row.first_utc_ns = row.last_utc_ns = utc_ns;
    recent_.push_back(row);
    row_open_ = true;
    return recent_.back();
}

/// Counts what passed since the mark, which moves to the event.
void TrendTable::pass(Mark& mark, const Event& event, std::uint64_t others, double& count, double& seconds) noexcept {
    if (mark.known && event.time_ps > mark.time_ps) {
        count += static_cast<double>(event.sequence - mark.sequence - others);
        seconds +=
            static_cast<double>(static_cast<std::uint64_t>(event.time_ps) - static_cast<std::uint64_t>(mark.time_ps)) *
            1e-12;
    }
    mark = {true, event.sequence, event.time_ps};
}

std::uint64_t TrendTable::add(const Event& event, double pretrace_peaks) {
    const std::int64_t utc_ns = std::clamp(event.utc_ns, -kMaxUtcNs, kMaxUtcNs);
    TrendRow& row = row_for(utc_ns);
    row.first_utc_ns = std::min(row.first_utc_ns, utc_ns);
    row.last_utc_ns = std::max(row.last_utc_ns, utc_ns);
    ++row.events;
    row.muon_veto += (event.flags & trigger_flag::muon_veto) != 0;
    row.linear_gate += (event.flags & trigger_flag::linear_gate) != 0;
    row.overflow += (event.flags & trigger_flag::overflow) != 0;
    row.baseline_median_adc.add(event.baseline_median_adc);
    row.baseline_sigma_adc.add(event.baseline_sigma_adc);
    if (event.spe_charge_adc > 0) row.spe_charge_adc.add(event.spe_charge_adc);
    row.pretrace_peaks.add(pretrace_peaks);
    pass(last_event_, event, 0, row.triggers, row.seconds);
    if (event.trigger_class == TriggerClass::beam_tick) {
        pass(last_tick_, event, others_since_tick_, row.ticks, row.tick_seconds);
        others_since_tick_ = 0;
    } else {
        ++others_since_tick_;
    }
    return first_recent_ + recent_.size() - 1;
}

void TrendTable::add_beam_power(std::uint64_t row, double power_w) {
    if (row >= first_recent_ && row - first_recent_ < recent_.size()) {
        recent_[row - first_recent_].beam_power_w.add(power_w);
    } else if (row < first_recent_ && !coarse_.empty()) {
        coarse_.back().beam_power_w.add(power_w);  // its row has just left the recent ones
    }
}

std::vector<Trend> TrendTable::trends(double tick_rate_hz) const {
    std::vector<Trend> all{
        {"trigger_rate", "trigger rate", "Hz", {}},
        {"baseline_median", "baseline, median", "ADC", {}},
        {"baseline_sigma", "baseline, noise", "ADC", {}},
        {"spe_charge", "single photoelectron charge", "ADC x sample", {}},
        {"veto_percent", "triggers with a muon veto", "%", {}},
        {"gate_percent", "triggers with a closed linear gate", "%", {}},
        {"overflow_percent", "triggers with an ADC overflow", "%", {}},
        {"pretrace_peaks", "peaks in the coincident pretrace", "", {}},
        {"beam_power", "beam power", "W", {}},
    };
    const auto add_row = [&](const TrendRow& row) {
        std::optional<TrendPoint> rate;
        if (row.seconds > 0) {
            // Ticks come by the clock; only triggers of a source without ticks are Poisson.
            rate = point(row, row.triggers / row.seconds, tick_rate_hz > 0 ? 0 : std::sqrt(row.triggers) / row.seconds);
        }
        const std::array<std::optional<TrendPoint>, 9> points{
            rate,
            mean(row, row.baseline_median_adc),
            mean(row, row.baseline_sigma_adc),
            mean(row, row.spe_charge_adc),
            percent(row, row.muon_veto),
            percent(row, row.linear_gate),
            percent(row, row.overflow),
            mean(row, row.pretrace_peaks),
            mean(row, row.beam_power_w),
        };
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (points[i]) all[i].points.push_back(*points[i]);
        }
    };
    for (const TrendRow& row : coarse_) add_row(row);
    for (const TrendRow& row : recent_) add_row(row);
    return all;
}

const TrendRow* TrendTable::newest_complete() const {
    if (!row_open_) return nullptr;
    const std::uint64_t open = first_recent_ + recent_.size() - 1;
    return recent_.size() >= 2 && open > first_of_run_ ? &recent_[recent_.size() - 2] : &recent_.back();
}

void TrendTable::put(ByteWriter& out) const {
    out.put(static_cast<std::uint32_t>(coarse_.size()));
    for (const TrendRow& row : coarse_) put_row(out, row);
    out.put(static_cast<std::uint32_t>(recent_.size()));
    for (const TrendRow& row : recent_) put_row(out, row);
    out.put(coarse_factor_);
    out.put(first_recent_);
    out.put(first_of_run_);
    out.put(static_cast<std::uint8_t>(row_open_));
    for (const Mark* mark : {&last_event_, &last_tick_}) {
        out.put(static_cast<std::uint8_t>(mark->known));
        out.put(mark->sequence);
        out.put(mark->time_ps);
    }
    out.put(others_since_tick_);
}

bool TrendTable::get(ByteReader& in) {
    coarse_.resize(in.get_count(kRowBytes));
    for (TrendRow& row : coarse_) row = get_row(in);
    recent_.resize(in.get_count(kRowBytes));
    for (TrendRow& row : recent_) row = get_row(in);
    coarse_factor_ = in.get<std::int64_t>();
    first_recent_ = in.get<std::uint64_t>();
    first_of_run_ = in.get<std::uint64_t>();
    row_open_ = in.get_bool();
    for (Mark* mark : {&last_event_, &last_tick_}) {
        mark->known = in.get_bool();
        mark->sequence = in.get<std::uint64_t>();
        mark->time_ps = in.get<std::int64_t>();
    }
    others_since_tick_ = in.get<std::uint64_t>();
    return !in.failed() && coarse_.size() <= half() && recent_.size() <= half() && coarse_factor_ >= 1 &&
           coarse_factor_ <= (std::int64_t{1} << 40) && (!row_open_ || !recent_.empty()) &&
           std::all_of(coarse_.begin(), coarse_.end(), plausible) &&
           std::all_of(recent_.begin(), recent_.end(), plausible);
}

}  // namespace alleycat
