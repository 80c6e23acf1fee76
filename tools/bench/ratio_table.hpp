#pragma once
// The median speed of every benchmark of a run, for tables of ratios.

#include <benchmark/benchmark.h>

#include <map>
#include <string>

namespace alleycat::bench {

/// Collects medians while showing what is being measured.
class Medians final : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override;

    /// Bytes per second of CPU time; 0 when the benchmark was not run or has failed.
    [[nodiscard]] double of(const std::string& name) const;

  private:
    std::map<std::string, double> bytes_per_second_;
};

/// Several repeats in mixed order, so that what else the machine does meets all alike; options of the command line come
/// after these and win.
void initialize(int argc, char** argv);

/// "1.23", or "-" for nothing.
[[nodiscard]] std::string number_or_dash(double value, int digits);

/// Processor and compiler of this run, for the head of a table.
[[nodiscard]] std::string processor_name();
[[nodiscard]] std::string compiler_name();

}  // namespace alleycat::bench
