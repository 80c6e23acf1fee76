#include "tools/bench/ratio_table.hpp"

#include <fmt/format.h>

#include <fstream>
#include <vector>

namespace alleycat::bench {

void Medians::ReportRuns(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
        if (run.error_occurred || run.run_type != Run::RT_Aggregate || run.aggregate_name != "median") continue;
        if (const auto rate = run.counters.find("bytes_per_second"); rate != run.counters.end())
            bytes_per_second_[run.run_name.function_name] = rate->second;
    }
}

double Medians::of(const std::string& name) const {
    const auto found = bytes_per_second_.find(name);
    return found == bytes_per_second_.end() ? 0 : found->second;
}

void initialize(int argc, char** argv) {
    static std::vector<std::string> words{argv[0], "--benchmark_repetitions=7", "--benchmark_min_time=0.1",
                                          "--benchmark_enable_random_interleaving=true",
                                          "--benchmark_report_aggregates_only=true"};
    words.insert(words.end(), argv + 1, argv + argc);
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    int count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) std::exit(2);
}

std::string number_or_dash(double value, int digits) { return value > 0 ? fmt::format("{:.{}f}", value, digits) : "-"; }

std::string processor_name() {
    std::ifstream cpus{"/proc/cpuinfo"};
    for (std::string line; std::getline(cpus, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    }
    return "processor without a name";
}

std::string compiler_name() {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "g++ " __VERSION__;
#endif
}

}  // namespace alleycat::bench
