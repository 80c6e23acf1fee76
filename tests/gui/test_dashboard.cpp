#include <QApplication>
#include <QImage>
#include <QTableWidget>
#include <QTemporaryDir>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "daq/core/error.hpp"
#include "fake_snapshot.hpp"
#include "gui/alarm_list.hpp"
#include "gui/board_panel.hpp"
#include "gui/cut_flow_table.hpp"
#include "gui/dashboard.hpp"
#include "gui/detector_panel.hpp"
#include "gui/discriminant_panel.hpp"
#include "gui/excess_panel.hpp"
#include "gui/format.hpp"
#include "gui/scope.hpp"
#include "gui/spectrum_panel.hpp"
#include "gui/status_strip.hpp"
#include "gui/trends.hpp"

using namespace alleycat;
using namespace alleycat::gui;

namespace {

const UtcTime kNow{std::chrono::nanoseconds{fake::kNoonNs}};

Tile tile(const FeedState& feed, const QString& title, UtcTime now = kNow) {
    for (const Tile& tile : status_tiles(feed, now)) {
        if (tile.title == title) return tile;
    }
    return {"no tile " + title, "", "", "", Tone::plain};
}

void put(SnapshotBox<FeedState>& box, FeedState feed) { box.put(std::make_shared<const FeedState>(std::move(feed))); }

/// A window that shows this feed.
struct Shown {
    explicit Shown(FeedState feed) {
        put(box, std::move(feed));
        window.resize(1600, 1000);
        window.show();
        window.refresh(kNow);
        QApplication::processEvents();
    }
    SnapshotBox<FeedState> box;
    Dashboard window{box};
};

}  // namespace

TEST_CASE("the strip says what the snapshot holds", "[gui][unit]") {
    const FeedState feed = fake::live(fake::snapshot(7.476, 1'728'430));
    CHECK(tile(feed, "RUN").value == "4711");
    CHECK(tile(feed, "RUN").detail.startsWith("csi"));
    CHECK(tile(feed, "STATE").value == "RUNNING");
    CHECK(tile(feed, "STATE").tone == Tone::good);
    CHECK(tile(feed, "BEAM").value == "ON 1.402 MW");
    CHECK(tile(feed, "BEAM").detail == "lag 2.1 s");
    CHECK(tile(feed, "TRIGGER RATE").value == "60.02 Hz");
    CHECK(tile(feed, "TRIGGER RATE").detail == "nominal 60 Hz");
    CHECK(tile(feed, "LIVE").value == "99.99 %");
    CHECK(tile(feed, "REFUSED / LOST").value == "225 / 0");
    CHECK(tile(feed, "BEAM ENERGY").value == "7.476 GWh");
    CHECK(tile(feed, "RING").value == "3.13 %");      // 2.1 of 67.108864 MB
    CHECK(tile(feed, "RETRANSMIT").value == "23 s");  // 96 MB at 4.2 MB/s; 3904 MB are left
    CHECK(tile(feed, "RETRANSMIT").detail == "full in 15 min 30 s · 2.40 % used");
    CHECK(tile(feed, "WRITER").value == "812 MB");
    CHECK(tile(feed, "WRITER").detail == "run004711_part0007.h5.part");
    CHECK(tile(feed, "DISK FREE").value == "2.31 TB");
    CHECK(tile(feed, "DISK FREE").detail == "152 h to full");  // 2.31e12 / 4.2e6 / 3600 = 152.8
    CHECK(tile(feed, "DATA AGE").value == "0.3 s");            // 250 ms
    CHECK(tile(feed, "ALARMS").value == "1 active");
    CHECK(tile(feed, "ALARMS").tone == Tone::warning);
    CHECK(tile(feed, "REFUSED / LOST").tone == Tone::warning);
    CHECK(status_banner(feed).text.startsWith("225 triggers were refused"));
}

TEST_CASE("a test run says so on the strip", "[gui][unit]") {
    FeedState feed = fake::live(fake::snapshot(7.476, 1'728'430));
    Snapshot snapshot = *feed.snapshot;
    RunDescription run = *snapshot.run;
    run.test_run = true;
    snapshot.run = std::make_shared<const RunDescription>(run);
    feed.snapshot = std::make_shared<const Snapshot>(snapshot);
    CHECK(tile(feed, "RUN").value == "4711 TEST");
    CHECK(tile(feed, "RUN").tone == Tone::warning);
}

