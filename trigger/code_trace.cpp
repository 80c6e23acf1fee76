#include "trigger/code_trace.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "trigger/simd_kernels.hpp"

namespace alleycat {
namespace {

/// Calls `f(codes, flip)` with codes that compare as signed integers once `flip` is xored to them.
template <class F>
decltype(auto) with_keys(const Codes& codes, F&& f) {
    switch (codes.type) {
        case SampleType::int8: return f(codes.as<simd::Key8>(), simd::Key8{0});
        case SampleType::uint8: return f(codes.as<simd::Key8>(), std::numeric_limits<simd::Key8>::min());
        case SampleType::int16: return f(codes.as<simd::Key16>(), simd::Key16{0});
        case SampleType::uint16: break;
    }
    return f(codes.as<simd::Key16>(), std::numeric_limits<simd::Key16>::min());
}

/// The lowest code of at least one with at least half of all at or below it, looked for from `guess` on: one step at a
/// time at first, then in longer ones, then halving what is left.
std::int32_t find_median(const Codes& codes, std::int32_t guess) noexcept {
    auto [lowest, highest] = code_range(codes.type);  // the median lies in here
    std::int32_t at = std::clamp(guess, lowest, highest);
    std::int32_t stride = 1;
    bool seen_below = false, seen_above = false;
    for (;;) {
        const simd::Split split = with_keys(codes, [&]<class Key>(std::span<const Key> raw, Key flip) {
            return simd::split(raw, flip, static_cast<Key>(at ^ flip));
        });
        if (2 * split.below >= codes.size) {
            highest = at - 1;
            seen_above = true;
        } else if (2 * split.above > codes.size) {
            lowest = at + 1;
            seen_below = true;
        } else {
            return at;
        }
        if (seen_below && seen_above) {
            at = lowest + (highest - lowest) / 2;
        } else {
            at = seen_above ? std::max(highest + 1 - stride, lowest) : std::min(lowest - 1 + stride, highest);
            stride *= 2;
        }
    }
}

}  // namespace

void CodeTrace::make_room(std::size_t samples) {
    marks_.resize(std::max(marks_.size(), samples / 64 + 1));
    runs_.resize(std::max(runs_.size(), 32 * marks_.size() + 1));
    heights_.resize(std::max(heights_.size(), samples));
    stretches_.resize(std::max(stretches_.size(), most_stretches(samples)));
}

void CodeTrace::open(const Codes& codes, bool negative_pulses, std::size_t channel) {
    make_room(static_cast<std::size_t>(codes.size));
    codes_ = codes;
    negative_ = negative_pulses;
    median_ = 0;
    channel_ = channel % kRememberedChannels;
    range_.reset();
}

bool CodeTrace::overflows(std::int32_t low_code, std::int32_t high_code) noexcept {
    if (codes_.size == 0) return false;
    if (!range_) mark_codes(code_range(codes_.type).first);
    return range_->lowest <= low_code || range_->highest >= high_code;
}

// ---- baseline

Baseline CodeTrace::take_baseline(std::int64_t region, std::int32_t band_adc) noexcept {
    const Codes codes = codes_.piece(0, std::min(region, samples()));
    median_ = 0;
    if (codes.size == 0) return {};
    std::int32_t& median_code = last_median_[channel_];
    median_code = find_median(codes, median_code);
    median_ = codes.count_of(median_code);
    return make_baseline(median_,
                         sums_between(codes, std::int64_t{median_} - band_adc, std::int64_t{median_} + band_adc - 1,
                                      static_cast<std::size_t>(codes_.size - codes.size)));
}

/// Sums over the samples with counts in [from_count, to_count], relative to the median. `next`: how many samples behind
/// these will be looked at next.
BandSums CodeTrace::sums_between(const Codes& codes, std::int64_t from_count, std::int64_t to_count,
                                 std::size_t next) const noexcept {
    const std::int32_t first = codes.highest_code_up_to(from_count - 1) + 1;
    const std::int32_t last = codes.highest_code_up_to(to_count);
    if (first > last) return {};
    const bool narrow = bytes_per_sample(codes.type) == 1;
    if (narrow && last - first < simd::kBandTableSize) {
        return simd::band_sums(codes.as<std::uint8_t>(), static_cast<std::uint8_t>(first),
                               band_table(codes, first, last), next);
    }
    if (codes.map == nullptr && last - first <= simd::kWidestBand) {
        const auto width = static_cast<std::uint16_t>(last - first);
        const BandSums sums =
            narrow ? simd::sum_distances(codes.as<std::uint8_t>(), static_cast<std::uint8_t>(first), width, next)
                   : simd::sum_distances(codes.as<std::uint16_t>(), static_cast<std::uint16_t>(first), width, next);
        return sums.moved(first - median_);  // distances from the band's first code: to those from the median
    }
    return with_sample_type(codes.type, [&]<class Sample>(Sample) {
        BandSums sums;
        for (const Sample code : codes.as<Sample>()) {
            if (code >= first && code <= last) sums.add(codes.count_of(code) - median_);
        }
        return sums;
    });
}

/// What the codes from `first` to `last` are worth, of which there are few and the median's is one or next to one:
/// within few codes there are few counts.
simd::BandTable CodeTrace::band_table(const Codes& codes, std::int32_t first, std::int32_t last) const noexcept {
    simd::BandTable table;
    for (std::int32_t code = first; code <= last; ++code) {
        const auto entry = static_cast<std::size_t>(code - first);
        const std::int32_t offset = codes.count_of(code) - median_;
        table.inside[entry] = 1;
        table.offset[entry] = static_cast<std::uint8_t>(offset + simd::kBandTableBias);
        table.square[entry] = static_cast<std::uint8_t>(offset * offset);
        table.largest = std::max({table.largest, table.offset[entry], table.square[entry]});
    }
    return table;
}

double CodeTrace::local_baseline(std::int64_t arrival, std::int64_t length, std::int32_t band_adc) noexcept {
    const std::int64_t end = std::clamp<std::int64_t>(arrival, 0, codes_.size);
    const Codes before = codes_.piece(std::clamp<std::int64_t>(arrival - length, 0, end), end);
    const BandSums sums = sums_between(before, std::int64_t{median_} - band_adc, std::int64_t{median_} + band_adc, 0);
    const std::int64_t sum = negative_ ? -sums.sum : sums.sum;
    return sums.n == 0 ? std::numeric_limits<double>::quiet_NaN()
                       : static_cast<double>(sum) / static_cast<double>(sums.n);
}

// ---- flags

/// Closings and openings take turns, so their numbers differ exactly when the trace ends in another state than it
/// began.
bool CodeTrace::gate_closed(const LinearGate& gate) const noexcept {
    if (median_ < gate.min_baseline_adc) return true;
    if (codes_.size == 0) return false;
    const auto closed = [&](std::int64_t i) { return codes_.count_of(codes_.code(i)) <= gate.closed_at_adc; };
    return closed(0) != closed(codes_.size - 1);
}

// ---- peaks

/// Marks the samples whose height is at least `threshold_adc`.
void CodeTrace::mark(std::int64_t threshold_adc) noexcept {
    // median - count >= threshold, or count - median >= threshold: counts up to here, or above here.
    mark_codes(codes_.highest_code_up_to(negative_ ? median_ - threshold_adc : median_ + threshold_adc - 1));
}

/// Marks codes up to `last` for negative pulses, above it for positive ones; finds the range of all codes.
void CodeTrace::mark_codes(std::int32_t last) noexcept {
    const auto [lowest, highest] = code_range(codes_.type);
    if (last == (negative_ ? highest : lowest - 1)) {  // every sample: no key is the limit that lies above all
        const auto n = static_cast<std::size_t>(codes_.size);
        std::fill_n(marks_.begin(), n / 64, ~std::uint64_t{0});
        marks_[n / 64] = (std::uint64_t{1} << n % 64) - 1;
        return;
    }
    range_ = with_keys(codes_, [&]<class Key>(std::span<const Key> raw, Key flip) -> CodeRange {
        // Positive pulses: inverting all bits turns the order round, so that peaks are what lies below here too.
        if (!negative_) flip = static_cast<Key>(~flip);
        const auto limit = static_cast<Key>((negative_ ? last + 1 : last) ^ flip);
        const simd::Extremes keys = simd::mark_below(raw, flip, limit, marks_);
        const auto code_of = [&](std::int32_t key) {
            return with_sample_type(
                codes_.type, [&]<class Sample>(Sample) -> std::int32_t { return static_cast<Sample>(key ^ flip); });
        };
        const auto [a, b] = std::minmax({code_of(keys.lowest), code_of(keys.highest)});
        return {a, b};
    });
}

void CodeTrace::find_peaks(const PeakFinding& finding, std::vector<Peak>& peaks) noexcept {
    if (codes_.size == 0) return;
    mark(finding.threshold_adc);
    const auto words = std::span{marks_}.first(static_cast<std::size_t>(codes_.size + 63) / 64);
    std::size_t count = simd::find_runs(words, std::clamp(finding.min_samples, 1, 64), runs_);
    if (count != 0 && runs_[count - 1].end == codes_.size && !finding.close_at_trace_end) --count;
    const auto end = runs_.begin() + static_cast<std::ptrdiff_t>(count);
    if (finding.min_samples <= 64) {
        peaks.insert(peaks.end(), runs_.begin(), end);
    } else {
        std::copy_if(runs_.begin(), end, std::back_inserter(peaks),
                     [&](const Peak& run) { return run.end - run.onset >= finding.min_samples; });
    }
}

// ---- heights

const CodeTrace::HeightTable& CodeTrace::height_table() noexcept {
    if (table_map_ != codes_.map || table_median_ != median_ || table_negative_ != negative_) {
        for (std::size_t i = 0; i < height_table_.size(); ++i) {
            height_table_[i] = negative_ ? median_ - (*codes_.map)[i] : (*codes_.map)[i] - median_;
        }
        table_map_ = codes_.map;
        table_median_ = median_;
        table_negative_ = negative_;
    }
    return height_table_;
}

std::span<const std::int32_t> CodeTrace::heights(std::int64_t begin, std::int64_t end) noexcept {
    begin = std::clamp<std::int64_t>(begin, 0, codes_.size);
    end = std::clamp<std::int64_t>(end, begin, codes_.size);
    const Codes piece = codes_.piece(begin, end);
    std::int32_t* const out = heights_.data() + begin;
    if (piece.map != nullptr) {
        const std::span<const std::int8_t> raw = piece.as<std::int8_t>();
        const HeightTable& table = height_table();
        std::transform(raw.begin(), raw.end(), out,
                       [&](std::int8_t code) { return table[static_cast<std::size_t>(code + 128)]; });
    } else {
        with_sample_type(
            piece.type, [&]<class Sample>(Sample) { simd::make_heights(piece.as<Sample>(), negative_, median_, out); });
    }
    return std::span{heights_}.first(static_cast<std::size_t>(codes_.size));
}

WindowCharges CodeTrace::charges(std::span<const Peak> peaks, const PeakFinding& finding, std::int64_t arrival,
                                 std::int64_t window, double local_baseline) noexcept {
    const std::int64_t end = std::min(arrival + window, codes_.size);
    const auto integrate = [&](auto height) {
        return ChargeWalk{height, arrival, local_baseline, std::span{stretches_}}.integrate(peaks, finding, end);
    };
    if (codes_.map != nullptr) {
        const std::int8_t* const raw = codes_.as<std::int8_t>().data();
        const std::int32_t* const table = height_table().data() + 128;
        return integrate([=](std::int64_t i) { return table[raw[i]]; });
    }
    return with_sample_type(codes_.type, [&]<class Sample>(Sample) {
        const Sample* const raw = codes_.as<Sample>().data();
        const std::int32_t sign = negative_ ? -1 : 1;
        return integrate([=, median = median_](std::int64_t i) { return sign * (raw[i] - median); });
    });
}

}  // namespace alleycat
