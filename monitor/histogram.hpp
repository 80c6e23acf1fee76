#pragma once
// Counts on one axis, by Boost.Histogram. Included by the sources of this folder only: the header is heavy.

#include <boost/histogram/axis/variable.hpp>
#include <boost/histogram/histogram.hpp>
#include <boost/histogram/make_histogram.hpp>
#include <boost/histogram/storage_adaptor.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "daq/core/bytes.hpp"
#include "monitor/monitor_config.hpp"

namespace alleycat {

/// A histogram of whole counts. What lies outside the axis is counted below and above it, NaN by itself.
///
/// The axis holds its edges (Boost's `variable`): arrivals are multiples of a sample and often lie exactly on an edge,
/// where the arithmetic of Boost's `regular` axis may put them one bin too low and the box would disagree with the
/// bins. The storage is named: with Boost 1.74's default storage a comparison of a bin with a number does not end in
/// C++20.
class CountHistogram {
  public:
    explicit CountHistogram(const Binning& binning)
        : histogram_{boost::histogram::make_histogram_with(Storage{}, Axis(edges_of(binning)))} {}

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
    using Axis = boost::histogram::axis::variable<double>;
    using Storage = boost::histogram::dense_storage<std::uint64_t>;
    using Histogram = boost::histogram::histogram<std::tuple<Axis>, Storage>;

    static std::vector<double> edges_of(const Binning& b) {
        std::vector<double> edges(std::size_t{b.bins} + 1);
        for (std::uint32_t i = 0; i <= b.bins; ++i) edges[i] = b.low + b.width * i;
        return edges;
    }

    Histogram histogram_;
    std::uint64_t undefined_ = 0;
};

}  // namespace alleycat