TEST_CASE("the strip has all its tiles at every time", "[gui][unit]") {
    const FeedState nothing;
    const FeedState everything = fake::live(fake::snapshot(7.476, 1'728'430));
    REQUIRE(status_tiles(nothing, kNow).size() == kTiles);
    REQUIRE(status_tiles(everything, kNow).size() == kTiles);
    for (const Tile& tile : status_tiles(everything, kNow)) {
        CHECK_FALSE(tile.tooltip.isEmpty());
        CHECK_FALSE(tile.value.isEmpty());
    }
}

TEST_CASE("the strip says what the run is worth, why, and what was said last", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    FeedState feed = fake::live(snapshot);
    CHECK(tile(feed, "QUALITY").value == "DEGRADED");
    CHECK(tile(feed, "QUALITY").tone == Tone::warning);
    CHECK(tile(feed, "QUALITY").detail == "225 of 1728431 triggers were refused");
    CHECK(tile(feed, "QUALITY").tooltip.contains("ann: cart parked under the hall"));

    Snapshot marked = *snapshot;
    marked.status->quality = "degraded,tainted";  // an operator's word comes first
    marked.status->quality_reasons += "\ntainted: cart (ann, 2026-01-31T12:00:00Z)";
    feed.snapshot = std::make_shared<const Snapshot>(marked);
    CHECK(tile(feed, "QUALITY").value == "TAINTED");
    CHECK(tile(feed, "QUALITY").detail == "cart (ann, 2026-01-31T12:00:00Z)");
    CHECK(tile(feed, "QUALITY").tooltip.contains("degraded: 225 of"));

    marked.status->quality.clear();
    marked.status->quality_reasons.clear();
    feed.snapshot = std::make_shared<const Snapshot>(marked);
    CHECK(tile(feed, "QUALITY").value == "no fault");
    CHECK(tile(feed, "QUALITY").tone == Tone::good);
    CHECK(tile(feed, "QUALITY").detail == "ann: cart parked under the hall");
}

TEST_CASE("the hours to a full disk are the monitor's, and say when they are only a bound", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    snapshot->disk = DiskOutlook{2e6, 7.2, true};
    CHECK(tile(fake::live(snapshot), "DISK FREE").detail == "7.2 h to full");
    snapshot->disk->measured = false;
    CHECK(tile(fake::live(snapshot), "DISK FREE").detail == "> 7.2 h to full");
    snapshot->disk.reset();
    CHECK(tile(fake::live(snapshot), "DISK FREE").detail.isEmpty());
}

TEST_CASE("data grow old visibly", "[gui][unit]") {
    const FeedState feed = fake::live(fake::snapshot(1, 100));
    using namespace std::chrono_literals;
    CHECK(tile(feed, "DATA AGE", kNow).tone == Tone::good);
    CHECK(tile(feed, "DATA AGE", kNow + 5s).tone == Tone::warning);
    CHECK(tile(feed, "DATA AGE", kNow + 60s).tone == Tone::alarm);
    CHECK(tile(feed, "DATA AGE", kNow + 60s).value == "1 min 00 s");
    CHECK(tile(feed, "DATA AGE", kNow - 60s).detail == "the clocks of the hosts disagree");
}

TEST_CASE("an absent daemon is named in the strip", "[gui][unit]") {
    FeedState feed = fake::live(nullptr);
    feed.connected = false;
    feed.source = "tcp://10.0.0.7:5556";
    CHECK(tile(feed, "STATE").detail == "no connection to tcp://10.0.0.7:5556");
    CHECK(tile(feed, "STATE").tone == Tone::alarm);
    CHECK(status_banner(feed).text == "no connection to tcp://10.0.0.7:5556");
    CHECK(status_banner(feed).tone == Tone::alarm);

    feed.snapshot = fake::snapshot(1, 100);  // it was there, and went away: what it said last must not look current
    CHECK(tile(feed, "STATE").value == "NO LINK");
    CHECK(status_banner(feed).text.contains("what is shown is old"));
}

TEST_CASE("a run in error shows its reason", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    snapshot->status->state = RunState::error;
    snapshot->status->reason = "board pci5153: no trigger within 5 s; start again when the timing link is back";
    const FeedState feed = fake::live(snapshot);
    CHECK(tile(feed, "STATE").value == "ERROR");
    CHECK(tile(feed, "STATE").tone == Tone::alarm);
    CHECK(tile(feed, "STATE").detail.startsWith("board pci5153: no trigger"));
    CHECK(status_banner(feed).text.contains("board pci5153: no trigger within 5 s"));
}

