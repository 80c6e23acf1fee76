// How fast `alleycat replay` is beside what it stands on: reading the very files, and decompressing them.
//
//   bench_replay INPUT --config STATION.toml [--repeats 5] [--disk]
//
// Every figure is a rate of samples, the median of the repeats, and every repeat does all of them in turn, so that a
// neighbour on the machine slows them alike.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/core/worker.hpp"
#include "daq/run/station_setup.hpp"
#include "tools/bench/replay_references.hpp"

namespace {

using namespace alleycat;
namespace fs = std::filesystem;

struct Options {
    fs::path input;
    fs::path config;
    int repeats = 5;
    bool disk = false;
};

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// All records of one source, filled into memory as large as a ring's share of the cache.
std::uint64_t drain(RecordSource& source) {
    std::vector<std::uint64_t> slot;
    std::uint64_t bytes = 0;
    for (;;) {
        RecordHeader header;
        const RecordSource::Next next = source.next(header, {});
        if (next == RecordSource::Next::end) return bytes;
        if (next == RecordSource::Next::idle || header.refusal != RefusalReason::none) continue;
        const std::size_t size = payload_bytes(header);
        slot.resize(std::max(slot.size(), size / 8 + 1));
        source.fill(std::as_writable_bytes(std::span{slot}).first(size));
        std::vector<BeamFrame> frames;
        std::vector<BeamResolution> states;
        source.take_beam_frames(frames);
        source.take_beam_resolutions(states);
        bytes += size;
    }
}

/// The readers alone, a thread per board as in a run: everything of replay before the rings.
std::uint64_t read_records(const StationSetup& setup, const fs::path& input, unsigned jobs) {
    const RecordedInput opened = open_input(setup, {input}, jobs);
    std::atomic<std::uint64_t> bytes{0};
    std::vector<std::unique_ptr<Worker>> readers;
    for (const auto& source : opened.sources) {
        readers.push_back(std::make_unique<Worker>("reader", [&](const std::stop_token&) { bytes += drain(*source); }));
    }
    for (const auto& reader : readers) reader->finish();
    return bytes;
}

/// Runs the program and returns the seconds that its report names.
double replay_seconds(const Options& options, unsigned jobs, const fs::path& output) {
    std::string command = fmt::format("ALLEYCAT_LOG=error '{}' replay '{}' --config '{}' --jobs {}", ALLEYCAT_PROGRAM,
                                      options.input.string(), options.config.string(), jobs);
    if (!output.empty()) command += fmt::format(" --output '{}'", output.string());
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
    if (!pipe) throw Error{"cannot start " ALLEYCAT_PROGRAM};
    std::array<char, 512> line{};
    double seconds = 0;
    while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
        double rate = 0, megabytes = 0;
        std::sscanf(line.data(), "rate: %lf triggers/s, %lf MB/s of samples over %lf s", &rate, &megabytes, &seconds);
    }
    if (seconds <= 0) throw Error{fmt::format("no rate in the report of: {}", command)};
    return seconds;
}

class Table {
  public:
    explicit Table(const Options& options) : options_{options}, files_{bench::files_of(options.input)} {}

    void run() {
        const StationSetup setup = load_station(options_.config);
        const fs::path output = fs::temp_directory_path() / fmt::format("bench_replay_{}.h5", ::getpid());
        for (int i = 0; i < options_.repeats; ++i) {
            measure("read", [&] { file_bytes_ = bench::read_files(files_); });
            for (const unsigned jobs : {1u, 2u}) {
                measure(fmt::format("decode {}", jobs), [&] { sample_bytes_ = bench::decode_files(files_, jobs); });
                measure(fmt::format("reader {}", jobs), [&] { (void)read_records(setup, options_.input, jobs); });
            }
            for (const unsigned jobs : {1u, 2u}) {
                take(fmt::format("replay {}", jobs), [&] { return replay_seconds(options_, jobs, {}); });
                take(fmt::format("replay {} output", jobs), [&] {
                    const double seconds = replay_seconds(options_, jobs, output);
                    fs::remove(output);
                    return seconds;
                });
            }
        }
        print();
    }

  private:
    void measure(const std::string& name, const std::function<void()>& work) {
        take(name, [&] { return seconds_of(work); });
    }
    void take(const std::string& name, const std::function<double()>& seconds) {
        if (options_.disk) bench::drop_from_page_cache(files_);
        seconds_[name].push_back(seconds());
    }
    [[nodiscard]] double median(const std::string& name) const {
        std::vector<double> sorted = seconds_.at(name);
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
    [[nodiscard]] double rate(const std::string& name) const {
        return static_cast<double>(sample_bytes_) / median(name) * 1e-6;
    }

    void print() const {
        fmt::print("{}: {:.0f} MB of samples in {:.0f} MB of files, {}; medians of {} repeats, MB/s of samples\n\n",
                   options_.input.filename().string(), static_cast<double>(sample_bytes_) * 1e-6,
                   static_cast<double>(file_bytes_) * 1e-6, options_.disk ? "from the disk" : "from the page cache",
                   options_.repeats);
        fmt::print("{:42}{:>10.0f}\n", "read the files, one thread", rate("read"));
        fmt::print("\n{:42}{:>10}{:>10}\n", "", "1 job", "2 jobs");
        const auto row = [&](const char* title, const char* name, const char* tail) {
            fmt::print("{:42}{:>10.0f}{:>10.0f}\n", title, rate(fmt::format("{} 1{}", name, tail)),
                       rate(fmt::format("{} 2{}", name, tail)));
        };
        row("decode: read + decompress, nothing else", "decode", "");
        row("the reader alone, without rings", "reader", "");
        row("alleycat replay", "replay", "");
        row("alleycat replay --output", "replay", " output");
        const auto ratios = [&](const char* title, const char* name, const char* tail) {
            const auto ratio = [&](int jobs) {
                return rate(fmt::format("{} {}{}", name, jobs, tail)) /
                       std::min(rate("read"), rate(fmt::format("decode {}", jobs)));
            };
            fmt::print("{:42}{:>10.2f}{:>10.2f}\n", title, ratio(1), ratio(2));
        };
        fmt::print("\n");
        ratios("reader / min(read, decode)", "reader", "");
        ratios("replay / min(read, decode)", "replay", "");
        ratios("replay --output / min(read, decode)", "replay", " output");
        fmt::print("{:42}{:>20.2f}\n", "replay, 2 jobs / 1 job", rate("replay 2") / rate("replay 1"));
    }

    Options options_;
    std::vector<fs::path> files_;
    std::uint64_t file_bytes_ = 0, sample_bytes_ = 0;
    std::map<std::string, std::vector<double>> seconds_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Rates of replay beside those of reading and decompressing the same files"};
    app.add_option("INPUT", options.input, "An Alleycat file, or a folder of LabVIEW minutes")->required();
    app.add_option("--config,-c", options.config, "Station file")->required();
    app.add_option("--repeats", options.repeats, "Of everything")->check(CLI::Range(5, 1000))->capture_default_str();
    app.add_flag("--disk", options.disk, "Before each measurement the files are dropped from the page cache");
    CLI11_PARSE(app, argc, argv);
    try {
        Table{options}.run();
    } catch (const std::exception& e) {
        fmt::print(stderr, "bench_replay: {}\n", e.what());
        return 1;
    }
    return 0;
}
