#include "trigger/simd_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "trigger/kernels.hpp"

// This file is compiled once per instruction set: Highway includes it again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "trigger/simd_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace alleycat::simd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kWord = 64;  // samples per word of comparisons

std::int64_t Target() { return HWY_TARGET; }

// ---- comparisons, and their extremes

/// Bit i: lane i of the mask.
template <class D>
HWY_INLINE std::uint64_t BitsOf(D d, hn::Mask<D> mask) {
    std::uint64_t bits = 0;
    hn::StoreMaskBits(d, mask, reinterpret_cast<std::uint8_t*>(&bits));
    return bits;
}

#if HWY_TARGET == HWY_SCALAR
template <class D>
HWY_INLINE Extremes ExtremesOf(D, hn::Vec<D> lowest, hn::Vec<D> highest) {
    return {hn::GetLane(lowest), hn::GetLane(highest)};
}
#else
template <class D>
HWY_INLINE Extremes ExtremesOf(D d, hn::Vec<D> lowest, hn::Vec<D> highest) {
    if constexpr (sizeof(hn::TFromD<D>) == 1) {
        // Few targets compare 8-bit lanes among themselves: every other one first, with its sign.
        const hn::Repartition<std::int16_t, D> d16;
        const auto low = hn::BitCast(d16, lowest);
        const auto high = hn::BitCast(d16, highest);
        return ExtremesOf(d16, hn::Min(hn::ShiftRight<8>(hn::ShiftLeft<8>(low)), hn::ShiftRight<8>(low)),
                          hn::Max(hn::ShiftRight<8>(hn::ShiftLeft<8>(high)), hn::ShiftRight<8>(high)));
    } else {
        return {hn::GetLane(hn::MinOfLanes(d, lowest)), hn::GetLane(hn::MaxOfLanes(d, highest))};
    }
}
#endif

template <class Key>
HWY_INLINE Extremes MarkBelow(const Key* HWY_RESTRICT codes, std::size_t n, Key flip, Key limit,
                              std::uint64_t* HWY_RESTRICT words) {
    const hn::CappedTag<Key, kWord> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto flips = hn::Set(d, flip);
    const auto limits = hn::Set(d, limit);
    auto lowest = hn::Set(d, static_cast<Key>(codes[0] ^ flip));
    auto highest = lowest;

    Key rest[kWord];  // what is left behind the last whole word, filled up with its own last code
    for (std::size_t at = 0; at < n; at += kWord) {
        const Key* from = codes + at;
        if (n - at < kWord) {
            std::fill(std::copy(from, codes + n, rest), rest + kWord, codes[n - 1]);
            from = rest;
        }
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < kWord; i += lanes) {
            const auto keys = hn::Xor(hn::LoadU(d, from + i), flips);
            lowest = hn::Min(lowest, keys);
            highest = hn::Max(highest, keys);
            word |= BitsOf(d, hn::Gt(limits, keys)) << i;
        }
        words[at / kWord] = word;
    }
    if (n % kWord != 0) words[n / kWord] &= (std::uint64_t{1} << (n % kWord)) - 1;
    return ExtremesOf(d, lowest, highest);
}
Extremes MarkBelow8(const Key8* codes, std::size_t n, Key8 flip, Key8 limit, std::uint64_t* words) {
    return MarkBelow(codes, n, flip, limit, words);
}
Extremes MarkBelow16(const Key16* codes, std::size_t n, Key16 flip, Key16 limit, std::uint64_t* words) {
    return MarkBelow(codes, n, flip, limit, words);
}

// ---- runs

/// Keeps of every run of set bits those from its `min_samples`-th on, word after word.
class RunFilter {
  public:
    explicit RunFilter(int min_samples) {
        for (int have = 1; have < min_samples; have += shift_[steps_++]) {
            shift_[steps_] = std::min(have, min_samples - have);
        }
    }
    HWY_INLINE std::uint64_t Next(std::uint64_t word) {
        for (int s = 0; s < steps_; ++s) {
            const std::uint64_t earlier = word << shift_[s] | before_[s] >> (64 - shift_[s]);
            before_[s] = word;
            word &= earlier;
        }
        return word;
    }