TEST_CASE("a full buffer says that triggers are refused, and since when", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    snapshot->status->backed_up = true;
    snapshot->status->dead_s = 75;
    const FeedState feed = fake::live(snapshot);
    CHECK(tile(feed, "RETRANSMIT").detail == "FULL: triggers are refused");
    CHECK(tile(feed, "RETRANSMIT").tone == Tone::alarm);
    CHECK(tile(feed, "REFUSED / LOST").detail == "REFUSING for 1 min 15 s");
}

TEST_CASE("an alarm colours the number it is about, and a silent run is red without one", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    snapshot->alarms = {{"disk_low", AlarmLevel::alarm, true, fake::kNoonNs, "1.5 h until the disk is full"}};
    snapshot->status->trigger_rate_hz = 0;
    snapshot->status->beam_state = BeamState::unknown;
    const FeedState feed = fake::live(snapshot);
    CHECK(tile(feed, "DISK FREE").tone == Tone::alarm);
    CHECK(tile(feed, "WRITER").tone == Tone::plain);
    CHECK(tile(feed, "TRIGGER RATE").tone == Tone::alarm);
    CHECK(tile(feed, "BEAM").value == "UNKNOWN");
    CHECK(tile(feed, "BEAM").tone == Tone::unknown);
}

TEST_CASE("the beam tile says what a channel that sees the beam makes of the charge index", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    const auto beam = [&](IndexVerdict verdict) {
        snapshot->status->index_check = {verdict, 0, -1, -14.8, 7'200};
        return tile(fake::live(snapshot), "BEAM");
    };
    CHECK(beam(IndexVerdict::undecided).detail == "lag 2.1 s · index undecided");
    CHECK(beam(IndexVerdict::confirmed).detail == "lag 2.1 s · index confirmed");
    CHECK(beam(IndexVerdict::confirmed).tone == Tone::good);
    CHECK(beam(IndexVerdict::contradicted).detail == "INDEX WRONG · lag 2.1 s");
    CHECK(beam(IndexVerdict::contradicted).tone == Tone::alarm);
}

TEST_CASE("a ledger that does not close is red", "[gui][unit]") {
    auto snapshot = fake::snapshot(1, 100);
    snapshot->status->ledger.recorded -= 1;
    CHECK(tile(fake::live(snapshot), "LIVE").detail == "LEDGER DOES NOT CLOSE");
    CHECK(tile(fake::live(snapshot), "LIVE").tone == Tone::alarm);
}

TEST_CASE("a file shows how far it is read and neither age nor rate", "[gui][unit]") {
    FeedState feed = fake::live(fake::snapshot(1, 100));
    feed.live = false;
    feed.source = "run004711_part0000.h5";
    feed.fraction = 0.42;
    CHECK(tile(feed, "FILE").value == "42.00 %");
    CHECK(tile(feed, "NEWEST EVENT").value == "11:59:59");
    CHECK(tile(feed, "TRIGGER RATE").value == kUnknown);
    CHECK(tile(feed, "BEAM").value == kUnknown);
    CHECK(tile(feed, "BEAM").detail == "of a live run only");
    feed.ended = true;
    CHECK(tile(feed, "FILE").value == "complete");
    feed.problem = "run004711_part0000.h5: damaged";
    CHECK(tile(feed, "FILE").tone == Tone::alarm);
    CHECK(status_banner(feed).text == "run004711_part0000.h5: damaged");
}

TEST_CASE("every panel says in words why it is empty", "[gui][widget]") {
    const auto waits = [](Dashboard& window) {
        CHECK(window.scope().plot().message() == "waiting for the first waveform");
        CHECK(window.trends().plot().message() == "waiting for the first trend point");
        for (std::size_t k = 0; k < 3; ++k) CHECK(window.spectrum(k).plot().message() == "waiting for the first event");
        CHECK(window.cut_flow().legend().contains("waiting for the first event"));
    };
    SECTION("before the first snapshot") {
        SnapshotBox<FeedState> box;
        Dashboard window{box};
        waits(window);
        CHECK(window.excess().plot().message() == "no beam data yet");
        CHECK(window.discriminant().plot().message() == "waiting for the first event");
    }
    SECTION("with an empty snapshot") {
        Shown shown{fake::live(std::make_shared<Snapshot>())};
        waits(shown.window);
        CHECK(shown.window.excess().plot().message() == "waiting for the first event");
        CHECK(shown.window.discriminant().plot().message() == "no discriminant is named");
    }
    SECTION("while nothing has passed all cuts, beside a loose selection that is full") {
        auto snapshot = fake::snapshot(7.476, 1000);
        std::fill(snapshot->pe_on.coincident.value.begin(), snapshot->pe_on.coincident.value.end(), 0.0);
        std::fill(snapshot->pe_on.anticoincident.value.begin(), snapshot->pe_on.anticoincident.value.end(), 0.0);
        snapshot->excess_history.clear();
        Shown shown{fake::live(snapshot)};
        CHECK(shown.window.spectrum(0).plot().message() == "no window with beam on has passed all cuts yet");
        CHECK(shown.window.spectrum(1).plot().message().isEmpty());
        CHECK(shown.window.excess().plot().message() == "no beam data yet");
    }
}

TEST_CASE("blinding takes the residual out of every panel, and only the residual", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 1'728'430))};
    Dashboard& window = shown.window;
    window.discriminant().choose(3);  // all cuts, beam on: C
    const auto see = [&](bool residual) {
        CHECK(window.spectrum(0).coincident_visible() == residual);
        CHECK(window.spectrum(0).difference_visible() == residual);
        CHECK(window.spectrum(2).coincident_visible() == residual);
        CHECK(window.spectrum(2).difference_visible() == residual);
        CHECK(window.spectrum(1).difference_visible());  // loose: no secret
        CHECK((window.discriminant().filled_cells() > 0) == residual);
        CHECK(window.discriminant().coincident_visible() == residual);
        CHECK(window.excess().excess_visible() == residual);
        CHECK(window.excess().control_visible());
        CHECK(window.excess().words().contains("142 ± 31") == residual);
        CHECK(window.excess().words().contains("547") == residual);
        CHECK(window.excess().words().contains("4.6 σ") == residual);
        CHECK(window.excess().words().contains("405"));
        CHECK((window.cut_flow().cell(window.cut_flow().rows() - 1, 1) == "hidden") != residual);
        CHECK(window.cut_flow().cell(window.cut_flow().rows() - 1, 3) != "hidden");
    };
    see(true);
    window.set_hide_residual(true);
    see(false);

    put(shown.box, fake::live(fake::snapshot(7.5, 1'728'500, 2)));  // it stays hidden when new data come
    window.refresh(kNow);
    see(false);
    window.discriminant().choose(4);  // AC: no secret, but C is not beside it
    CHECK(window.discriminant().filled_cells() > 0);
    CHECK_FALSE(window.discriminant().coincident_visible());
    window.discriminant().choose(1);  // loose
    CHECK(window.discriminant().coincident_visible());
    window.discriminant().choose(3);
    window.spectrum(0).choose(1);  // beam off is no secret either
    CHECK(window.spectrum(0).coincident_visible());
    window.spectrum(0).choose(0);
    window.set_hide_residual(false);
    see(true);
}

