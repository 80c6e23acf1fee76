#include "trigger/signal_sum.hpp"

#include <algorithm>
#include <limits>

namespace alleycat {
namespace {

bool is_signed(SampleType type) noexcept { return type == SampleType::int8 || type == SampleType::int16; }

}  // namespace

RecordView SignalSum::add(const RecordView& record, std::span<const std::size_t> positions, std::int32_t low_code,
                          std::int32_t high_code) {
    const SampleType type = record.header().sample_type;
    header_ = record.header();
    header_.channels = 1;
    header_.channel_mask = 1;
    header_.truth_count = 0;
    header_.sample_type = is_signed(type) ? SampleType::int16 : SampleType::uint16;
    overflows_ = false;
    sums_.assign(header_.samples_per_channel, 0);
    with_sample_type(type, [&]<class Sample>(Sample) {
        for (const std::size_t position : positions) {
            const std::span<const Sample> codes = record.channel<Sample>(position);
            for (std::size_t i = 0; i < codes.size(); ++i) {
                const std::int32_t code = codes[i];
                overflows_ = overflows_ || code <= low_code || code >= high_code;
                sums_[i] = static_cast<std::uint16_t>(sums_[i] + std::clamp(code, low_code, high_code));
            }
        }
    });
    return {header_, std::as_bytes(std::span{sums_})};
}

bool sum_fits(SampleType type, std::size_t channels, std::int64_t low_code, std::int64_t high_code) noexcept {
    const auto n = static_cast<std::int64_t>(channels);
    return is_signed(type) ? n * low_code >= std::numeric_limits<std::int16_t>::min() &&
                                 n * high_code <= std::numeric_limits<std::int16_t>::max()
                           : n * high_code <= std::numeric_limits<std::uint16_t>::max();
}

}  // namespace alleycat
