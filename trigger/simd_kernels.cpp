#include "trigger/simd_kernels.hpp"

#include <algorithm>

#include "trigger/kernels.hpp"

// This file is compiled once per instruction set: Highway includes it again and again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "trigger/simd_kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef ALLEYCAT_UNROLL
#if HWY_COMPILER_CLANG
#define ALLEYCAT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ALLEYCAT_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

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

/// One word of comparisons; the extremes so far.
template <class D, class Key>
HWY_INLINE std::uint64_t MarkWord(D d, const Key* codes, hn::Vec<D> flips, hn::Vec<D> limits, hn::Vec<D>& lowest,
                                  hn::Vec<D>& highest) {
    const std::size_t lanes = hn::Lanes(d);
    const auto below = [&](std::size_t i) HWY_ATTR {
        const auto keys = hn::Xor(hn::LoadU(d, codes + i), flips);
        lowest = hn::Min(lowest, keys);
        highest = hn::Max(highest, keys);
        return hn::Gt(limits, keys);
    };
    std::uint64_t word = 0;
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET > HWY_AVX3
    // Where masks are vectors, bits are made from bytes: of two masks of 16-bit lanes at once.
    if constexpr (sizeof(Key) == 2) {
        const hn::Repartition<std::uint8_t, D> d8;
        ALLEYCAT_UNROLL
        for (std::size_t i = 0; i < kWord; i += 2 * lanes) {
            const auto first = hn::BitCast(d8, hn::VecFromMask(d, below(i)));
            const auto second = hn::BitCast(d8, hn::VecFromMask(d, below(i + lanes)));
            word |= BitsOf(d8, hn::MaskFromVec(hn::ConcatEven(d8, second, first))) << i;
        }
        return word;
    }
#endif
    ALLEYCAT_UNROLL
    for (std::size_t i = 0; i < kWord; i += lanes) word |= BitsOf(d, below(i)) << i;
    return word;
}

template <class Key>
HWY_INLINE Extremes MarkBelow(const Key* HWY_RESTRICT codes, std::size_t n, Key flip, Key limit,
                              std::uint64_t* HWY_RESTRICT words) {
    const hn::CappedTag<Key, kWord / sizeof(Key)> d;
    const auto flips = hn::Set(d, flip);
    const auto limits = hn::Set(d, limit);
    auto lowest = hn::Set(d, static_cast<Key>(codes[0] ^ flip));
    auto highest = lowest;
    const std::size_t whole = n / kWord;
    for (std::size_t w = 0; w < whole; ++w) words[w] = MarkWord(d, codes + w * kWord, flips, limits, lowest, highest);
    if (const std::size_t left = n % kWord; left != 0) {
        Key rest[kWord];  // filled up with its last code, so that the extremes stay what they are
        std::fill(std::copy(codes + whole * kWord, codes + n, rest), rest + kWord, codes[n - 1]);
        const std::uint64_t word = MarkWord(d, rest, flips, limits, lowest, highest);
        words[whole] = word & ((std::uint64_t{1} << left) - 1);
    }
    return ExtremesOf(d, lowest, highest);
}
Extremes MarkBelow8(const Key8* codes, std::size_t n, Key8 flip, Key8 limit, std::uint64_t* words) {
    return MarkBelow(codes, n, flip, limit, words);
}
Extremes MarkBelow16(const Key16* codes, std::size_t n, Key16 flip, Key16 limit, std::uint64_t* words) {
    return MarkBelow(codes, n, flip, limit, words);
}

// ---- runs

/// A run of n bits and the same moved by s <= n, both set, are a run of n + s: from 1 to any length in a few steps.
struct RunSteps {
    explicit RunSteps(int length) {
        for (int have = 1; have < length; have += shift[count++]) shift[count] = std::min(have, length - have);
    }
    int count = 0;
    int shift[6] = {};  // 1 + 1 + 2 + 4 + 8 + 16 + 32 = 64
};

