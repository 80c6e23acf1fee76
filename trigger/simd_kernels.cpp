#include "trigger/simd_kernels.hpp"

#include <algorithm>
#include <cstring>

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

/// A word of comparisons after the other, and the extremes so far.
template <class Key>
class Marker {
  public:
    HWY_INLINE Marker(Key first, Key flip, Key limit)
        : flip_{hn::Set(d_, flip)},
          limit_{hn::Set(d_, limit)},
          lowest_{hn::Set(d_, static_cast<Key>(first ^ flip))},
          highest_{lowest_} {}
    HWY_INLINE std::uint64_t Word(const Key* codes) {
        const std::size_t lanes = hn::Lanes(d_);
        std::uint64_t word = 0;
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET > HWY_AVX3
        // Where masks are vectors, bits are made from bytes: of two masks of 16-bit lanes at once.
        if constexpr (sizeof(Key) == 2) {
            const hn::Repartition<std::uint8_t, D> d8;
            ALLEYCAT_UNROLL
            for (std::size_t i = 0; i < kWord; i += 2 * lanes) {
                const auto first = hn::BitCast(d8, hn::VecFromMask(d_, Below(codes + i)));
                const auto second = hn::BitCast(d8, hn::VecFromMask(d_, Below(codes + i + lanes)));
                word |= BitsOf(d8, hn::MaskFromVec(hn::ConcatEven(d8, second, first))) << i;
            }
            return word;
        }
#endif
        ALLEYCAT_UNROLL
        for (std::size_t i = 0; i < kWord; i += lanes) word |= BitsOf(d_, Below(codes + i)) << i;
        return word;
    }
    HWY_INLINE Extremes Result() const { return ExtremesOf(d_, lowest_, highest_); }

  private:
    using D = hn::CappedTag<Key, sizeof(Key) == 1 ? kWord : kWord / 2>;
    static constexpr D d_{};

    HWY_INLINE hn::Mask<D> Below(const Key* codes) {
        const auto keys = hn::Xor(hn::LoadU(d_, codes), flip_);
        lowest_ = hn::Min(lowest_, keys);
        highest_ = hn::Max(highest_, keys);
        return hn::Gt(limit_, keys);
    }

    hn::Vec<D> flip_, limit_, lowest_, highest_;
};