TEST_CASE("a frozen scope keeps its trace and a thawed one goes on", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 100))};
    REQUIRE(shown.window.scope().sequence() == 100);
    shown.window.set_frozen(true);
    put(shown.box, fake::live(fake::snapshot(7.476, 200, 2)));
    shown.window.refresh(kNow);
    CHECK(shown.window.scope().sequence() == 100);
    CHECK(shown.window.scope().frozen());
    shown.window.set_frozen(false);
    CHECK(shown.window.scope().sequence() == 200);
}

TEST_CASE("the scope draws one strip per channel in counts, and zooms to single samples", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    auto waveform = std::make_shared<Waveform>(*snapshot->waveform);
    // Code -128 of the signal channel is -128 - floor(-123 / 11) = -128 + 12 = -116 counts: by hand from the code map.
    waveform->channels[0].codes.assign(35'000, 101);  // 101 - floor(106 / 11) = 101 - 9 = 92
    waveform->channels[0].codes[20'000] = -128;
    waveform->baseline_median_adc = 92;
    waveform->peaks = {{20'000, 20'001}};
    snapshot->waveform = waveform;
    Shown shown{fake::live(snapshot)};
    Plot& plot = shown.window.scope().plot();
    REQUIRE(plot.plotLayout()->elementCount() == 2);
    const auto signal = [&] { return plot.graph(0)->data(); };
    const auto low = [&] {
        return std::min_element(signal()->begin(), signal()->end(), [](auto& a, auto& b) { return a.value < b.value; });
    };
    CHECK(low()->value == -116);
    CHECK(low()->key == Approx(40.0).margin(0.1));             // sample 20,000 at 2 ns
    CHECK(static_cast<std::size_t>(signal()->size()) < 4000);  // an envelope, not 35,000 points

    shown.window.scope().zoom_to(39.99, 40.01);
    CHECK(signal()->size() < 20);
    CHECK(low()->value == -116);
    CHECK(low()->key == Approx(40.0));
    CHECK(signal()->at(0)->value == 92);
}

TEST_CASE("a waveform that does not fit its run is drawn as it came, and an empty one says so", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    auto odd = std::make_shared<Waveform>();
    odd->sequence = 7;
    odd->channels = {{"other", "x", 4000, {1, 2, 3}}};
    odd->peaks = {{-5, 9}, {2, 1}, {100, 200}};
    snapshot->waveform = odd;
    Shown shown{fake::live(snapshot)};
    CHECK(shown.window.scope().plot().graph(0)->data()->size() == 3);
    auto empty = std::make_shared<Waveform>(*odd);
    empty->sequence = 8;
    empty->channels[0].codes.clear();
    snapshot = fake::snapshot(7.476, 101);
    snapshot->waveform = empty;
    put(shown.box, fake::live(snapshot));
    shown.window.refresh(kNow);
    QApplication::processEvents();
    CHECK(shown.window.scope().plot().message() == "the waveform holds no samples");
}

TEST_CASE("the cut flow stands side by side and adds up", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 1'728'430))};
    CutFlowTable& table = shown.window.cut_flow();
    REQUIRE(table.rows() == 10);  // triggers, eight cuts, accepted
    CHECK(table.cell(0, 0) == "triggers");
    CHECK(table.cell(0, 1) == count_text(1'728'206));
    CHECK(table.cell(7, 0) == "pretrace");
    CHECK(table.cell(7, 1) == count_text(18'911));
    CHECK(table.cell(7, 2) == "1.09 %");  // 18,911 / 1,728,206
    CHECK(table.cell(7, 3) == count_text(18'940));
    CHECK(table.cell(9, 0) == "accepted");
    CHECK(table.cell(9, 1) == "34");  // 1,728,206 less the sum of its cuts
}

TEST_CASE("four windows of a cut flow have room for their counts", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 1'728'430);
    auto run = std::make_shared<RunDescription>(*snapshot->run);
    for (const char* name : {"before_2ms", "before_4ms"}) {
        snapshot->cut_flow.push_back(snapshot->cut_flow[1]);
        snapshot->cut_flow.back().window = name;
        run->windows.push_back(run->windows[0]);
        run->windows.back().name = name;
    }
    snapshot->run = run;
    Shown shown{fake::live(snapshot)};
    const auto* table = shown.window.cut_flow().findChild<QTableWidget*>();
    REQUIRE(table != nullptr);
    REQUIRE(table->columnCount() == 9);
    for (int column = 1; column < 9; ++column) {
        CHECK(table->isColumnHidden(column) == (column % 2 == 0));  // the shares
        if (column % 2 == 1) {
            const QString count = table->item(0, column)->text();
            CHECK(table->columnWidth(column) >= QFontMetrics{table->item(0, column)->font()}.horizontalAdvance(count));
        }
    }
    CHECK(table->item(7, 7)->toolTip() == "pretrace_peaks <= 3\n1.10 % of before_4ms");  // 18,940 of 1,728,206
}

TEST_CASE("alarms: the active ones come first", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 100))};
    AlarmList& list = shown.window.alarms();
    REQUIRE(list.rows() == 5);
    CHECK(list.cell(0, 0) == "warning");
    CHECK(list.cell(0, 2).startsWith("225 triggers"));
    CHECK(list.cell(1, 1) == "cleared");
    put(shown.box, fake::live(std::make_shared<Snapshot>()));
    shown.window.refresh(kNow);
    CHECK(list.rows() == 0);
    CHECK(list.legend().contains("none active"));
}

