#include "trigger/trace.hpp"

#include "daq/core/code_map.hpp"

namespace alleycat {

std::string to_text(Kernels kernels) {
    return kernels == Kernels::scalar ? "scalar" : "simd (" + std::string{simd_target()} + ")";
}

Trace::Trace(std::size_t longest, Kernels kernels) {
    if (kernels == Kernels::scalar) trace_.emplace<PlainTrace>();
    make_room(longest);
}

void Trace::make_room(std::size_t samples) {
    std::visit([&](auto& trace) { trace.make_room(samples); }, trace_);
}

void Trace::open(const RecordView& record, std::size_t position, const ChannelInfo& channel) {
    const RecordHeader& header = record.header();
    const std::size_t trace_bytes = header.samples_per_channel * bytes_per_sample(header.sample_type);
    const Codes codes{.data = record.sample_bytes().data() + position * trace_bytes,
                      .size = header.samples_per_channel,
                      .type = header.sample_type,
                      .map = header.sample_type == SampleType::int8 ? code_table(channel.code_map) : nullptr};
    if (CodeTrace* const trace = std::get_if<CodeTrace>(&trace_)) {
        trace->open(codes, channel.negative_pulses, header.board + kMaxBoards * position);
    } else {
        std::get<PlainTrace>(trace_).open(codes, channel.negative_pulses);
    }
}

void Trace::close() noexcept {
    if (CodeTrace* const trace = std::get_if<CodeTrace>(&trace_)) {
        trace->open({}, true, 0);
    } else {
        std::get<PlainTrace>(trace_).open({}, true);
    }
}

std::int64_t Trace::samples() const noexcept {
    return std::visit([](const auto& trace) { return trace.samples(); }, trace_);
}

bool Trace::overflows(std::int32_t low_code, std::int32_t high_code) noexcept {
    return std::visit([&](auto& trace) { return trace.overflows(low_code, high_code); }, trace_);
}

Baseline Trace::take_baseline(std::int64_t region, std::int32_t band_adc) noexcept {
    return std::visit([&](auto& trace) { return trace.take_baseline(region, band_adc); }, trace_);
}

bool Trace::gate_closed(const LinearGate& gate) const noexcept {
    return std::visit([&](const auto& trace) { return trace.gate_closed(gate); }, trace_);
}

void Trace::find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept {
    std::visit([&](auto& trace) { trace.find_peaks(finding, peaks); }, trace_);
}

std::span<const std::int32_t> Trace::heights(std::int64_t begin, std::int64_t end) noexcept {
    return std::visit([&](auto& trace) { return trace.heights(begin, end); }, trace_);
}

double Trace::local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept {
    return std::visit([&](auto& trace) { return trace.local_baseline(arrival, length, band_adc); }, trace_);
}

WindowCharges Trace::charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                             std::int64_t window, double local_baseline) noexcept {
    return std::visit([&](auto& trace) { return trace.charges(peaks, finding, arrival, window, local_baseline); },
                      trace_);
}

}  // namespace alleycat
