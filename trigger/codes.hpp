#pragma once
// The raw codes of one channel where they stand in the record, and how they become ADC counts.
//
// Every map from codes to counts is monotone: a higher code never means fewer counts. So what is asked about counts can
// be answered by looking at codes: the median of the counts is the count of the median code, and "counts at or below
// this" is "codes at or below that". source: trigger/README.md#speed

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "daq/core/code_map.hpp"
#include "daq/core/record.hpp"

namespace alleycat {

/// From one code to the next as many counts or one more: nothing is skipped and nothing runs backwards.
[[nodiscard]] constexpr bool is_monotone(const CodeTable& table) noexcept {
    return std::adjacent_find(table.begin(), table.end(),
                              [](int count, int next) { return next != count && next != count + 1; }) == table.end();
}
static_assert(is_monotone(kPci5153Signal) && is_monotone(kPci5153Veto));

/// Lowest and highest code of a sample type.
[[nodiscard]] constexpr std::pair<std::int32_t, std::int32_t> code_range(SampleType type) noexcept {
    return with_sample_type(type, []<class Sample>(Sample) {
        return std::pair<std::int32_t, std::int32_t>{std::numeric_limits<Sample>::min(),
                                                     std::numeric_limits<Sample>::max()};
    });
}

struct Codes {
    const std::byte* data = nullptr;
    std::int64_t size = 0;  ///< [samples]
    SampleType type = SampleType::int8;
    const CodeTable* map = nullptr;  ///< of int8 codes; nullptr: codes are counts

    template <class Sample>
    [[nodiscard]] std::span<const Sample> as() const noexcept {
        return {reinterpret_cast<const Sample*>(data), static_cast<std::size_t>(size)};
    }
    /// Codes [begin, end), which must lie in the trace.
    [[nodiscard]] Codes piece(std::int64_t begin, std::int64_t end) const noexcept {
        return {data + begin * static_cast<std::int64_t>(bytes_per_sample(type)), end - begin, type, map};
    }
    [[nodiscard]] std::int32_t code(std::int64_t i) const noexcept {
        return with_sample_type(
            type, [&]<class Sample>(Sample) { return std::int32_t{as<Sample>()[static_cast<std::size_t>(i)]}; });
    }
    [[nodiscard]] std::int32_t count_of(std::int32_t code) const noexcept {
        return map == nullptr ? code : (*map)[static_cast<std::size_t>(code + 128)];
    }
    /// The highest code that means `counts` or fewer; one below the lowest code when there is none.
    [[nodiscard]] std::int32_t highest_code_up_to(std::int64_t counts) const noexcept {
        if (map != nullptr) {
            const auto above = std::upper_bound(map->begin(), map->end(), counts);
            return static_cast<std::int32_t>(above - map->begin()) - 129;
        }
        const auto [lowest, highest] = code_range(type);
        return static_cast<std::int32_t>(std::clamp<std::int64_t>(counts, lowest - 1, highest));
    }
};

}  // namespace alleycat