TEST_CASE("the title names the run", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 100))};
    CHECK(shown.window.windowTitle() == "Alleycat monitor · run 4711 · csi");
}

TEST_CASE("a screenshot has the size of the window and is not empty", "[gui][widget]") {
    const QTemporaryDir folder;
    REQUIRE(folder.isValid());
    Shown shown{fake::live(fake::snapshot(7.476, 1'728'430))};
    const QString path = folder.filePath("out.png");
    shown.window.save_screenshot(path);
    const QImage image{path};
    REQUIRE(image.size() == QSize{1600, 1000});
    // The colours of both windows and of the difference are in it: curves were drawn.
    std::size_t orange = 0, blue = 0, green = 0;
    for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) {
            const QColor colour = image.pixelColor(x, y);
            orange += colour == QColor{0xE6, 0x9F, 0x00};
            blue += colour == QColor{0x56, 0xB4, 0xE9};
            green += colour == QColor{0x1F, 0xC7, 0x9A};
        }
    }
    CHECK(orange > 500);
    CHECK(blue > 500);
    CHECK(green > 500);
    REQUIRE_THROWS_AS(shown.window.save_screenshot(folder.filePath("absent/out.png")), Error);
}

TEST_CASE("a thousand updates leave as many things on the screen as ten", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 1))};
    struct Count {
        int plottables, items;
        qsizetype children;
    };
    const auto count = [&] {
        Count all{0, 0, shown.window.findChildren<QWidget*>().size()};
        for (const QWidget* widget : shown.window.findChildren<QWidget*>()) {
            const auto* plot = dynamic_cast<const Plot*>(widget);
            if (plot == nullptr) continue;
            all.plottables += plot->plottableCount();
            all.items += plot->itemCount();
        }
        return all;
    };
    const std::shared_ptr<const Snapshot> variants[2] = {fake::snapshot(7.476, 2), fake::snapshot(7.6, 3, 2)};
    const auto update = [&](int times) {
        for (int k = 0; k < times; ++k) {
            put(shown.box, fake::live(variants[k % 2]));
            shown.window.refresh(kNow);
        }
        QApplication::processEvents();
    };
    update(10);
    const Count before = count();
    update(1000);
    const Count after = count();
    CHECK(after.plottables == before.plottables);
    CHECK(after.items == before.items);
    CHECK(after.children == before.children);
    CHECK(before.plottables > 30);
}