  private:
    int steps_ = 0;
    int shift_[6] = {};             // 1 + 1 + 2 + 4 + 8 + 16 + 32 = 64
    std::uint64_t before_[6] = {};  // the word before, at each step
};

std::size_t FindEdges(const std::uint64_t* HWY_RESTRICT words, std::size_t n, int min_samples,
                      std::int32_t* HWY_RESTRICT edges) {
    RunFilter filter{min_samples};
    std::int32_t* out = edges;
    std::uint64_t last_word = 0;
    std::uint64_t inside = 0;  // 1 while a run goes on
    for (std::size_t w = 0; w < n; ++w) {
        const std::uint64_t word = words[w];
        if ((word | last_word) == 0) continue;
        last_word = word;
        const std::uint64_t run = filter.Next(word);
        std::uint64_t changes = run ^ (run << 1 | inside);
        inside = run >> 63;
        const auto base = static_cast<std::int32_t>(w * kWord);
        // Eight at a time whether there are so many or not: cheaper than a loop that ends at its own surprise.
        const std::size_t count = hwy::PopCount(changes);
        for (std::size_t done = 0; done < count; done += 8) {
            for (std::size_t i = 0; i < 8; ++i) {
                out[done + i] = base + std::countr_zero(changes);
                changes &= changes - 1;
            }
        }
        out += count;
    }
    return static_cast<std::size_t>(out - edges);
}

// ---- sums

#if HWY_TARGET == HWY_SCALAR

template <class Key>
HWY_INLINE Split SplitAt(const Key* codes, std::size_t n, Key flip, Key at) {
    Split result;
    for (std::size_t i = 0; i < n; ++i) {
        const auto key = static_cast<Key>(codes[i] ^ flip);
        result.below += key < at;
        result.above += key > at;
    }
    return result;
}

BandSums BandSumsByTable(const std::uint8_t* codes, std::size_t n, std::uint8_t first, const BandTable& table) {
    BandSums sums;
    for (std::size_t i = 0; i < n; ++i) {
        const auto entry = static_cast<std::uint8_t>(codes[i] - first);
        if (entry >= table.inside.size() || table.inside[entry] == 0) continue;
        sums.add(table.offset[entry] - kBandTableBias);
    }
    return sums;
}

template <class Key>
HWY_INLINE BandSums BandSumsAround(const Key* codes, std::size_t n, Key flip, Key centre, std::int32_t lowest,
                                   std::int32_t highest) {
    BandSums sums;
    for (std::size_t i = 0; i < n; ++i) {
        const std::int32_t offset = static_cast<Key>(codes[i] ^ flip) - centre;
        if (offset >= lowest && offset <= highest) sums.add(offset);
    }
    return sums;
}

#else

/// The sum of 16-bit lanes, each less than 65,536.
template <class D>
HWY_INLINE std::int64_t SumOfSmall16(D d, hn::Vec<D> v) {
    const hn::RepartitionToWide<hn::RebindToUnsigned<D>> wide;
    const auto pairs = hn::BitCast(wide, v);
    const auto sums = hn::Add(hn::And(pairs, hn::Set(wide, 0xFFFF)), hn::ShiftRight<16>(pairs));
    return hn::GetLane(hn::SumOfLanes(wide, sums));
}
/// The sum of unsigned 8-bit lanes.
template <class D>
HWY_INLINE std::int64_t SumOf8(D d, hn::Vec<D> v) {
    const hn::Repartition<std::uint64_t, D> d64;
    const hn::RebindToUnsigned<D> du;
    return static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, hn::SumsOf8(hn::BitCast(du, v)))));
}
template <class D>
HWY_INLINE std::int64_t SumOfCounts(D d, hn::Vec<D> v) {
    if constexpr (sizeof(hn::TFromD<D>) == 1) {
        return SumOf8(d, v);
    } else {
        return SumOfSmall16(d, v);
    }
}

