#pragma once
// Counts on one axis and on two, by Boost.Histogram. Included by the sources of this folder only: the header is heavy.

#include <algorithm>
#include <boost/histogram/axis/variable.hpp>
#include <boost/histogram/histogram.hpp>
#include <boost/histogram/make_histogram.hpp>
#include <boost/histogram/storage_adaptor.hpp>
#include <boost/histogram/unsafe_access.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "daq/core/bytes.hpp"
#include "monitor/monitor_config.hpp"

namespace alleycat {

/// The axis of all histograms here; it holds its edges.
using CountAxis = boost::histogram::axis::variable<double>;
using CountStorage = boost::histogram::dense_storage<std::uint64_t>;

[[nodiscard]] inline CountAxis make_axis(const Binning& b) {
    std::vector<double> edges(std::size_t{b.bins} + 1);
    for (std::uint32_t i = 0; i <= b.bins; ++i) edges[i] = b.low + b.width * i;
    return CountAxis(edges);
}

/// A histogram of whole counts. What lies outside the axis is counted below and above it, NaN by itself.
///
/// The axis holds its edges (Boost's `variable`): arrivals are multiples of a sample and often lie exactly on an edge,
/// where the arithmetic of Boost's `regular` axis may put them one bin too low and the box would disagree with the
/// bins. The storage is named: with Boost 1.74's default storage a comparison of a bin with a number does not end in
/// C++20.
class CountHistogram {
  public:
    explicit CountHistogram(const Binning& binning)
        : histogram_{boost::histogram::make_histogram_with(CountStorage{}, make_axis(binning))} {}

    void fill(double value) {
        if (std::isnan(value)) {
            ++undefined_;
        } else {
            histogram_(value);
        }
    }
    [[nodiscard]] std::uint32_t bins() const { return static_cast<std::uint32_t>(histogram_.axis().size()); }
    /// Lower edge of bin i; i = bins() gives the axis' end.
    [[nodiscard]] double edge(std::uint32_t i) const { return histogram_.axis().value(static_cast<int>(i)); }
    [[nodiscard]] std::uint64_t count(std::uint32_t bin) const { return histogram_.at(static_cast<int>(bin)); }
    [[nodiscard]] std::uint64_t below() const { return histogram_.at(-1); }
    [[nodiscard]] std::uint64_t above() const { return histogram_.at(static_cast<int>(bins())); }
    [[nodiscard]] std::uint64_t undefined() const { return undefined_; }

    void put(ByteWriter& out) const {
        for (int i = -1; i <= static_cast<int>(bins()); ++i) out.put(std::uint64_t{histogram_.at(i)});
        out.put(undefined_);
    }
    void get(ByteReader& in) {
        for (int i = -1; i <= static_cast<int>(bins()); ++i) histogram_.at(i) = in.get<std::uint64_t>();
        undefined_ = in.get<std::uint64_t>();
    }

  private:
    boost::histogram::histogram<std::tuple<CountAxis>, CountStorage> histogram_;
    std::uint64_t undefined_ = 0;
};

/// The same on two axes. Most cells of a map are empty or hold little, so its bytes are the lengths of the empty runs
/// between counts, each number as short as it can be.
class CountMap {
  public:
    CountMap(const Binning& x, const Binning& y)
        : histogram_{boost::histogram::make_histogram_with(CountStorage{}, make_axis(x), make_axis(y))} {}

    void fill(double x, double y) {
        if (std::isnan(x) || std::isnan(y)) {
            ++undefined_;
        } else {
            histogram_(x, y);
        }
    }
    [[nodiscard]] std::uint32_t columns() const { return static_cast<std::uint32_t>(histogram_.axis(0).size()); }
    [[nodiscard]] std::uint32_t rows() const { return static_cast<std::uint32_t>(histogram_.axis(1).size()); }
    [[nodiscard]] double x_edge(std::uint32_t i) const { return histogram_.axis(0).value(static_cast<int>(i)); }
    [[nodiscard]] double y_edge(std::uint32_t i) const { return histogram_.axis(1).value(static_cast<int>(i)); }
    [[nodiscard]] std::uint64_t count(std::uint32_t column, std::uint32_t row) const {
        return histogram_.at(static_cast<int>(column), static_cast<int>(row));
    }
    /// All cells, those beyond the axes included.
    [[nodiscard]] double total() const {
        double sum = 0;
        for (const std::uint64_t n : cells()) sum += static_cast<double>(n);
        return sum;
    }
    [[nodiscard]] std::uint64_t undefined() const { return undefined_; }

    void put(ByteWriter& out) const {
        std::uint64_t empty = 0;
        for (const std::uint64_t n : cells()) {
            if (n == 0) {
                ++empty;
                continue;
            }
            put_short(out, empty);
            put_short(out, n);
            empty = 0;
        }
        put_short(out, empty);
        out.put(undefined_);
    }
    void get(ByteReader& in) {
        CountStorage& all = boost::histogram::unsafe_access::storage(histogram_);
        std::fill(all.begin(), all.end(), 0);
        for (std::size_t at = 0;; ++at) {
            const std::uint64_t empty = get_short(in);
            if (in.failed() || empty > all.size() - at) return in.fail();
            at += empty;
            if (at == all.size()) break;
            all[at] = get_short(in);
        }
        undefined_ = in.get<std::uint64_t>();
    }

  private:
    [[nodiscard]] const CountStorage& cells() const { return boost::histogram::unsafe_access::storage(histogram_); }

    /// Seven bits to a byte, the lowest first; the top bit says that more follow.
    static void put_short(ByteWriter& out, std::uint64_t n) {
        for (; n > 0x7F; n >>= 7) out.put(static_cast<std::uint8_t>(0x80 | (n & 0x7F)));
        out.put(static_cast<std::uint8_t>(n));
    }
    static std::uint64_t get_short(ByteReader& in) {
        std::uint64_t n = 0;
        for (int bits = 0; bits < 64; bits += 7) {
            const auto byte = in.get<std::uint8_t>();
            n |= static_cast<std::uint64_t>(byte & 0x7F) << bits;
            if ((byte & 0x80) == 0) return n;
        }
        in.fail();
        return 0;
    }

    boost::histogram::histogram<std::tuple<CountAxis, CountAxis>, CountStorage> histogram_;
    std::uint64_t undefined_ = 0;
};

}  // namespace alleycat