TEST_CASE("the SPE charge stands with its error and with where it comes from", "[gui]") {
    Calibration c{.from_sequence = 72'000,
                  .spe_charge_adc = 70.314,
                  .spe_charge_error_adc = 0.14,
                  .fit_quality = 1.047,
                  .block = 0,
                  .peaks = 201'300,
                  .origin = CalibrationOrigin::fitted};
    CHECK(spe_charge_text(c) == QStringLiteral("70.31 ± 0.14 ADC·sample, χ²/ndf 1.05"));
    CHECK(spe_charge_tooltip(c).contains(QStringLiteral("block 0")));
    c.origin = CalibrationOrigin::kept;
    CHECK(spe_charge_text(c) == QStringLiteral("70.31 ± 0.14 ADC·sample KEPT: no good fit"));
    c = {.spe_charge_adc = 70};
    CHECK(spe_charge_text(c) == QStringLiteral("70.00 ADC·sample configured"));

    const std::shared_ptr<Snapshot> snapshot = fake::snapshot(7.476, 1'728'206);
    Shown shown{fake::live(snapshot)};
    const auto words_on_screen = [&] {
        QStringList all;
        Plot& plot = shown.window.trends().plot();
        for (int k = 0; k < plot.itemCount(); ++k) {
            if (const auto* words = qobject_cast<QCPItemText*>(plot.item(k))) all << words->text();
        }
        return all.join('|');
    };
    CHECK(words_on_screen().contains(QStringLiteral("70.31 ± 0.14 ADC·sample, χ²/ndf 1.05")));
}