template <class Key>
HWY_INLINE Split SplitAt(const Key* HWY_RESTRICT codes, std::size_t n, Key flip, Key at) {
    const hn::CappedTag<Key, kWord> d;
    const std::size_t lanes = hn::Lanes(d);
    constexpr std::size_t kMost = sizeof(Key) == 1 ? 255 : 65'535;  // what a lane can count
    const auto flips = hn::Set(d, flip);
    const auto limit = hn::Set(d, at);
    Split result;
    std::size_t i = 0;
    while (i + lanes <= n) {
        auto below = hn::Zero(d);
        auto above = hn::Zero(d);
        const std::size_t end = i + std::min(kMost, (n - i) / lanes) * lanes;
        for (; i < end; i += lanes) {
            const auto keys = hn::Xor(hn::LoadU(d, codes + i), flips);
            below = hn::Sub(below, hn::VecFromMask(d, hn::Gt(limit, keys)));
            above = hn::Sub(above, hn::VecFromMask(d, hn::Gt(keys, limit)));
        }
        result.below += SumOfCounts(d, below);
        result.above += SumOfCounts(d, above);
    }
    for (; i < n; ++i) {
        const auto key = static_cast<Key>(codes[i] ^ flip);
        result.below += key < at;
        result.above += key > at;
    }
    return result;
}

BandSums BandSumsByTable(const std::uint8_t* HWY_RESTRICT codes, std::size_t n, std::uint8_t first,
                         const BandTable& table) {
    const hn::CappedTag<std::uint8_t, kWord> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const std::size_t lanes = hn::Lanes(d);
    const auto firsts = hn::Set(d, first);
    const auto inside = hn::LoadDup128(d, table.inside.data());
    const auto offset = hn::LoadDup128(d, table.offset.data());
    const auto square = hn::LoadDup128(d, table.square.data());
    auto n_inside = hn::Zero(d64);
    auto sum = hn::Zero(d64);
    auto sum_of_squares = hn::Zero(d64);
    std::uint8_t rest[kWord];  // filled up with codes that have no entry
    for (std::size_t i = 0; i < n; i += lanes) {
        const std::uint8_t* from = codes + i;
        if (n - i < lanes) {
            std::fill(std::copy(from, codes + n, rest), rest + lanes, static_cast<std::uint8_t>(first + 16));
            from = rest;
        }
        // Entry 0 to 15, with the highest bit set for all others: those give 0.
        const auto distance = hn::Sub(hn::LoadU(d, from), firsts);
        const auto entry = hn::And(hn::SaturatedAdd(distance, hn::Set(d, 0x70)), hn::Set(d, 0x8F));
        n_inside = hn::Add(n_inside, hn::SumsOf8(hn::TableLookupBytesOr0(inside, entry)));
        sum = hn::Add(sum, hn::SumsOf8(hn::TableLookupBytesOr0(offset, entry)));
        sum_of_squares = hn::Add(sum_of_squares, hn::SumsOf8(hn::TableLookupBytesOr0(square, entry)));
    }
    BandSums sums;
    sums.n = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, n_inside)));
    sums.sum = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, sum))) - kBandTableBias * sums.n;
    sums.sum_of_squares = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, sum_of_squares)));
    return sums;
}

/// The sum of 32-bit lanes, in 64 bits.
template <class D>
HWY_INLINE std::int64_t SumOf32(D d, hn::Vec<D> v) {
    std::int32_t lanes[kWord / 2];
    hn::StoreU(v, d, lanes);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) sum += lanes[i];
    return sum;
}

template <class D>
HWY_INLINE hn::Vec<D> Load16(D d, const std::int16_t* from, std::int16_t flip) {
    return hn::Xor(hn::LoadU(d, from), hn::Set(d, flip));
}
template <class D>
HWY_INLINE hn::Vec<D> Load16(D d, const std::int8_t* from, std::int8_t flip) {
    const hn::Rebind<std::int8_t, D> half;
    return hn::PromoteTo(d, hn::Xor(hn::LoadU(half, from), hn::Set(half, flip)));
}

