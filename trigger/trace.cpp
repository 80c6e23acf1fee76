#include "trigger/trace.hpp"

#include <algorithm>

#include "daq/core/code_map.hpp"

namespace alleycat {

Trace::Trace(std::size_t longest) { make_room(longest); }

void Trace::make_room(std::size_t samples) {
    counts_.reserve(samples);
    heights_.reserve(samples);
}

void Trace::open(const RecordView& record, std::size_t position, const ChannelInfo& channel) {
    record_ = record;
    position_ = position;
    negative_ = channel.negative_pulses;
    median_ = 0;
    const std::size_t n = record.header().samples_per_channel;
    counts_.resize(n);
    heights_.resize(n);
    if (const CodeTable* const table = code_table(channel.code_map);
        table != nullptr && record.header().sample_type == SampleType::int8) {
        const std::span<const std::int8_t> codes = record.channel<std::int8_t>(position);
        std::transform(codes.begin(), codes.end(), counts_.begin(),
                       [table](std::int8_t code) { return (*table)[static_cast<std::size_t>(code + 128)]; });
        return;
    }
    with_sample_type(record.header().sample_type, [&]<class Sample>(Sample) {
        const std::span<const Sample> codes = record.channel<Sample>(position);
        std::copy(codes.begin(), codes.end(), counts_.begin());
    });
}

void Trace::close() noexcept {
    counts_.clear();
    heights_.clear();
}

bool Trace::overflows(std::int32_t low_code, std::int32_t high_code) const noexcept {
    return with_sample_type(record_.header().sample_type, [&]<class Sample>(Sample) {
        const std::span<const Sample> codes = record_.channel<Sample>(position_);
        return std::any_of(codes.begin(), codes.end(),
                           [=](Sample code) { return code <= low_code || code >= high_code; });
    });
}

Baseline Trace::take_baseline(std::int64_t region, std::int32_t band_adc) noexcept {
    const auto n = static_cast<std::size_t>(std::min(region, samples()));
    const Baseline baseline = baseline_.find(std::span{counts_}.first(n), band_adc);
    median_ = baseline.median;
    std::transform(counts_.begin(), counts_.end(), heights_.begin(),
                   [this](std::int32_t count) { return negative_ ? median_ - count : count - median_; });
    return baseline;
}

bool Trace::gate_closed(const LinearGate& gate) const noexcept {
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

void Trace::find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) const {
    alleycat::find_peaks(heights_, finding, peaks);
}

std::span<const std::int32_t> Trace::heights(std::int64_t begin, std::int64_t end) noexcept {
    (void)begin;
    (void)end;
    return heights_;
}

}  // namespace alleycat
