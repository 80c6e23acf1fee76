#pragma once
// Histograms made ready to draw: titles, units, differences. Included by sources of this folder only.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daq/core/run_description.hpp"
#include "monitor/histogram.hpp"
#include "monitor/snapshot.hpp"
#include "monitor/window_alpha.hpp"

namespace alleycat {

/// "coincident", "anticoincident", "strobe", "background"
[[nodiscard]] std::string_view name_of(WindowRole role, Background background) noexcept;

/// Place of the feature among the columns of the run's windows; nullopt: it has none of this name.
[[nodiscard]] std::optional<std::size_t> column_of(const RunDescription& run, std::string_view feature);

/// Unit of charge_pe as people write it: "PE", "keVee". Without a run: "PE".
[[nodiscard]] std::string charge_unit(const RunDescription* run);

/// "T10-90 [ns]": the title given, or the feature's name, with the unit of the run's schema.
[[nodiscard]] std::string axis_of(const RunDescription* run, std::string_view feature, std::string_view title);

/// `scale`: from the unit of the histogram to that of the axis.
[[nodiscard]] Spectrum spectrum(const CountHistogram& histogram, std::string axis, double scale);

/// Puts the background at the exposure of C, takes the difference and writes the titles ("coincident, beam on").
/// alpha: NaN when one of the exposures is zero.
[[nodiscard]] SpectrumTriple compare(Spectrum coincident, Spectrum background, Background kind, std::string_view what,
                                     double alpha);

}  // namespace alleycat