template <class Key>
HWY_INLINE BandSums BandSumsAround(const Key* HWY_RESTRICT codes, std::size_t n, Key flip, Key centre,
                                   std::int32_t lowest, std::int32_t highest) {
    const hn::CappedTag<std::int16_t, kWord / 2> d;
    const hn::RepartitionToWide<decltype(d)> d32;
    const std::size_t lanes = hn::Lanes(d);
    // A 32-bit lane takes up to two (on some targets four) squares of kWidestBand per step.
    constexpr std::size_t kMost = (std::size_t{1} << 31) / (4 * kWidestBand * kWidestBand) - 1;
    const auto centres = hn::Set(d, std::int16_t{centre});
    const auto above = hn::Set(d, static_cast<std::int16_t>(lowest - 1));
    const auto below = hn::Set(d, static_cast<std::int16_t>(highest + 1));
    const auto one = hn::Set(d, std::int16_t{1});
    BandSums sums;
    std::size_t i = 0;
    while (i + lanes <= n) {
        auto count = hn::Zero(d);
        auto sum = hn::Zero(d32), more_sum = hn::Zero(d32);
        auto squares = hn::Zero(d32), more_squares = hn::Zero(d32);
        const std::size_t end = i + std::min(kMost, (n - i) / lanes) * lanes;
        for (; i < end; i += lanes) {
            // Saturated at +-32,767: outside every band there is here.
            const auto distance = hn::SaturatedSub(Load16(d, codes + i, flip), centres);
            const auto inside = hn::And(hn::Gt(distance, above), hn::Gt(below, distance));
            const auto offset = hn::IfThenElseZero(inside, distance);
            count = hn::Sub(count, hn::VecFromMask(d, inside));
            sum = hn::ReorderWidenMulAccumulate(d32, offset, one, sum, more_sum);
            squares = hn::ReorderWidenMulAccumulate(d32, offset, offset, squares, more_squares);
        }
        sums.n += SumOfSmall16(d, count);
        sums.sum += SumOf32(d32, sum) + SumOf32(d32, more_sum);
        sums.sum_of_squares += SumOf32(d32, squares) + SumOf32(d32, more_squares);
    }
    for (; i < n; ++i) {
        const std::int32_t offset = static_cast<Key>(codes[i] ^ flip) - centre;
        if (offset >= lowest && offset <= highest) sums.add(offset);
    }
    return sums;
}

#endif

Split Split8(const Key8* codes, std::size_t n, Key8 flip, Key8 at) { return SplitAt(codes, n, flip, at); }
Split Split16(const Key16* codes, std::size_t n, Key16 flip, Key16 at) { return SplitAt(codes, n, flip, at); }
BandSums BandSums8(const Key8* codes, std::size_t n, Key8 flip, Key8 centre, std::int32_t lowest,
                   std::int32_t highest) {
    return BandSumsAround(codes, n, flip, centre, lowest, highest);
}
BandSums BandSums16(const Key16* codes, std::size_t n, Key16 flip, Key16 centre, std::int32_t lowest,
                    std::int32_t highest) {
    return BandSumsAround(codes, n, flip, centre, lowest, highest);
}

// ---- heights

