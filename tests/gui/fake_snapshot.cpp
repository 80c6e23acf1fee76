#include "fake_snapshot.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "daq/core/code_map.hpp"

namespace alleycat::fake {
namespace {

constexpr std::size_t kSamples = 35'000;

using Random = std::mt19937_64;

double poisson(Random& random, double mean) {
    return mean <= 0 ? 0 : static_cast<double>(std::poisson_distribution<long>{mean}(random));
}

/// Counts around `shape(bin centre) * scale` with sqrt(N) errors.
template <class Shape>
Spectrum counted(Random& random, std::string title, std::string axis, double step, int bins, double scale,
                 Shape shape) {
    Spectrum s{.title = std::move(title), .axis = std::move(axis), .edges = {}, .value = {}, .error = {}};
    for (int k = 0; k <= bins; ++k) s.edges.push_back(k * step);
    for (int k = 0; k < bins; ++k) {
        s.value.push_back(poisson(random, scale * shape((k + 0.5) * step)));
        s.error.push_back(std::sqrt(s.value.back()));
    }
    return s;
}

SpectrumTriple triple(Spectrum coincident, Spectrum anticoincident) {
    Spectrum difference = coincident;
    for (std::size_t k = 0; k < difference.value.size(); ++k) {
        difference.value[k] -= anticoincident.value[k];
        difference.error[k] = std::sqrt(coincident.value[k] + anticoincident.value[k]);
    }
    return {std::move(coincident), std::move(anticoincident), std::move(difference)};
}

SpectrumTriple pe(Random& random, double background, double signal) {
    const auto steady = [](double x) { return x < 5 ? 0.1 : 1.6 * std::exp(-std::pow((x - 11) / 9, 2)) + 0.6; };
    const auto beam = [](double x) { return x < 5 ? 0 : std::exp(-std::pow((x - 11) / 6, 2)); };
    return triple(counted(random, "coincident", "charge [PE]", 2, 25, 1,
                          [&](double x) { return background * steady(x) + signal * beam(x); }),
                  counted(random, "anticoincident", "charge [PE]", 2, 25, background, steady));
}

SpectrumTriple arrival(Random& random, double background, double signal) {
    const auto steady = [](double t) { return 1.2 * std::exp(-t / 12); };
    const auto beam = [](double t) {
        return t < 0.5 ? 0.1 : 1.2 * std::exp(-std::pow((t - 0.9) / 0.4, 2)) + 0.8 * std::exp(-t / 2.2);
    };
    return triple(counted(random, "coincident", "arrival [µs]", 0.5, 24, 1,
                          [&](double t) { return background * steady(t) + signal * beam(t); }),
                  counted(random, "anticoincident", "arrival [µs]", 0.5, 24, background, steady));
}

/// Two kinds of pulses, the smaller one at high values: `share` of `n`.
Spectrum2D map(Random& random, std::string title, double n, double share) {
    Spectrum2D m;
    m.title = std::move(title);
    m.x_axis = "charge [PE]";
    m.y_axis = "F90";
    for (int k = 0; k <= 25; ++k) m.x_edges.push_back(2 * k);
    for (int k = 0; k <= 50; ++k) m.y_edges.push_back(0.02 * k);
    for (int y = 0; y < 50; ++y) {
        for (int x = 0; x < 25; ++x) {
            const double width = 0.04 + 0.3 / (x + 1);
            const auto band = [&](double centre) { return std::exp(-std::pow((0.02 * y - centre) / width, 2) / 2); };
            m.counts.push_back(poisson(random, n * std::exp(-x / 8.0) * ((1 - share) * band(0.3) + share * band(0.7))));
        }
    }
    m.outside = 12;
    return m;
}

Spectrum rows_of(const Spectrum2D& m) {
    Spectrum s{.title = m.title, .axis = m.y_axis, .edges = m.y_edges, .value = {}, .error = {}};
    const std::size_t columns = m.x_edges.size() - 1;
    for (std::size_t at = 0; at < m.counts.size(); at += columns) {
        double n = 0;
        for (std::size_t k = 0; k < columns; ++k) n += m.counts[at + k];
        s.value.push_back(n);
        s.error.push_back(std::sqrt(n));
    }
    return s;
}

DiscriminantMaps maps(Random& random, const std::string& what, double n, double share) {
    DiscriminantMaps all;
    all.coincident = map(random, "coincident, " + what, n, share);
    all.anticoincident = map(random, "anticoincident, " + what, n, 0.02);
    all.both = all.coincident;
    all.both.title = "coincident and anticoincident, " + what;
    for (std::size_t k = 0; k < all.both.counts.size(); ++k) all.both.counts[k] += all.anticoincident.counts[k];
    all.projection = triple(rows_of(all.coincident), rows_of(all.anticoincident));
    return all;
}

Waveform waveform(Random& random, std::uint64_t sequence) {
    Waveform w{
        .sequence = sequence, .utc_ns = kNoonNs - 150'000'000, .baseline_median_adc = 91, .channels = {}, .peaks = {}};
    std::vector<double> csi(kSamples, 91.0), veto(kSamples, 5.0);
    std::normal_distribution<double> noise{0, 0.9};
    std::uniform_int_distribution<std::size_t> anywhere{200, kSamples - 400};
    const auto pulse = [&](std::size_t at, double height, double width) {
        for (std::size_t k = 0; k < 40; ++k)
            csi[at + k] -= height * std::exp(-std::pow((static_cast<double>(k) - 6) / width, 2));
        w.peaks.push_back({static_cast<std::int32_t>(at + 2), static_cast<std::int32_t>(at + 11)});
    };
    for (int k = 0; k < 5; ++k) pulse(anywhere(random), 9, 3);
    std::exponential_distribution<double> decay{1.0 / 300};
    for (int k = 0; k < 14; ++k)
        pulse(std::min(kSamples - 50, 28'200 + static_cast<std::size_t>(decay(random))), 11, 3);
    std::sort(w.peaks.begin(), w.peaks.end(), [](auto a, auto b) { return a.begin < b.begin; });
    const std::size_t muon = anywhere(random);
    for (std::size_t k = 0; k < 60; ++k) veto[muon + k] -= 6 * std::exp(-static_cast<double>(k) / 15);

    const auto codes = [&](const std::vector<double>& level, const CodeTable& table) {
        std::vector<std::int32_t> out;
        out.reserve(level.size());
        for (double v : level) out.push_back(code_for(table, static_cast<int>(std::lround(v + noise(random)))));
        return out;
    };
    w.channels.push_back({"pci5153", "csi", 2000, codes(csi, kPci5153Signal)});
    w.channels.push_back({"pci5153", "veto", 2000, codes(veto, kPci5153Veto)});
    return w;
}

Trend trend(Random& random, std::string name, std::string title, std::string unit, double mean, double spread,
            double error) {
    Trend t{std::move(name), std::move(title), std::move(unit), {}};
    std::normal_distribution<double> scatter{0, spread};
    for (int k = 0; k < 480; ++k)
        t.points.push_back({kNoonNs - (480 - k) * 60'000'000'000, mean + scatter(random), error});
    return t;
}

CutFlow cut_flow(std::string window, std::uint64_t rows, const std::vector<CutInfo>& cuts,
                 std::vector<std::uint64_t> removed) {
    CutFlow flow{
        .window = std::move(window), .rows = rows, .names = {}, .removed_first = std::move(removed), .failed = {}};
    for (const CutInfo& cut : cuts) flow.names.push_back(cut.name);
    flow.failed = flow.removed_first;
    flow.accepted = rows;
    for (std::uint64_t n : flow.removed_first) flow.accepted -= n;
    return flow;
}

}  // namespace

RunDescription run_description() {
    RunDescription run;
    run.run = 4711;
    run.profile = "csi";
    run.software = "alleycat 0.1.0";
    run.start_utc_ns = kNoonNs - 8LL * 3600 * 1'000'000'000;
    BoardInfo board;
    board.name = "pci5153";
    board.sample_period_ps = 2000;
    board.samples = kSamples;
    board.channels = {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}};
    run.boards = {board};
    run.signal = {0, 0, true};
    run.veto = {0, 1, true};
    run.windows = {{"anticoincident", WindowRole::anticoincident, 150, 19'950, 27'475, 1500},
                   {"coincident", WindowRole::coincident, 7675, 27'475, 35'000, 1500}};
    run.cuts = {{"no_peak", "roi_peaks >= 1"},           {"does_not_fit", "the integration window fits"},
                {"muon_veto", "no veto peak"},           {"overflow", "no sample at the end of the range"},
                {"linear_gate", "the gate stayed open"}, {"cherenkov", "window_peaks >= 8"},
                {"pretrace", "pretrace_peaks <= 3"},     {"rise_time", "100 <= t50 <= 1250 samples"}};
    return run;
}

std::shared_ptr<Snapshot> snapshot(double gwh, std::uint64_t sequence, unsigned seed) {
    Random random{seed};
    auto s = std::make_shared<Snapshot>();
    s->run = std::make_shared<const RunDescription>(run_description());
    s->waveform = std::make_shared<const Waveform>(waveform(random, sequence));
    s->events = sequence + 1;
    s->message_number = 2 * sequence + 12;
    s->newest_event_utc_ns = kNoonNs - 250'000'000;

    Status status;
    status.run = 4711;
    status.state = RunState::running;
    status.utc_ns = kNoonNs - 400'000'000;
    status.trigger_rate_hz = 60.02;
    status.bytes_per_second = 4.2e6;
    status.live_fraction = 0.99987;
    status.beam_state = BeamState::on;
    status.beam_power_w = 1.402e6F;
    status.beam_lag_s = 2.1;
    status.ledger.triggers = 1'728'431;
    status.ledger.recorded = 1'728'206;
    status.ledger.refused = 225;
    status.ledger.ticks_expected = status.ledger.ticks_seen = 1'728'431;
    status.buffers = {{"ring pci5153", 67'108'864, 2'100'000, 8'400'000},
                      {"retransmit", 4'000'000'000, 96'000'000, 410'000'000, 4.2e6}};
    status.writer.connected = true;
    status.writer.durable_triggers = 1'728'100;
    status.writer.file = "/data/run004711/run004711_part0007.h5.part";
    status.writer.file_bytes = 812'000'000;
    status.writer.disk_free_bytes = 2'310'000'000'000;
    status.quality = "degraded";
    status.quality_reasons = "degraded: 225 of 1728431 triggers were refused";
    status.last_note =
        OperatorNote{kNoonNs - 3'600'000'000'000, NoteKind::comment, "ann", "cart parked under the hall"};
    s->status = status;
    s->disk = DiskOutlook{4.2e6, 2.31e12 / 4.2e6 / 3600, true};

    const double fill = gwh / 7.476;
    s->pe_on = pe(random, 25 * fill, 55 * fill);
    s->arrival_on = arrival(random, 45 * fill, 35 * fill);
    s->pe_off = pe(random, 12 * fill, 0);
    s->arrival_off = arrival(random, 22 * fill, 0);
    s->pe_loose = pe(random, 21'000, 0);
    s->arrival_loose = arrival(random, 26'000, 0);
    s->discriminant.problem.clear();
    s->discriminant.on = maps(random, "beam on", 0.6 * fill, 0.9);
    s->discriminant.loose = maps(random, "loose", 400, 0.1);
    s->discriminant.cuts = {{"recoils", CutLine::Along::y, 0.55}, {"threshold", CutLine::Along::x, 6}};
    s->excess = {.n_on = 547,
                 .n_off = 405,
                 .alpha = 1,
                 .excess = 142,
                 .error = 30.854,
                 .li_ma = 4.6,
                 .interval_low = 111.5,
                 .interval_high = 173.2,
                 .upper_limit_90 = 193};
    s->control = {.n_on = 209,
                  .n_off = 207,
                  .alpha = 1,
                  .excess = 2,
                  .error = 20.4,
                  .li_ma = 0.1,
                  .interval_low = -18.4,
                  .interval_high = 22.4,
                  .upper_limit_90 = 36};
    s->exposure = {.ticks_on = 66'500'000,
                   .ticks_off = 33'200'000,
                   .ticks_no_beam_cycle = 110'000,
                   .ticks_unknown = 3'100,
                   .ticks_pending = 126,
                   .ticks_on_without_power = 0,
                   .live_on_s = 1.108e6,
                   .live_off_s = 5.53e5,
                   .beam_energy_gwh = gwh};
    s->cut_flow = {cut_flow("coincident", 1'728'206, s->run->cuts,
                            {1'240'101, 55'230, 4'780, 1'370, 3'480, 402'810, 18'911, 1'490}),
                   cut_flow("anticoincident", 1'728'206, s->run->cuts,
                            {1'240'876, 55'002, 4'771, 1'362, 3'512, 402'250, 18'940, 1'461})};
    double excess = 0, control = 0;
    for (int k = 1; k <= 120; ++k) {
        const double energy = gwh * k / 120;
        excess += poisson(random, 4.56) - poisson(random, 3.375);
        control += poisson(random, 1.73) - poisson(random, 1.73);
        s->excess_history.push_back({energy, excess, std::sqrt(7.9 * k), control, std::sqrt(3.46 * k)});
    }
    s->calibration = Calibration{.from_sequence = 1'692'000,
                                 .spe_charge_adc = 70.31,
                                 .spe_charge_error_adc = 0.14,
                                 .fit_quality = 1.047,
                                 .block = 45,
                                 .peaks = 201'300,
                                 .origin = CalibrationOrigin::fitted,
                                 .detector = 0};
    s->trends = {trend(random, "trigger_rate", "trigger rate", "Hz", 60, 0.02, 0),
                 trend(random, "beam_power", "beam power", "W", 1.4e6, 1e4, 0),
                 trend(random, "baseline_median", "baseline", "ADC", 91.2, 0.15, 0),
                 trend(random, "baseline_sigma", "baseline sigma", "ADC", 0.903, 0.01, 0),
                 trend(random, "spe_charge", "single photoelectron charge", "ADC x sample", 70.3, 0.6, 0.9),
                 trend(random, "pretrace_peaks", "peaks in the coincident pretrace", "", 2.31, 0.04, 0),
                 trend(random, "veto_percent", "triggers with a muon veto", "%", 1.1, 0.08, 0),
                 trend(random, "gate_percent", "gate", "%", 0.81, 0.06, 0),
                 trend(random, "overflow_percent", "overflow", "%", 0.31, 0.04, 0)};
    s->alarms = {{"refused_triggers", AlarmLevel::warning, true, kNoonNs - 3'600'000'000'000,
                  "225 triggers were refused in the last hour: the writer was slow"}};
    s->alarm_log = {
        {"baseline_sigma", AlarmLevel::alarm, false, kNoonNs - 5'000'000'000'000, "baseline sigma is back at 0.91 ADC"},
        {"baseline_sigma", AlarmLevel::alarm, true, kNoonNs - 5'400'000'000'000,
         "baseline sigma 1.72 ADC is above 1.5 ADC"},
        {"beam_unknown", AlarmLevel::warning, false, kNoonNs - 9'000'000'000'000, "beam data are back"},
        {"beam_unknown", AlarmLevel::warning, true, kNoonNs - 9'100'000'000'000, "no beam data for 64 s"}};
    return s;
}

std::vector<DetectorState> detectors(std::size_t n, std::size_t silent) {
    std::vector<DetectorState> all;
    for (std::size_t k = 0; k < n; ++k) {
        DetectorState d;
        d.name = "nai" + std::to_string(k + 1);
        d.events = k == silent ? 0 : 4000 + 37 * k;
        d.rate_hz = k == silent ? 0 : 8 + 0.1 * static_cast<double>(k % 7);
        d.rate_error_hz = std::sqrt(d.rate_hz / 10);
        d.mean_charge = k == silent ? NAN : 120 + static_cast<double>(k % 5);
        d.mean_charge_error = 1.5;
        d.spe_charge_adc = 64 + static_cast<double>(k % 9);
        d.spe_charge_error_adc = 0.8;
        d.silent = k == silent;
        all.push_back(d);
    }
    return all;
}

std::vector<BoardStatus> boards() {
    BoardStatus reference, drifting, away;
    reference.name = "v2745a";
    reference.readings = {{"temperature_in", 31, "degC"},
                          {"temperature_core", 44.25, "degC"},
                          {"temperature_adc", 52.5, "degC"},
                          {"busy", 0.0031, ""}};
    drifting.name = "v2745b";
    drifting.clock_offset_ns = -128.4;
    drifting.clock_drift_ppm = 0.312;
    drifting.readings = {{"temperature_core", 43, "degC"}, {"busy", 0, ""}};
    away.name = "sis3316";
    away.missing_s = 42;
    reference.last_record_utc_ns = drifting.last_record_utc_ns = kNoonNs;
    away.last_record_utc_ns = kNoonNs - 42'000'000'000;
    return {reference, drifting, away};
}

gui::FeedState live(std::shared_ptr<const Snapshot> snapshot) {
    gui::FeedState feed;
    feed.source = "tcp://127.0.0.1:5556";
    feed.connected = true;
    feed.snapshot = std::move(snapshot);
    return feed;
}

}  // namespace alleycat::fake