/// The bits at which a run is long enough or goes on, and in `earlier` the same moved by one: whether the sample before
/// was one. `before`: the words before these words. What decides about a word reaches 63 bits back, so not further than
/// into the word before.
template <class D>
HWY_INLINE hn::Vec<D> LongRuns(D, hn::Vec<D> before, hn::Vec<D> words, const RunSteps& steps, hn::Vec<D>& earlier) {
    for (int s = 0; s < steps.count; ++s) {
        const int shift = steps.shift[s];
        const auto moved = hn::Or(hn::ShiftLeftSame(words, shift), hn::ShiftRightSame(before, 64 - shift));
        words = hn::And(words, moved);
        before = hn::And(before, hn::ShiftLeftSame(before, shift));
    }
    earlier = hn::Or(hn::ShiftLeft<1>(words), hn::ShiftRight<63>(before));
    return words;
}

/// Writes runs down, word after word.
class RunList {
  public:
    HWY_INLINE RunList(Peak* runs, int min_samples) : runs_{runs}, next_{runs}, lag_{min_samples - 1} {}
    HWY_INLINE void Add(std::uint64_t runs, std::uint64_t earlier, std::size_t word) {
        std::uint64_t begins = runs & ~earlier;
        std::uint64_t ends = earlier & ~runs;
        const auto base = static_cast<std::int32_t>(word * kWord);
        const std::int32_t begin_base = base - lag_;  // a begin is noticed that much late
        Peak* next = next_;
        if (open_ && ends != 0) {
            (next++)->end = base + Lowest(ends);
            ends &= ends - 1;
            open_ = false;
        }
        for (; ends != 0; ends &= ends - 1, begins &= begins - 1)
            *next++ = {begin_base + Lowest(begins), base + Lowest(ends)};
        if (begins != 0) {
            next->onset = begin_base + Lowest(begins);
            open_ = true;
        }
        next_ = next;
    }
    /// Ends a run that goes on.
    [[nodiscard]] HWY_INLINE std::size_t Close(std::size_t end) {
        if (open_) (next_++)->end = static_cast<std::int32_t>(end);
        return static_cast<std::size_t>(next_ - runs_);
    }

  private:
    static HWY_INLINE std::int32_t Lowest(std::uint64_t bits) {
        return static_cast<std::int32_t>(hwy::Num0BitsBelowLS1Bit_Nonzero64(bits));
    }

    Peak* runs_;
    Peak* next_;
    std::int32_t lag_;
    bool open_ = false;  // the run at next_ has begun
};