template <class Sample>
HWY_INLINE void MakeHeights(const Sample* HWY_RESTRICT codes, std::size_t n, bool negative, std::int32_t median,
                            std::int32_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Rebind<Sample, decltype(d)> narrow;
    const std::size_t lanes = hn::Lanes(d);
    // -(code - median) is (code - median) with all bits inverted, plus 1.
    const std::int32_t sign = negative ? -1 : 0;
    const auto medians = hn::Set(d, median);
    const auto signs = hn::Set(d, sign);
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const auto height = hn::Sub(hn::PromoteTo(d, hn::LoadU(narrow, codes + i)), medians);
        hn::StoreU(hn::Sub(hn::Xor(height, signs), signs), d, out + i);
    }
    for (; i < n; ++i) out[i] = negative ? median - codes[i] : codes[i] - median;
}
void MakeHeightsI8(const std::int8_t* codes, std::size_t n, bool negative, std::int32_t median, std::int32_t* out) {
    MakeHeights(codes, n, negative, median, out);
}
void MakeHeightsU8(const std::uint8_t* codes, std::size_t n, bool negative, std::int32_t median, std::int32_t* out) {
    MakeHeights(codes, n, negative, median, out);
}
void MakeHeightsI16(const std::int16_t* codes, std::size_t n, bool negative, std::int32_t median, std::int32_t* out) {
    MakeHeights(codes, n, negative, median, out);
}
void MakeHeightsU16(const std::uint16_t* codes, std::size_t n, bool negative, std::int32_t median, std::int32_t* out) {
    MakeHeights(codes, n, negative, median, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace alleycat::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace alleycat::simd {

HWY_EXPORT(Target);
HWY_EXPORT(Split8);
HWY_EXPORT(Split16);
HWY_EXPORT(MarkBelow8);
HWY_EXPORT(MarkBelow16);
HWY_EXPORT(FindEdges);
HWY_EXPORT(BandSumsByTable);
HWY_EXPORT(BandSums8);
HWY_EXPORT(BandSums16);
HWY_EXPORT(MakeHeightsI8);
HWY_EXPORT(MakeHeightsU8);
HWY_EXPORT(MakeHeightsI16);
HWY_EXPORT(MakeHeightsU16);

Split split(std::span<const Key8> codes, Key8 flip, Key8 at) noexcept {
    return HWY_DYNAMIC_DISPATCH(Split8)(codes.data(), codes.size(), flip, at);
}
Split split(std::span<const Key16> codes, Key16 flip, Key16 at) noexcept {
    return HWY_DYNAMIC_DISPATCH(Split16)(codes.data(), codes.size(), flip, at);
}
Extremes mark_below(std::span<const Key8> codes, Key8 flip, Key8 limit, std::span<std::uint64_t> words) noexcept {
    return HWY_DYNAMIC_DISPATCH(MarkBelow8)(codes.data(), codes.size(), flip, limit, words.data());
}
Extremes mark_below(std::span<const Key16> codes, Key16 flip, Key16 limit, std::span<std::uint64_t> words) noexcept {
    return HWY_DYNAMIC_DISPATCH(MarkBelow16)(codes.data(), codes.size(), flip, limit, words.data());
}
std::size_t find_edges(std::span<const std::uint64_t> words, int min_samples, std::span<std::int32_t> edges) noexcept {
    return HWY_DYNAMIC_DISPATCH(FindEdges)(words.data(), words.size(), min_samples, edges.data());
}
BandSums band_sums(std::span<const std::uint8_t> codes, std::uint8_t first, const BandTable& table) noexcept {
    return HWY_DYNAMIC_DISPATCH(BandSumsByTable)(codes.data(), codes.size(), first, table);
}
BandSums band_sums(std::span<const Key8> codes, Key8 flip, Key8 centre, std::int32_t lowest,
                   std::int32_t highest) noexcept {
    return HWY_DYNAMIC_DISPATCH(BandSums8)(codes.data(), codes.size(), flip, centre, lowest, highest);
}
BandSums band_sums(std::span<const Key16> codes, Key16 flip, Key16 centre, std::int32_t lowest,
                   std::int32_t highest) noexcept {
    return HWY_DYNAMIC_DISPATCH(BandSums16)(codes.data(), codes.size(), flip, centre, lowest, highest);
}
void make_heights(std::span<const std::int8_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept {
    HWY_DYNAMIC_DISPATCH(MakeHeightsI8)(codes.data(), codes.size(), negative, median, out);
}
void make_heights(std::span<const std::uint8_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept {
    HWY_DYNAMIC_DISPATCH(MakeHeightsU8)(codes.data(), codes.size(), negative, median, out);
}
void make_heights(std::span<const std::int16_t> codes, bool negative, std::int32_t median, std::int32_t* out) noexcept {
    HWY_DYNAMIC_DISPATCH(MakeHeightsI16)(codes.data(), codes.size(), negative, median, out);
}
void make_heights(std::span<const std::uint16_t> codes, bool negative, std::int32_t median,
                  std::int32_t* out) noexcept {
    HWY_DYNAMIC_DISPATCH(MakeHeightsU16)(codes.data(), codes.size(), negative, median, out);
}

}  // namespace alleycat::simd

namespace alleycat {

std::string_view simd_target() noexcept { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(simd::Target)()); }

}  // namespace alleycat

#endif  // HWY_ONCE