template <class Key>
HWY_INLINE Extremes MarkBelow(const Key* HWY_RESTRICT codes, std::size_t n, Key flip, Key limit,
                              std::uint64_t* HWY_RESTRICT words) {
    Marker<Key> marker{codes[0], flip, limit};
    std::size_t at = 0;
    for (; at + kWord <= n; at += kWord) words[at / kWord] = marker.Word(codes + at);
    if (at < n) {
        Key rest[kWord];  // filled up with its last code, so that the extremes stay what they are
        std::fill(std::copy(codes + at, codes + n, rest), rest + kWord, codes[n - 1]);
        words[at / kWord] = marker.Word(rest) & ((std::uint64_t{1} << (n - at)) - 1);
    }
    return marker.Result();
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

/// Where runs that are long enough by then begin and end to be so. `before`: the words before these words. The bits
/// that decide about a word reach 63 bits back, so not further than into the word before.
template <class D>
HWY_INLINE hn::Vec<D> ChangesIn(D, hn::Vec<D> before, hn::Vec<D> words, const RunSteps& steps) {
    for (int s = 0; s < steps.count; ++s) {
        const int shift = steps.shift[s];
        const auto moved = hn::Or(hn::ShiftLeftSame(words, shift), hn::ShiftRightSame(before, 64 - shift));
        words = hn::And(words, moved);
        before = hn::And(before, hn::ShiftLeftSame(before, shift));
    }
    return hn::Xor(words, hn::Or(hn::ShiftLeft<1>(words), hn::ShiftRight<63>(before)));
}

/// Writes down positions of changes: begins and ends in turn.
class EdgeList {
  public:
    HWY_INLINE EdgeList(std::int32_t* edges, int min_samples) : edges_{edges}, lag_{min_samples - 1} {}
    HWY_INLINE void Add(std::uint64_t changes, std::size_t word) {
        const auto end = static_cast<std::int32_t>(word * kWord);
        const std::int32_t begin = end - lag_;  // a begin is noticed that much late
        std::int32_t next = count_ % 2 == 0 ? begin : end;
        for (; changes != 0; changes &= changes - 1) {
            const std::size_t at = hwy::Num0BitsBelowLS1Bit_Nonzero64(changes);
            edges_[count_++] = next + static_cast<std::int32_t>(at);
            next ^= begin ^ end;
        }
    }
    [[nodiscard]] HWY_INLINE std::size_t Count() const { return count_; }

  private:
    std::int32_t* edges_;
    std::int32_t lag_;
    std::size_t count_ = 0;
};

std::size_t FindRuns(const std::uint64_t* HWY_RESTRICT words, std::size_t n, int min_samples, Peak* runs) {
    static_assert(sizeof(Peak) == 2 * sizeof(std::int32_t));  // begin and end side by side: edges in their order
    const hn::CappedTag<std::uint64_t, 8> d;
    const hn::CappedTag<std::uint64_t, 1> d1;
    const std::size_t lanes = hn::Lanes(d);
    const RunSteps steps{min_samples};
    if (n == 0) return 0;
    EdgeList edges{reinterpret_cast<std::int32_t*>(runs), min_samples};
    edges.Add(hn::GetLane(ChangesIn(d1, hn::Zero(d1), hn::Set(d1, words[0]), steps)), 0);
    std::size_t w = 1;
    for (; w + lanes <= n; w += lanes) {
        const auto changes = ChangesIn(d, hn::LoadU(d, words + w - 1), hn::LoadU(d, words + w), steps);
        std::uint64_t some = BitsOf(d, hn::Ne(changes, hn::Zero(d)));
        if (some == 0) continue;
        std::uint64_t each[8];
        hn::StoreU(changes, d, each);
        for (; some != 0; some &= some - 1) {
            const std::size_t i = hwy::Num0BitsBelowLS1Bit_Nonzero64(some);
            edges.Add(each[i], w + i);
        }
    }
    for (; w < n; ++w)
        edges.Add(hn::GetLane(ChangesIn(d1, hn::Set(d1, words[w - 1]), hn::Set(d1, words[w]), steps)), w);
    const std::size_t count = edges.Count() / 2;
    if (edges.Count() % 2 == 0) return count;
    runs[count].end = static_cast<std::int32_t>(n * kWord);
    return count + 1;
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

/// Looks 8-bit codes up in a BandTable and adds what it says.
class TableReader {
  public:
    using D = hn::CappedTag<std::uint8_t, kWord>;
    HWY_INLINE TableReader(std::uint8_t first, const BandTable& table)
        : first_{hn::Set(d_, first)},
          inside_{hn::LoadDup128(d_, table.inside.data())},
          offset_{hn::LoadDup128(d_, table.offset.data())},
          square_{hn::LoadDup128(d_, table.square.data())} {}
    HWY_INLINE void Add(const std::uint8_t* codes) {
        // Entry 0 to 15, with the highest bit set for all others: those give 0.
        const auto distance = hn::Sub(hn::LoadU(d_, codes), first_);
        const auto entry = hn::And(hn::SaturatedAdd(distance, hn::Set(d_, 0x70)), hn::Set(d_, 0x8F));
        n8_ = hn::Add(n8_, hn::TableLookupBytesOr0(inside_, entry));
        sum8_ = hn::Add(sum8_, hn::TableLookupBytesOr0(offset_, entry));
        squares8_ = hn::Add(squares8_, hn::TableLookupBytesOr0(square_, entry));
    }
    /// Before an 8-bit lane can overflow.
    HWY_INLINE void Carry() {
        n_ = hn::Add(n_, hn::SumsOf8(n8_));
        sum_ = hn::Add(sum_, hn::SumsOf8(sum8_));
        squares_ = hn::Add(squares_, hn::SumsOf8(squares8_));
        n8_ = sum8_ = squares8_ = hn::Zero(d_);
    }
    HWY_INLINE BandSums Result() const {
        BandSums sums;
        sums.n = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64_, n_)));
        sums.sum = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64_, sum_))) - kBandTableBias * sums.n;
        sums.sum_of_squares = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64_, squares_)));
        return sums;
    }

  private:
    using D64 = hn::Repartition<std::uint64_t, D>;
    static constexpr D d_{};
    static constexpr D64 d64_{};
    hn::Vec<D> first_, inside_, offset_, square_;
    hn::Vec<D> n8_ = hn::Zero(d_), sum8_ = hn::Zero(d_), squares8_ = hn::Zero(d_);
    hn::Vec<D64> n_ = hn::Zero(d64_), sum_ = hn::Zero(d64_), squares_ = hn::Zero(d64_);
};

BandSums BandSumsByTable(const std::uint8_t* HWY_RESTRICT codes, std::size_t n, std::uint8_t first,
                         const BandTable& table, std::size_t next) {
    const Fetcher ahead{codes + n, next};
    const std::size_t lanes = hn::Lanes(TableReader::D{});
    const std::size_t most = 255 / table.largest;  // what an 8-bit lane can add up
    TableReader reader{first, table};
    std::size_t i = 0;
    while (i + lanes <= n) {
        const std::size_t end = i + std::min(most, (n - i) / lanes) * lanes;
        for (; i < end; i += lanes) {
            ahead.Fetch(i);
            reader.Add(codes + i);
        }
        reader.Carry();
    }
    if (i < n) {
        std::uint8_t rest[kWord];  // filled up with a code that has no entry
        std::fill(std::copy(codes + i, codes + n, rest), rest + kWord, static_cast<std::uint8_t>(first + 16));
        reader.Add(rest);
        reader.Carry();
    }
    return reader.Result();
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
