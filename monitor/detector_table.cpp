#include "monitor/detector_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "daq/core/data_time.hpp"
#include "daq/core/run_description.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kRowBytes = 4 * 8 + 24 + 2 * 8;

}  // namespace

DetectorTable::DetectorTable(double interval_s) : interval_ps_{std::llround(interval_s * 1e12)} {}

void DetectorTable::start_run(std::size_t detectors) {
    rows_.assign(std::min(detectors, kMaxDetectors), {});
    events_ = 0;
    begin_ps_ = newest_ps_ = complete_ps_ = 0;
}

void DetectorTable::add(const Event& event) {
    if (event.detector >= rows_.size()) return;
    const std::int64_t passed_ps = between(begin_ps_, event.time_ps);
    if (events_ == 0 || passed_ps < -interval_ps_) {  // the first, or a clock that was set back
        begin_ps_ = newest_ps_ = event.time_ps;
        for (Row& row : rows_) row.open = 0;
    } else if (passed_ps >= interval_ps_) {
        complete_ps_ = passed_ps;
        begin_ps_ = newest_ps_ = event.time_ps;
        for (Row& row : rows_) {
            row.complete = row.open;
            row.open = 0;
        }
    }
    newest_ps_ = std::max(newest_ps_, event.time_ps);
    Row& row = rows_[event.detector];
    ++row.events;
    ++row.open;
    row.all_at_last = ++events_;
}

void DetectorTable::add_charge(std::uint16_t detector, double charge_pe) {
    if (detector < rows_.size()) rows_[detector].charge_pe.add(charge_pe);
}

void DetectorTable::calibrate(const Calibration& calibration) {
    if (calibration.detector >= rows_.size()) return;
    rows_[calibration.detector].spe_charge_adc = calibration.spe_charge_adc;
    rows_[calibration.detector].spe_charge_error_adc = calibration.spe_charge_error_adc;
}

std::vector<DetectorState> DetectorTable::states(std::span<const std::string> names, double silent_events) const {
    std::vector<DetectorState> all;
    const double seconds =
        static_cast<double>(complete_ps_ > 0 ? complete_ps_ : between(begin_ps_, newest_ps_)) * 1e-12;
    const double patience = silent_events * static_cast<double>(rows_.size());
    for (std::size_t i = 0; i < rows_.size() && i < names.size(); ++i) {
        const Row& row = rows_[i];
        DetectorState& state = all.emplace_back();
        state.name = names[i];
        state.events = row.events;
        const auto n = static_cast<double>(complete_ps_ > 0 ? row.complete : row.open);
        if (seconds > 0) {
            state.rate_hz = n / seconds;
            state.rate_error_hz = std::sqrt(n) / seconds;
        }
        state.mean_charge = row.charge_pe.value().value_or(std::numeric_limits<double>::quiet_NaN());
        state.mean_charge_error = row.charge_pe.error();
        state.spe_charge_adc = row.spe_charge_adc;
        state.spe_charge_error_adc = row.spe_charge_error_adc;
        state.silent =
            silent_events > 0 && rows_.size() > 1 && static_cast<double>(events_ - row.all_at_last) >= patience;
    }
    return all;
}

void DetectorTable::put(ByteWriter& out) const {
    out.put(static_cast<std::uint32_t>(rows_.size()));
    for (const Row& r : rows_) {
        for (const std::uint64_t n : {r.events, r.open, r.complete, r.all_at_last, r.charge_pe.n}) out.put(n);
        for (const double x : {r.charge_pe.sum, r.charge_pe.sum_of_squares, r.spe_charge_adc, r.spe_charge_error_adc}) {
            out.put(x);
        }
    }
    out.put(events_);
    for (const std::int64_t t : {begin_ps_, newest_ps_, complete_ps_}) out.put(t);
}

bool DetectorTable::get(ByteReader& in) {
    rows_.assign(in.get_count(kRowBytes, kMaxDetectors), {});
    for (Row& r : rows_) {
        for (std::uint64_t* n : {&r.events, &r.open, &r.complete, &r.all_at_last, &r.charge_pe.n}) {
            *n = in.get<std::uint64_t>();
        }
        for (double* x : {&r.charge_pe.sum, &r.charge_pe.sum_of_squares, &r.spe_charge_adc, &r.spe_charge_error_adc}) {
            *x = in.get<double>();
        }
    }
    events_ = in.get<std::uint64_t>();
    for (std::int64_t* t : {&begin_ps_, &newest_ps_, &complete_ps_}) *t = in.get<std::int64_t>();
    const auto bounded = [&](const Row& r) { return r.all_at_last <= events_ && r.events <= events_; };
    return !in.failed() && complete_ps_ >= 0 && std::all_of(rows_.begin(), rows_.end(), bounded);
}

}  // namespace alleycat