std::size_t FindRuns(const std::uint64_t* HWY_RESTRICT words, std::size_t n, int min_samples, Peak* HWY_RESTRICT runs) {
    const hn::CappedTag<std::uint64_t, 8> d;
    const hn::CappedTag<std::uint64_t, 1> d1;
    const std::size_t lanes = hn::Lanes(d);
    const RunSteps steps{min_samples};
    RunList list{runs, min_samples};
    const auto add_one = [&](std::uint64_t before, std::size_t w) HWY_ATTR {
        auto earlier = hn::Zero(d1);
        const auto run = LongRuns(d1, hn::Set(d1, before), hn::Set(d1, words[w]), steps, earlier);
        list.Add(hn::GetLane(run), hn::GetLane(earlier), w);
    };
    if (n != 0) add_one(0, 0);
    std::size_t w = 1;
    for (; w + lanes <= n; w += lanes) {
        auto earlier = hn::Zero(d);
        const auto run = LongRuns(d, hn::LoadU(d, words + w - 1), hn::LoadU(d, words + w), steps, earlier);
        std::uint64_t changes = BitsOf(d, hn::Ne(run, earlier));
        if (changes == 0) continue;
        std::uint64_t runs_now[8], runs_earlier[8];
        hn::StoreU(run, d, runs_now);
        hn::StoreU(earlier, d, runs_earlier);
        for (; changes != 0; changes &= changes - 1) {
            const std::size_t i = hwy::Num0BitsBelowLS1Bit_Nonzero64(changes);
            list.Add(runs_now[i], runs_earlier[i], w + i);
        }
    }
    for (; w < n; ++w) add_one(words[w - 1], w);
    return list.Close(n * kWord);
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

BandSums BandSumsByTable(const std::uint8_t* codes, std::size_t n, std::uint8_t first, const BandTable& table,
                         std::size_t) {
    BandSums sums;
    for (std::size_t i = 0; i < n; ++i) {
        const auto entry = static_cast<std::uint8_t>(codes[i] - first);
        if (entry >= table.inside.size() || table.inside[entry] == 0) continue;
        sums.add(table.offset[entry] - kBandTableBias);
    }
    return sums;
}

template <class Code>
HWY_INLINE BandSums SumDistances(const Code* codes, std::size_t n, Code first, std::uint16_t width, std::size_t) {
    BandSums sums;
    for (std::size_t i = 0; i < n; ++i) {
        const auto distance = static_cast<Code>(codes[i] - first);
        if (distance <= width) sums.add(distance);
    }
    return sums;
}

#else

/// Asks for memory that will be wanted soon.
template <class Code>
class Fetcher {
  public:
    HWY_INLINE Fetcher(const Code* codes, std::size_t n) : codes_{codes}, n_{n} {}
    HWY_INLINE void Fetch(std::size_t i) const {
        if (i < n_) hwy::Prefetch(codes_ + i);
    }

  private:
    const Code* codes_;
    std::size_t n_;
};

/// The sum of 16-bit lanes, each less than 65,536.
template <class D>
HWY_INLINE std::int64_t SumOfSmall16(D, hn::Vec<D> v) {
    const hn::RepartitionToWide<hn::RebindToUnsigned<D>> wide;
    const auto pairs = hn::BitCast(wide, v);
    const auto sums = hn::Add(hn::And(pairs, hn::Set(wide, 0xFFFF)), hn::ShiftRight<16>(pairs));
    return hn::GetLane(hn::SumOfLanes(wide, sums));
}
/// The sum of unsigned 8-bit lanes.
template <class D>
HWY_INLINE std::int64_t SumOf8(D, hn::Vec<D> v) {
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
                         const BandTable& table, std::size_t next) {
    const hn::CappedTag<std::uint8_t, kWord> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const std::size_t lanes = hn::Lanes(d);
    const Fetcher ahead{codes + n, next};
    const auto firsts = hn::Set(d, first);
    const auto inside = hn::LoadDup128(d, table.inside.data());
    const auto offset = hn::LoadDup128(d, table.offset.data());
    const auto square = hn::LoadDup128(d, table.square.data());
    const std::size_t most = 255 / table.largest;  // what an 8-bit lane can add up
    auto count = hn::Zero(d64), sum = hn::Zero(d64), squares = hn::Zero(d64);
    std::uint8_t rest[kWord];
    for (std::size_t i = 0; i < n;) {
        const std::uint8_t* from = codes + i;
        std::size_t vectors = std::min(most, (n - i) / lanes);
        if (vectors == 0) {  // less than a vector is left: filled up with a code that has no entry
            std::fill(std::copy(from, codes + n, rest), rest + kWord, static_cast<std::uint8_t>(first + 16));
            from = rest;
            vectors = 1;
        }
        auto count8 = hn::Zero(d), sum8 = hn::Zero(d), squares8 = hn::Zero(d);
        for (const std::uint8_t* const end = from + vectors * lanes; from != end; from += lanes, i += lanes) {
            ahead.Fetch(i);
            // Entry 0 to 15, with the highest bit set for all others: those give 0.
            const auto distance = hn::Sub(hn::LoadU(d, from), firsts);
            const auto entry = hn::And(hn::SaturatedAdd(distance, hn::Set(d, 0x70)), hn::Set(d, 0x8F));
            count8 = hn::Add(count8, hn::TableLookupBytesOr0(inside, entry));
            sum8 = hn::Add(sum8, hn::TableLookupBytesOr0(offset, entry));
            squares8 = hn::Add(squares8, hn::TableLookupBytesOr0(square, entry));
        }
        count = hn::Add(count, hn::SumsOf8(count8));
        sum = hn::Add(sum, hn::SumsOf8(sum8));
        squares = hn::Add(squares, hn::SumsOf8(squares8));
    }
    BandSums sums;
    sums.n = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, count)));
    sums.sum = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, sum))) - kBandTableBias * sums.n;
    sums.sum_of_squares = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, squares)));
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

/// Distances of codes from `first`, modulo 65,536.
template <class D>
HWY_INLINE hn::Vec<D> DistanceFrom(D d, const std::uint16_t* codes, hn::Vec<D> first) {
    return hn::Sub(hn::LoadU(d, codes), first);
}
template <class D>
HWY_INLINE hn::Vec<D> DistanceFrom(D d, const std::uint8_t* codes, hn::Vec<D> first) {
    return hn::And(hn::Sub(hn::PromoteTo(d, hn::LoadU(hn::Rebind<std::uint8_t, D>(), codes)), first), hn::Set(d, 0xFF));
}