TEST_CASE("the clock below the trends tells its ticks apart, also within a minute", "[gui][widget]") {
    const std::shared_ptr<Snapshot> snapshot = fake::snapshot(7.476, 1'000);
    for (const std::int64_t apart_ns : {500'000'000ll, 10'000'000'000ll, 600'000'000'000ll}) {
        for (Trend& trend : snapshot->trends) {
            std::int64_t time_ns = fake::kNoonNs;
            for (TrendPoint& point : trend.points) point.utc_ns = time_ns += apart_ns;
            trend.points.resize(8);
        }
        Shown shown{fake::live(snapshot)};
        Plot& plot = shown.window.trends().plot();
        plot.replot();
        QStringList labels;
        for (const QCPAxisRect* axes : plot.axisRects()) {
            const QCPAxis& time = *axes->axis(QCPAxis::atBottom);
            if (time.tickLabels()) labels = QStringList::fromVector(time.tickVectorLabels());
        }
        REQUIRE(labels.size() > 2);
        CHECK(labels.removeDuplicates() == 0);
    }
}

TEST_CASE("what did not change is not drawn again, nor what nobody sees", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    Shown shown{fake::live(snapshot)};
    const auto redraws = [&] {
        return std::vector<std::uint64_t>{shown.window.scope().plot().redraws(), shown.window.trends().plot().redraws(),
                                          shown.window.spectrum(0).plot().redraws(),
                                          shown.window.excess().plot().redraws()};
    };
    const auto first = redraws();
    auto same = std::make_shared<Snapshot>(*snapshot);
    same->message_number += 1;
    put(shown.box, fake::live(same));
    shown.window.refresh(kNow);
    QApplication::processEvents();
    CHECK(redraws() == first);

    shown.window.hide();
    put(shown.box, fake::live(fake::snapshot(7.6, 101, 2)));
    shown.window.refresh(kNow);
    QApplication::processEvents();
    CHECK(redraws() == first);
    shown.window.show();
    QApplication::processEvents();
    CHECK(redraws()[0] == first[0] + 1);
    CHECK(redraws()[2] == first[2] + 1);
}

TEST_CASE("the discriminant colours the cells that hold something and draws the cuts", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    const auto filled = [](const Spectrum2D& map) {
        return static_cast<int>(std::count_if(map.counts.begin(), map.counts.end(), [](double n) { return n > 0; }));
    };
    Shown shown{fake::live(snapshot)};
    DiscriminantPanel& panel = shown.window.discriminant();
    CHECK(panel.filled_cells() == filled(snapshot->discriminant.loose.both));
    CHECK(panel.cut_lines() == 2);
    CHECK(panel.coincident_visible());
    panel.choose(2);
    CHECK(panel.filled_cells() == filled(snapshot->discriminant.loose.anticoincident));
    panel.choose(3);
    CHECK(panel.filled_cells() == filled(snapshot->discriminant.on.coincident));
    CHECK(panel.filled_cells() < filled(snapshot->discriminant.loose.coincident));

    // Its colours are on the screen: green cells, where counts are neither few nor most.
    panel.choose(0);
    QApplication::processEvents();
    const QImage image = panel.grab().toImage();
    int green = 0;
    for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) {
            const QColor c = image.pixelColor(x, y);
            green += c.green() > 150 && c.red() < 130 && c.blue() > 60 && c.blue() < 170;
        }
    }
    CHECK(green > 300);
}

TEST_CASE("an empty discriminant says why", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    snapshot->discriminant.problem = "the run has no feature 'f90'";
    Shown shown{fake::live(snapshot)};
    CHECK(shown.window.discriminant().plot().message() == "the run has no feature 'f90'");
    auto nothing = fake::snapshot(7.476, 101);
    for (double& n : nothing->discriminant.on.coincident.counts) n = 0;
    put(shown.box, fake::live(nothing));
    shown.window.refresh(kNow);
    CHECK(shown.window.discriminant().plot().message().isEmpty());
    shown.window.discriminant().choose(3);
    CHECK(shown.window.discriminant().plot().message() == "no such window with beam on has passed all cuts yet");
}

