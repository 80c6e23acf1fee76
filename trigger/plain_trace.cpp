#include "trigger/plain_trace.hpp"

#include <algorithm>

namespace alleycat {

void PlainTrace::make_room(std::size_t samples) {
    counts_.reserve(samples);
    heights_.reserve(samples);
    curve_.reserve(samples);
}

void PlainTrace::open(const Codes& codes, bool negative_pulses) {
    codes_ = codes;
    negative_ = negative_pulses;
    const auto n = static_cast<std::size_t>(codes.size);
    counts_.resize(n);
    heights_.resize(n);
    curve_.resize(n);
    median_ = 0;
    with_sample_type(codes.type, [&]<class Sample>(Sample) {
        const std::span<const Sample> raw = codes.as<Sample>();
        for (std::size_t i = 0; i < n; ++i) {
            counts_[i] = codes.count_of(raw[i]);
            heights_[i] = negative_ ? -counts_[i] : counts_[i];
        }
    });
}

bool PlainTrace::overflows(std::int32_t low_code, std::int32_t high_code) const noexcept {
    return with_sample_type(codes_.type, [&]<class Sample>(Sample) {
        const std::span<const Sample> codes = codes_.as<Sample>();
        return std::any_of(codes.begin(), codes.end(),
                           [=](Sample code) { return code <= low_code || code >= high_code; });
    });
}

Baseline PlainTrace::take_baseline(std::int64_t region, std::int32_t band_adc) noexcept {
    const auto n = static_cast<std::size_t>(std::min(region, samples()));
    const Baseline baseline = baseline_.find(std::span{counts_}.first(n), band_adc);
    median_ = baseline.median;
    std::transform(counts_.begin(), counts_.end(), heights_.begin(),
                   [this](std::int32_t count) { return negative_ ? median_ - count : count - median_; });
    return baseline;
}

bool PlainTrace::gate_closed(const LinearGate& gate) const noexcept {
    if (median_ < gate.min_baseline_adc) return true;
    std::int64_t closings = 0, openings = 0;
    for (std::size_t i = 1; i < counts_.size(); ++i) {
        const bool was_closed = counts_[i - 1] <= gate.closed_at_adc;
        const bool is_closed = counts_[i] <= gate.closed_at_adc;
        closings += !was_closed && is_closed;
        openings += was_closed && !is_closed;
    }
    return closings != openings;
}

void PlainTrace::find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept {
    alleycat::find_peaks(heights_, finding, peaks);
}

std::span<const std::int32_t> PlainTrace::heights(std::int64_t begin, std::int64_t end) noexcept {
    (void)begin;
    (void)end;
    return heights_;
}

double PlainTrace::local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept {
    return alleycat::local_baseline(heights_, arrival, length, band_adc);
}

WindowCharges PlainTrace::charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                                  std::int64_t window, double local_baseline) noexcept {
    window = std::min(window, samples() - arrival);
    return {integrate_peaks(heights_, peaks, finding, arrival, window, 0.0, curve_),
            integrate_peaks(heights_, peaks, finding, arrival, window, local_baseline, curve_)};
}

}  // namespace alleycat