template <class Code>
HWY_INLINE BandSums SumDistances(const Code* HWY_RESTRICT codes, std::size_t n, Code first, std::uint16_t width,
                                 std::size_t next) {
    const Fetcher ahead{codes + n, next};
    const hn::CappedTag<std::uint16_t, kWord / 2> d;
    const hn::RebindToSigned<decltype(d)> d_signed;
    const hn::RepartitionToWide<decltype(d_signed)> d32;
    const std::size_t lanes = hn::Lanes(d);
    // A 32-bit lane takes up to two (on some targets four) squares per step.
    constexpr std::size_t kMost = (std::size_t{1} << 31) / (4 * kWidestBand * kWidestBand) - 1;
    const auto firsts = hn::Set(d, first);
    const auto widths = hn::Set(d, width);
    const auto one = hn::Set(d_signed, 1);
    BandSums sums;
    std::size_t i = 0;
    while (i + lanes <= n) {
        auto count = hn::Zero(d);
        auto sum = hn::Zero(d32), more_sum = hn::Zero(d32);
        auto squares = hn::Zero(d32), more_squares = hn::Zero(d32);
        const std::size_t end = i + std::min(kMost, (n - i) / lanes) * lanes;
        for (; i < end; i += lanes) {
            ahead.Fetch(i);
            const auto distance = DistanceFrom(d, codes + i, firsts);
            const auto inside = hn::VecFromMask(d, hn::Eq(hn::SaturatedSub(distance, widths), hn::Zero(d)));
            const auto kept = hn::BitCast(d_signed, hn::And(distance, inside));
            count = hn::Sub(count, inside);
            sum = hn::ReorderWidenMulAccumulate(d32, kept, one, sum, more_sum);
            squares = hn::ReorderWidenMulAccumulate(d32, kept, kept, squares, more_squares);
        }
        sums.n += SumOfSmall16(d, count);
        sums.sum += SumOf32(d32, sum) + SumOf32(d32, more_sum);
        sums.sum_of_squares += SumOf32(d32, squares) + SumOf32(d32, more_squares);
    }
    for (; i < n; ++i) {
        const auto distance = static_cast<Code>(codes[i] - first);
        if (distance <= width) sums.add(distance);
    }
    return sums;
}

#endif

Split Split8(const Key8* codes, std::size_t n, Key8 flip, Key8 at) { return SplitAt(codes, n, flip, at); }
Split Split16(const Key16* codes, std::size_t n, Key16 flip, Key16 at) { return SplitAt(codes, n, flip, at); }
BandSums SumDistances8(const std::uint8_t* codes, std::size_t n, std::uint8_t first, std::uint16_t width,
                       std::size_t next) {
    return SumDistances(codes, n, first, width, next);
}
BandSums SumDistances16(const std::uint16_t* codes, std::size_t n, std::uint16_t first, std::uint16_t width,
                        std::size_t next) {
    return SumDistances(codes, n, first, width, next);
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
HWY_EXPORT(FindRuns);
HWY_EXPORT(BandSumsByTable);
HWY_EXPORT(SumDistances8);
HWY_EXPORT(SumDistances16);
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
std::size_t find_runs(std::span<const std::uint64_t> words, int min_samples, std::span<Peak> runs) noexcept {
    return HWY_DYNAMIC_DISPATCH(FindRuns)(words.data(), words.size(), min_samples, runs.data());
}
BandSums band_sums(std::span<const std::uint8_t> codes, std::uint8_t first, const BandTable& table,
                   std::size_t next) noexcept {
    return HWY_DYNAMIC_DISPATCH(BandSumsByTable)(codes.data(), codes.size(), first, table, next);
}
BandSums sum_distances(std::span<const std::uint8_t> codes, std::uint8_t first, std::uint16_t width,
                       std::size_t next) noexcept {
    return HWY_DYNAMIC_DISPATCH(SumDistances8)(codes.data(), codes.size(), first, width, next);
}
BandSums sum_distances(std::span<const std::uint16_t> codes, std::uint16_t first, std::uint16_t width,
                       std::size_t next) noexcept {
    return HWY_DYNAMIC_DISPATCH(SumDistances16)(codes.data(), codes.size(), first, width, next);
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
