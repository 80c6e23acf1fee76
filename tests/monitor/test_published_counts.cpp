#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "monitor/accumulator.hpp"
#include "synthetic.hpp"

using namespace alleycat;
using namespace alleycat::synthetic;

namespace {

namespace fs = std::filesystem;

struct Cell {
    double charge_pe, arrival_us;
    int counts;
};

/// Lines "PE, us, counts"; a heading is skipped.
std::vector<Cell> read_table(const fs::path& path) {
    std::vector<Cell> cells;
    std::ifstream in{path};
    for (std::string line; std::getline(in, line);) {
        Cell cell{};
        if (std::sscanf(line.c_str(), "%lf,%lf,%d", &cell.charge_pe, &cell.arrival_us, &cell.counts) == 3)
            cells.push_back(cell);
    }
    return cells;
}

/// Feeds every published count as a tick of its own, alternately into the pipeline's order of things.
class Feed {
  public:
    void add(const fs::path& path, std::size_t window, BeamState state) {
        for (const Cell& cell : read_table(path)) {
            for (int i = 0; i < cell.counts; ++i) {
                Event e = event(sequence_);
                set_window(e.window[window], cell.charge_pe, cell.arrival_us * 1000);
                accumulator.on_event(e);
                accumulator.on_beam({sequence_, state == BeamState::on ? 1e6F : 0.0F, state});
                ++sequence_;
            }
        }
    }
    Accumulator accumulator;

  private:
    std::uint64_t sequence_ = 0;
};

std::vector<double> part(const std::vector<double>& v, std::size_t from, std::size_t n) {
    return {v.begin() + static_cast<std::ptrdiff_t>(from), v.begin() + static_cast<std::ptrdiff_t>(from + n)};
}

}  // namespace

TEST_CASE("the released counts of 2017 give the released box, projections and control", "[monitor][data]") {
    const fs::path folder = fs::path{ALLEYCAT_REAL_DATA} / "coherent_csi_2017";
    const fs::path files[] = {folder / "data_coincidence_beamOn.txt", folder / "data_anticoincidence_beamOn.txt",
                              folder / "data_coincidence_beamOff.txt", folder / "data_anticoincidence_beamOff.txt"};
    for (const fs::path& file : files) {
        if (!fs::exists(file)) {
            std::cout << "SKIPPED: " << file.filename().string() << " is absent\n";
            return;
        }
    }
    Feed feed;
    feed.accumulator.on_run(run());
    feed.add(files[0], 0, BeamState::on);
    feed.add(files[1], 1, BeamState::on);
    feed.add(files[2], 0, BeamState::off);
    feed.add(files[3], 1, BeamState::off);
    const auto s = feed.accumulator.snapshot();

    CHECK(s->cut_flow[0].accepted == 1207 + 507);
    CHECK(s->cut_flow[1].accepted == 1032 + 507);
    CHECK(s->excess.n_on == 547);
    CHECK(s->excess.n_off == 405);
    CHECK(s->excess.alpha == 1);
    CHECK(s->excess.excess == 142);
    CHECK(s->excess.error == Approx(30.9).margin(0.05));
    CHECK(s->excess.li_ma == Approx(4.61).margin(0.005));
    CHECK(s->control.n_on == 209);
    CHECK(s->control.n_off == 207);
    CHECK(s->control.excess == 2);
    CHECK(s->control.error == Approx(20.4).margin(0.05));

    using V = std::vector<double>;
    CHECK(part(s->arrival_on.coincident.value, 0, 12) == V{57, 96, 63, 46, 42, 34, 38, 43, 35, 19, 39, 35});
    CHECK(part(s->arrival_on.anticoincident.value, 0, 12) == V{52, 50, 36, 28, 39, 37, 27, 27, 34, 19, 33, 23});
    CHECK(part(s->arrival_on.difference.value, 0, 12) == V{5, 46, 27, 18, 3, -3, 11, 16, 1, 0, 6, 12});
    CHECK(part(s->pe_on.coincident.value, 3, 12) == V{35, 62, 91, 74, 60, 49, 35, 33, 27, 21, 34, 26});
    CHECK(part(s->pe_on.anticoincident.value, 3, 12) == V{26, 51, 67, 49, 39, 32, 30, 23, 21, 21, 29, 17});
    CHECK(s->arrival_on.difference.error[0] == Approx(std::sqrt(109.0)));
    CHECK(s->excess_history.back().excess == 142);
    CHECK(s->excess_history.back().control == 2);
}