TEST_CASE("a station of strobes calls its background so, and shows what one stands for", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    snapshot->background = Background::strobe;
    snapshot->exposure.strobes = 123'456;
    snapshot->charge_unit = "keVee";
    snapshot->excess.alpha = snapshot->pe_on.alpha = 4.5;
    Shown shown{fake::live(snapshot)};
    CHECK(shown.window.spectrum(0).legend().contains("4.500 strobe"));
    CHECK(shown.window.spectrum(1).legend().contains("━ strobe"));
    CHECK(shown.window.excess().words().contains("4.500"));
    CHECK(shown.window.excess().words().contains(count_text(123'456)));
    CHECK(shown.window.excess().legend().contains("6 ≤ keVee &lt; 30"));
    CHECK(shown.window.discriminant().legend().contains("strobe"));
    CHECK(tile(fake::live(snapshot), "TRIGGER RATE").detail == "ticks: nominal 60 Hz");

    auto none = fake::snapshot(7.476, 101);
    none->background = Background::none;
    none->excess_history.clear();
    for (double* x :
         {&none->excess.alpha, &none->excess.excess, &none->excess.error, &none->excess.li_ma, &none->pe_on.alpha}) {
        *x = NAN;
    }
    for (double& x : none->pe_on.difference.value) x = NAN;
    put(shown.box, fake::live(none));
    shown.window.refresh(kNow);
    CHECK(shown.window.excess().plot().message() == "no AC window, no strobe trigger: nothing to subtract");
    CHECK_FALSE(shown.window.excess().words().contains("nan"));
    CHECK(shown.window.spectrum(0).legend().contains("━ background"));
}

TEST_CASE("a station without a timing signal shows its loose spectra", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 100);
    auto run = std::make_shared<RunDescription>(*snapshot->run);
    run->tick_rate_hz = 0;
    snapshot->run = run;
    for (SpectrumTriple* none : {&snapshot->pe_on, &snapshot->arrival_on}) {
        for (Spectrum* s : {&none->coincident, &none->anticoincident}) s->value.assign(s->value.size(), 0.0);
    }
    Shown shown{fake::live(snapshot)};
    CHECK(shown.window.spectrum(0).plot().message().isEmpty());
    CHECK(shown.window.spectrum(2).plot().message().isEmpty());
    shown.window.spectrum(2).choose(1);
    put(shown.box, fake::live(fake::snapshot(7.476, 101)));  // another station, with beam
    shown.window.refresh(kNow);
    CHECK(shown.window.spectrum(2).plot().toolTip().contains("ticks without beam"));  // as chosen
    CHECK(shown.window.spectrum(0).plot().message().isEmpty());
    CHECK(shown.window.spectrum(0).coincident_visible());
}

TEST_CASE("detectors are shown where there are several, and a silent one is named", "[gui][widget]") {
    Shown shown{fake::live(fake::snapshot(7.476, 100))};
    CHECK_FALSE(shown.window.detectors().isVisible());
    CHECK(shown.window.alarms().isVisible());
    auto snapshot = fake::snapshot(7.476, 101);
    snapshot->detectors = fake::detectors(24, 6);
    put(shown.box, fake::live(snapshot));
    shown.window.refresh(kNow);
    QApplication::processEvents();
    CHECK(shown.window.detectors().isVisible());
    CHECK(shown.window.alarms().isVisible());
    CHECK(shown.window.detectors().legend().contains("silent: nai7"));
    CHECK(shown.window.detectors().plot().toolTip().contains("nai7: 0 Hz, 0 events, mean charge –"));
    CHECK(shown.window.detectors().plot().toolTip().contains("nai1: 8.000 Hz, " + count_text(4000) + " events"));

    shown.window.detectors().on_enlarge();
    CHECK(shown.window.detectors().isVisible());
    CHECK_FALSE(shown.window.alarms().isVisible());
    CHECK_FALSE(shown.window.scope().isVisible());
    shown.window.detectors().on_enlarge();
    CHECK(shown.window.scope().isVisible());

    snapshot = fake::snapshot(7.476, 102);
    snapshot->detectors = fake::detectors(24, 24);
    put(shown.box, fake::live(snapshot));
    shown.window.refresh(kNow);
    CHECK(shown.window.detectors().legend().contains("24, none silent"));
}

TEST_CASE("what else is to be known about the plots stands in the line below the strip", "[gui][unit]") {
    FeedState feed = fake::live(fake::snapshot(1, 100));
    feed.live = false;
    auto quiet = std::make_shared<Snapshot>(*feed.snapshot);
    quiet->alarms.clear();
    feed.snapshot = quiet;
    feed.remark = "shown with default binning";
    CHECK(status_banner(feed).text == "shown with default binning");
    CHECK(status_banner(feed).tone == Tone::warning);
}

TEST_CASE("boards are shown where they say something, and a missing one is named", "[gui][widget]") {
    auto snapshot = fake::snapshot(7.476, 1'728'430);
    snapshot->status->boards.resize(1);
    snapshot->status->boards[0].name = "pci5153";
    Shown shown{fake::live(snapshot)};
    BoardPanel& panel = shown.window.boards();
    CHECK_FALSE(panel.isVisible());  // one board that is there and says nothing

    const auto show = [&](std::vector<BoardStatus> boards) {
        snapshot = std::make_shared<Snapshot>(*snapshot);
        snapshot->status->boards = std::move(boards);
        put(shown.box, fake::live(snapshot));
        shown.window.refresh(kNow);
        QApplication::processEvents();
    };
    show(fake::boards());
    CHECK(panel.isVisible());
    CHECK(panel.legend().contains("missing: sis3316"));
    const auto row = [&](int k) {
        QStringList cells;
        for (int column = 0; column < 6; ++column) cells += panel.cell(k, column);
        return cells.join(" | ").toStdString();
    };
    CHECK(row(0) == "v2745a | present | – | – | 52.5 | 0.31 %");
    CHECK(row(1) == "v2745b | present | -128.4 | +0.312 | 43.0 | 0 %");
    CHECK(row(2) == "sis3316 | MISSING 42 s | – | – | – | –");

    std::vector<BoardStatus> all_there = fake::boards();
    all_there[2].missing_s.reset();
    show(all_there);
    CHECK(panel.legend().contains("3, none missing"));
    CHECK(panel.cell(2, 1) == "present");
    all_there[2].last_record_utc_ns = 0;  // it has given nothing yet
    show(all_there);
    CHECK(panel.cell(2, 1) == kUnknown);
    show({});
    CHECK_FALSE(panel.isVisible());
}
