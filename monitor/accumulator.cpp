#include "monitor/accumulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <string_view>
#include <utility>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/log.hpp"
#include "monitor/detector_table.hpp"
#include "monitor/discriminant.hpp"
#include "monitor/excess.hpp"
#include "monitor/excess_history.hpp"
#include "monitor/histogram.hpp"
#include "monitor/pending_events.hpp"
#include "monitor/spectra.hpp"
#include "monitor/status_bytes.hpp"
#include "monitor/trend_table.hpp"
#include "monitor/window_alpha.hpp"

namespace alleycat {
namespace {

constexpr std::uint32_t kStateMagic = 0x53594C41;  // "ALYS"
constexpr std::uint32_t kStateVersion = 6;
constexpr std::size_t kAlarmLogLength = 200;
constexpr double kGwhPerJoule = 1 / 3.6e12;

/// Charge and arrival of the windows of one selection, by role.
struct Selection {
    explicit Selection(const MonitorConfig& config)
        : charge{CountHistogram{config.charge_pe}, CountHistogram{config.charge_pe}},
          arrival{CountHistogram{config.arrival_ns}, CountHistogram{config.arrival_ns}} {}

    std::array<CountHistogram, 2> charge;   ///< [PE], index = WindowRole
    std::array<CountHistogram, 2> arrival;  ///< [ns]

    void put(ByteWriter& out) const {
        for (const auto* histograms : {&charge, &arrival}) {
            for (const CountHistogram& h : *histograms) h.put(out);
        }
    }
    void get(ByteReader& in) {
        for (auto* histograms : {&charge, &arrival}) {
            for (CountHistogram& h : *histograms) h.get(in);
        }
    }
};

/// What the counts of one window's cut flow are made of; names come from the run description.
struct CutCounts {
    std::uint64_t rows = 0, accepted = 0;
    std::array<std::uint64_t, kMaxCuts> removed_first{};
    std::array<std::uint64_t, kMaxCuts> failed{};

    void add(std::uint32_t cuts) noexcept {
        ++rows;
        if (cuts == 0) {
            ++accepted;
            return;
        }
        ++removed_first[static_cast<std::size_t>(std::countr_zero(cuts))];
        for (; cuts != 0; cuts &= cuts - 1) ++failed[static_cast<std::size_t>(std::countr_zero(cuts))];
    }
};

std::size_t index(WindowRole role) noexcept { return static_cast<std::size_t>(role); }

bool inside(double value, double min, double max) noexcept { return value >= min && value < max; }  // NaN is outside

bool simulated(const RunDescription& run) {
    return std::any_of(run.boards.begin(), run.boards.end(),
                       [](const BoardInfo& b) { return b.source == "simulator"; });
}

/// What forbids adding the second run to the first; empty when nothing does.
std::string_view difference(const RunDescription& a, const RunDescription& b) {
    if (a.profile != b.profile) return "profile";
    if (a.windows != b.windows) return "windows";
    if (a.features != b.features) return "features";
    if (a.detectors != b.detectors) return "detectors";
    if (a.cuts != b.cuts) return "cuts";
    if (a.box != b.box) return "analysis box";
    if (a.tick_rate_hz != b.tick_rate_hz) return "tick rate";
    if (a.rate_boost != b.rate_boost) return "rate boost";
    if (a.test_run != b.test_run) return "purpose (test or data)";
    if (simulated(a) != simulated(b)) return "kind of source (simulated or real)";
    return {};
}

}  // namespace

struct Accumulator::Impl {
    explicit Impl(const MonitorConfig& with)
        : config{with},
          on{config},
          off{config},
          loose{config},
          discriminant{config.discriminant},
          trends{config.trend_interval_s, config.trend_points},
          history{config.history_step_kwh * 1e-6, config.history_points},
          detectors{config.trend_interval_s} {}

    MonitorConfig config;
    std::shared_ptr<const RunDescription> run;

    // the campaign
    Selection on, off, loose;  ///< the background of each is AC, or strobe
    Discriminant discriminant;
    BoxCounts box;
    std::array<CutCounts, kMaxWindows> cut_counts{};
    std::uint64_t events = 0;
    std::uint64_t skipped_events = 0;
    std::uint64_t unmatched_beam_states = 0;
    std::uint64_t ticks_on = 0, ticks_off = 0, ticks_no_beam_cycle = 0, ticks_unknown = 0, ticks_on_without_power = 0;
    std::uint64_t strobes = 0;
    double beam_energy_j = 0;
    std::uint64_t refused_triggers = 0;
    double dead_time_s = 0;
    TrendTable trends;
    ExcessHistory history;
    std::vector<Alarm> alarms;    ///< active ones, in the order they were raised
    std::deque<Alarm> alarm_log;  ///< newest first

    // the present run
    PendingEvents pending;
    DetectorTable detectors;
    std::uint64_t next_sequence = 0;       ///< events below it are out of order
    std::uint64_t next_dead_sequence = 0;  ///< dead time below it has been counted
    std::int64_t newest_event_utc_ns = 0;
    std::optional<Status> status;
    DiskWatch disk;
    std::optional<Calibration> calibration;
    std::optional<DeadTime> last_dead_time;
    std::shared_ptr<const Waveform> waveform;  ///< not part of the state

    // what follows from the run description
    std::uint32_t known_cuts = 0;    ///< bits that have a name
    std::uint32_t loose_cuts = 0;    ///< no_peak and does_not_fit
    bool has_anticoincident = true;  ///< else strobes are the background

    void adopt(const RunDescription& description);
    void begin_run();
    [[nodiscard]] bool acceptable(const Event& event) const noexcept;
    void resolve(const PendingEvents::Resolved& event, BeamState state, double power_w);
    void count_tick(BeamState state, double power_w);
    void count_window(const Event& event, const WindowEvent& window, WindowRole role);
    void fill(Selection& selection, std::array<std::uint64_t*, 2> in_box, std::span<const AcceptedWindow> windows);
    void fill_on(std::span<const AcceptedWindow> windows);
    void fill_off(std::span<const AcceptedWindow> windows);
    [[nodiscard]] double beam_energy_gwh() const noexcept { return beam_energy_j * kGwhPerJoule; }
    [[nodiscard]] ExcessTotals totals() const noexcept {
        return {box, ticks_on, ticks_off + ticks_no_beam_cycle, strobes};
    }
    [[nodiscard]] ExposureRatio ratio_of(const ExcessTotals& totals) const;
    [[nodiscard]] double loose_ratio() const;
    [[nodiscard]] std::vector<DetectorState> detector_states() const {
        if (run == nullptr) return {};
        return detectors.states(run->detectors, config.alarms.silent_detector_events);
    }

    void put(ByteWriter& out) const;
    [[nodiscard]] bool get(ByteReader& in);
    void put_run(ByteWriter& out) const;
    [[nodiscard]] bool get_run(ByteReader& in);
};

void Accumulator::Impl::adopt(const RunDescription& description) {
    run = std::make_shared<const RunDescription>(description);
    known_cuts = 0;
    loose_cuts = 0;
    for (std::size_t i = 0; i < run->cuts.size() && i < kMaxCuts; ++i) {
        const std::uint32_t bit = 1u << i;
        known_cuts |= bit;
        if (run->cuts[i].name == "no_peak" || run->cuts[i].name == "does_not_fit") loose_cuts |= bit;
    }
    has_anticoincident = background_of(run.get(), 0) == Background::anticoincident;
    discriminant.adopt(*run);
    if (detectors.size() != run->detectors.size()) detectors.start_run(run->detectors.size());
}

void Accumulator::Impl::begin_run() {
    while (const auto lost = pending.take_oldest()) resolve(*lost, BeamState::unknown, -1);
    next_sequence = 0;
    next_dead_sequence = 0;
    newest_event_utc_ns = 0;
    status.reset();
    calibration.reset();
    last_dead_time.reset();
    waveform.reset();
    trends.start_run();
    detectors.start_run(run->detectors.size());
}

bool Accumulator::Impl::acceptable(const Event& event) const noexcept {
    if (run == nullptr || event.sequence == kNoSequence || event.sequence < next_sequence) return false;
    if (event.window_count > std::min(run->windows.size(), kMaxWindows)) return false;
    return std::all_of(event.window.begin(), event.window.begin() + event.window_count,
                       [&](const WindowEvent& window) { return (window.cuts & ~known_cuts) == 0; });
}

void Accumulator::Impl::fill(Selection& selection, std::array<std::uint64_t*, 2> in_box,
                             std::span<const AcceptedWindow> windows) {
    for (const AcceptedWindow& window : windows) {
        const AnalysisBox& range = run->box;
        const bool charge_inside = inside(window.charge_pe, range.min_pe, range.max_pe);
        const bool arrival_inside = inside(window.arrival_ns, range.min_arrival_ns, range.max_arrival_ns);
        const std::size_t role = index(window.role);
        if (arrival_inside) selection.charge[role].fill(window.charge_pe);
        if (charge_inside) selection.arrival[role].fill(window.arrival_ns);
        if (charge_inside && arrival_inside) ++*in_box[role];
    }
}

void Accumulator::Impl::fill_on(std::span<const AcceptedWindow> windows) {
    fill(on, {&box.coincident_on, &box.background_on}, windows);
    for (const AcceptedWindow& window : windows) {
        if (inside(window.arrival_ns, run->box.min_arrival_ns, run->box.max_arrival_ns))
            discriminant.add_analysis(window.role, window.point);
    }
}

void Accumulator::Impl::fill_off(std::span<const AcceptedWindow> windows) {
    fill(off, {&box.coincident_off, &box.background_off}, windows);
}

void Accumulator::Impl::resolve(const PendingEvents::Resolved& event, BeamState state, double power_w) {
    if (std::isfinite(power_w) && power_w >= 0) trends.add_beam_power(event.trend_row, power_w);
    const bool is_tick = event.trigger_class == TriggerClass::beam_tick;
    if (!is_tick && event.trigger_class != TriggerClass::hit) return;
    if (is_tick) count_tick(state, power_w);
    switch (state) {
        case BeamState::on:
            fill_on(event.accepted);
            history.advance(beam_energy_gwh(), totals());
            break;
        case BeamState::off:
        case BeamState::no_beam_cycle: fill_off(event.accepted); break;
        case BeamState::unknown: break;
    }
}

ExposureRatio Accumulator::Impl::ratio_of(const ExcessTotals& t) const {
    if (!has_anticoincident) {
        return {exposure_ratio(t.ticks_on, t.strobes), exposure_ratio(t.ticks_off, t.strobes)};
    }
    const AnalysisBox range = run != nullptr ? run->box : AnalysisBox{};
    const double windows = window_alpha(run.get(), range.min_arrival_ns, range.max_arrival_ns);
    return {windows, windows};
}

/// The same for the loose selection, which takes ticks of every beam state, and whole windows.
double Accumulator::Impl::loose_ratio() const {
    if (!has_anticoincident) {
        return exposure_ratio(ticks_on + ticks_off + ticks_no_beam_cycle + ticks_unknown + pending.beam_ticks(),
                              strobes);
    }
    return window_alpha(run.get(), 0, std::numeric_limits<double>::infinity());
}

/// `role` anticoincident: of the background, whose own beam state does not matter where it is a strobe's.
void Accumulator::Impl::count_window(const Event& event, const WindowEvent& window, WindowRole role) {
    const AcceptedWindow measured{window[Feature::charge_pe], window[Feature::arrival_ns], role,
                                  discriminant.point(window, event.feature_count)};
    if ((window.cuts & loose_cuts) == 0 && window[Feature::arrival_sample] >= 0) {
        loose.charge[index(role)].fill(measured.charge_pe);
        loose.arrival[index(role)].fill(measured.arrival_ns);
        discriminant.add_loose(role, measured.point);
        if (role == WindowRole::coincident) detectors.add_charge(event.detector, measured.charge_pe);
    }
    if (!window.accepted()) return;
    if (event.trigger_class != TriggerClass::strobe) {
        pending.add_accepted(measured);
        return;
    }
    fill_on({&measured, 1});
    fill_off({&measured, 1});
}

/// The exposure: every recorded tick, before any cut.
void Accumulator::Impl::count_tick(BeamState state, double power_w) {
    switch (state) {
        case BeamState::on:
            ++ticks_on;
            if (!(std::isfinite(power_w) && power_w >= 0)) {
                ++ticks_on_without_power;
            } else if (run->tick_rate_hz > 0) {
                beam_energy_j += power_w / run->tick_rate_hz;
            }
            break;
        case BeamState::off: ++ticks_off; break;
        case BeamState::no_beam_cycle: ++ticks_no_beam_cycle; break;
        case BeamState::unknown: ++ticks_unknown; break;
    }
}

Accumulator::Accumulator(MonitorConfig config) {
    if (!plausible(config)) throw UsageError{"monitor: a number of the configuration is outside its range"};
    impl_ = std::make_unique<Impl>(config);
}
Accumulator::~Accumulator() = default;
Accumulator::Accumulator(Accumulator&&) noexcept = default;
Accumulator& Accumulator::operator=(Accumulator&&) noexcept = default;

void Accumulator::on_run(const RunDescription& run) {
    Impl& m = *impl_;
    if (m.run != nullptr) {
        if (*m.run == run) return;  // announced again
        const std::string_view what = difference(*m.run, run);
        if (!what.empty()) {
            log::monitor().warn(
                "run {}: another {} than that of run {}: the accumulated campaign ({} events) ends and a new "
                "one begins",
                run.run, what, m.run->run, m.events);
            auto fresh = std::make_unique<Impl>(m.config);
            fresh->alarms = std::move(m.alarms);
            fresh->alarm_log = std::move(m.alarm_log);
            impl_ = std::move(fresh);
        } else if (m.run->run != run.run || m.run->start_utc_ns != run.start_utc_ns) {
            m.begin_run();
        }
    }
    impl_->adopt(run);
}

void Accumulator::on_event(const Event& event) {
    Impl& m = *impl_;
    if (!m.acceptable(event)) {
        ++m.skipped_events;
        return;
    }
    m.next_sequence = event.sequence + 1;
    ++m.events;
    m.newest_event_utc_ns = event.utc_ns;

    const bool measured = event.feature_count >= kCoreFeatures && (event.flags & trigger_flag::missing_channel) == 0;
    const bool of_a_tick = event.trigger_class == TriggerClass::beam_tick || event.trigger_class == TriggerClass::hit;
    double pretrace_peaks = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t w = event.window_count; w-- > 0;) {  // backwards: the first coincident window's pretrace stays
        if (measured && m.run->windows[w].role == WindowRole::coincident) {
            pretrace_peaks = event.window[w][Feature::pretrace_peaks];
        }
    }
    const std::uint64_t row = m.trends.add(event, pretrace_peaks);
    m.pending.add(event.sequence, event.trigger_class, row);
    m.detectors.add(event);
    const bool is_strobe = event.trigger_class == TriggerClass::strobe;
    const bool is_background = is_strobe && !m.has_anticoincident;
    m.strobes += is_strobe;
    for (std::size_t w = 0; w < event.window_count; ++w) {
        m.cut_counts[w].add(event.window[w].cuts);
        if ((!of_a_tick && !is_background) || !measured) continue;
        m.count_window(event, event.window[w], is_background ? WindowRole::anticoincident : m.run->windows[w].role);
    }
    while (const auto late = m.pending.take_older(event.sequence, m.config.pending_events)) {
        m.resolve(*late, BeamState::unknown, -1);
    }
}

void Accumulator::on_beam(const BeamResolution& resolution) {
    const auto event = impl_->pending.take(resolution.sequence);
    if (!event) {
        ++impl_->unmatched_beam_states;
        return;
    }
    impl_->resolve(*event, resolution.state, static_cast<double>(resolution.power_w));
}

void Accumulator::on_ticks(std::span<const TickRecord> ticks) {
    Impl& m = *impl_;
    if (m.run == nullptr) return;
    for (const TickRecord& tick : ticks) m.count_tick(tick.state, static_cast<double>(tick.power_w));
    m.history.advance(m.beam_energy_gwh(), m.totals());
}

void Accumulator::on_dead_time(const DeadTime& interval) {
    Impl& m = *impl_;
    if (interval.last_sequence < interval.first_sequence || interval.last_sequence == kNoSequence) return;
    if (interval.reason == static_cast<std::uint8_t>(RefusalReason::not_kept)) return;  // it was measured when it came
    m.last_dead_time = interval;
    if (interval.last_sequence < m.next_dead_sequence) return;
    // An interval that grew comes again with its first part: only what is new counts.
    const std::uint64_t first = std::max(interval.first_sequence, m.next_dead_sequence);
    const auto refused = static_cast<double>(interval.last_sequence - first) + 1;
    const auto whole = static_cast<double>(interval.last_sequence - interval.first_sequence) + 1;
    const double length_s = (static_cast<double>(interval.end_ps) - static_cast<double>(interval.begin_ps)) * 1e-12;
    m.refused_triggers += interval.last_sequence - first + 1;
    m.dead_time_s += std::max(0.0, length_s) * (refused / whole);
    m.next_dead_sequence = interval.last_sequence + 1;
}

void Accumulator::on_calibration(const Calibration& calibration) {
    impl_->calibration = calibration;
    impl_->detectors.calibrate(calibration);
}

void Accumulator::on_waveform(const Waveform& waveform) {
    impl_->waveform = std::make_shared<const Waveform>(waveform);
}
void Accumulator::on_status(const Status& status) {
    impl_->status = status;
    impl_->disk.look(status, status.utc_ns);
}

void Accumulator::on_alarm(const Alarm& alarm) {
    Impl& m = *impl_;
    std::erase_if(m.alarms, [&](const Alarm& active) { return active.name == alarm.name; });
    if (alarm.active && m.alarms.size() < kAlarmLogLength) m.alarms.push_back(alarm);
    m.alarm_log.push_front(alarm);
    if (m.alarm_log.size() > kAlarmLogLength) m.alarm_log.pop_back();
}

const MonitorConfig& Accumulator::config() const noexcept { return impl_->config; }

Conditions Accumulator::conditions() const {
    Conditions c;
    c.newest_event_utc_ns = impl_->newest_event_utc_ns;
    for (const DetectorState& detector : impl_->detector_states()) {
        if (detector.silent) c.silent_detectors.push_back(detector.name);
    }
    const TrendRow* const row = impl_->trends.newest_complete();
    if (row == nullptr) return c;
    c.events = row->events;
    c.tick_rate_span_s = row->tick_seconds;
    c.tick_rate_hz = row->tick_seconds > 0 ? row->ticks / row->tick_seconds : 0;
    c.baseline_median_adc = row->baseline_median_adc.value().value_or(std::numeric_limits<double>::quiet_NaN());
    c.baseline_sigma_adc = row->baseline_sigma_adc.value().value_or(std::numeric_limits<double>::quiet_NaN());
    c.spe_charge_adc = row->spe_charge_adc.value().value_or(0);
    return c;
}

std::shared_ptr<const Snapshot> Accumulator::snapshot(std::uint64_t message_number) const {
    const Impl& m = *impl_;
    auto made = std::make_shared<Snapshot>();
    Snapshot& s = *made;
    s.run = m.run;
    s.status = m.status;
    s.disk = m.disk.outlook();
    s.waveform = m.waveform;
    s.message_number = message_number;
    s.events = m.events;
    s.newest_event_utc_ns = m.newest_event_utc_ns;
    s.skipped_events = m.skipped_events;
    s.unmatched_beam_states = m.unmatched_beam_states;
    s.refused_triggers = m.refused_triggers;
    s.dead_time_s = m.dead_time_s;
    s.calibration = m.calibration;
    s.last_dead_time = m.last_dead_time;

    const double tick_rate_hz = m.run != nullptr ? m.run->tick_rate_hz : 0;
    const ExposureRatio alpha = m.ratio_of(m.totals());
    const double loose_alpha = m.loose_ratio();
    s.background = background_of(m.run.get(), m.strobes);
    s.charge_unit = charge_unit(m.run.get());
    const std::string charge_axis = axis_of(m.run.get(), "charge_pe", "");
    const auto charge = [&](const Selection& selection, const char* what, double a) {
        return compare(spectrum(selection.charge[0], charge_axis, 1), spectrum(selection.charge[1], charge_axis, 1),
                       s.background, what, a);
    };
    const auto arrival = [&](const Selection& selection, const char* what, double a) {
        return compare(spectrum(selection.arrival[0], "arrival [us]", 1e-3),
                       spectrum(selection.arrival[1], "arrival [us]", 1e-3), s.background, what, a);
    };
    s.pe_on = charge(m.on, "beam on", alpha.on);
    s.pe_off = charge(m.off, "beam off", alpha.off);
    s.pe_loose = charge(m.loose, "loose", loose_alpha);
    s.arrival_on = arrival(m.on, "beam on", alpha.on);
    s.arrival_off = arrival(m.off, "beam off", alpha.off);
    s.arrival_loose = arrival(m.loose, "loose", loose_alpha);
    s.discriminant = m.discriminant.view(m.run.get(), s.background, alpha.on, loose_alpha);
    s.detectors = m.detector_states();

    s.excess = compared(m.box.coincident_on, m.box.background_on, alpha.on);
    s.control = compared(m.box.coincident_off, m.box.background_off, alpha.off);
    s.excess_history =
        m.history.points([&m](const ExcessTotals& t) { return m.ratio_of(t); }, m.beam_energy_gwh(), m.totals());

    s.exposure.ticks_on = m.ticks_on;
    s.exposure.ticks_off = m.ticks_off;
    s.exposure.ticks_no_beam_cycle = m.ticks_no_beam_cycle;
    s.exposure.ticks_unknown = m.ticks_unknown;
    s.exposure.ticks_pending = m.pending.beam_ticks();
    s.exposure.ticks_on_without_power = m.ticks_on_without_power;
    s.exposure.strobes = m.strobes;
    if (tick_rate_hz > 0) {
        s.exposure.live_on_s = static_cast<double>(m.ticks_on) / tick_rate_hz;
        s.exposure.live_off_s = static_cast<double>(m.ticks_off + m.ticks_no_beam_cycle) / tick_rate_hz;
    }
    s.exposure.beam_energy_gwh = m.beam_energy_gwh();

    if (m.run != nullptr) {
        for (std::size_t w = 0; w < m.run->windows.size() && w < kMaxWindows; ++w) {
            const CutCounts& counts = m.cut_counts[w];
            CutFlow flow;
            flow.window = m.run->windows[w].name;
            flow.rows = counts.rows;
            flow.accepted = counts.accepted;
            for (std::size_t i = 0; i < m.run->cuts.size() && i < kMaxCuts; ++i) {
                flow.names.push_back(m.run->cuts[i].name);
                flow.removed_first.push_back(counts.removed_first[i]);
                flow.failed.push_back(counts.failed[i]);
            }
            s.cut_flow.push_back(std::move(flow));
        }
    }
    s.trends = m.trends.trends(tick_rate_hz);
    s.alarms = m.alarms;
    std::stable_sort(s.alarms.begin(), s.alarms.end(), [](const Alarm& a, const Alarm& b) {
        return std::pair{a.level, a.utc_ns} > std::pair{b.level, b.utc_ns};
    });
    s.alarm_log.assign(m.alarm_log.begin(), m.alarm_log.end());
    return made;
}

// ---- the state: magic, version, body, CRC-32 of all before it

void Accumulator::Impl::put_run(ByteWriter& out) const {
    out.put(static_cast<std::uint8_t>(run != nullptr));
    if (run == nullptr) return;
    const std::vector<std::byte> frame = encode_run_start(*run, 0);
    out.put_list(std::span<const std::byte>{frame});
}

bool Accumulator::Impl::get_run(ByteReader& in) {
    if (!in.get_bool()) return !in.failed();
    const std::vector<std::byte> bytes = in.get_list<std::byte>();
    FrameView frame;
    if (in.failed() || read_frame(bytes, frame) != FrameError::none || frame.header.kind != FrameKind::run_start)
        return false;
    const std::optional<RunDescription> description = decode_run_start(frame);
    if (!description) return false;
    adopt(*description);
    return true;
}

void Accumulator::Impl::put(ByteWriter& out) const {
    put_config(out, config);
    put_run(out);
    for (const Selection* selection : {&on, &off, &loose}) selection->put(out);
    discriminant.put(out);
    out.put(box);
    for (const CutCounts& counts : cut_counts) out.put(counts);
    for (const std::uint64_t n :
         {events, skipped_events, unmatched_beam_states, ticks_on, ticks_off, ticks_no_beam_cycle, ticks_unknown,
          ticks_on_without_power, strobes, refused_triggers}) {
        out.put(n);
    }
    out.put(beam_energy_j);
    out.put(dead_time_s);
    trends.put(out);
    history.put(out);
    out.put(static_cast<std::uint32_t>(alarms.size()));
    for (const Alarm& alarm : alarms) put_alarm(out, alarm);
    out.put(static_cast<std::uint32_t>(alarm_log.size()));
    for (const Alarm& alarm : alarm_log) put_alarm(out, alarm);
    pending.put(out);
    detectors.put(out);
    out.put(next_sequence);
    out.put(next_dead_sequence);
    out.put(newest_event_utc_ns);
    out.put(static_cast<std::uint8_t>(status.has_value()));
    if (status) put_status(out, *status);
    out.put(static_cast<std::uint8_t>(calibration.has_value()));
    if (calibration) put_calibration(out, *calibration);
    out.put(static_cast<std::uint8_t>(last_dead_time.has_value()));
    if (last_dead_time) out.put(*last_dead_time);
}

bool Accumulator::Impl::get(ByteReader& in) {
    if (!get_run(in)) return false;
    for (Selection* selection : {&on, &off, &loose}) selection->get(in);
    discriminant.get(in);
    box = in.get<BoxCounts>();
    for (CutCounts& counts : cut_counts) counts = in.get<CutCounts>();
    for (std::uint64_t* n :
         {&events, &skipped_events, &unmatched_beam_states, &ticks_on, &ticks_off, &ticks_no_beam_cycle, &ticks_unknown,
          &ticks_on_without_power, &strobes, &refused_triggers}) {
        *n = in.get<std::uint64_t>();
    }
    beam_energy_j = in.get<double>();
    dead_time_s = in.get<double>();
    if (!(beam_energy_j >= 0 && std::isfinite(beam_energy_j) && dead_time_s >= 0 && std::isfinite(dead_time_s)))
        return false;
    if (!trends.get(in) || !history.get(in)) return false;
    alarms.resize(in.get_count(18));
    for (Alarm& alarm : alarms) alarm = get_alarm(in);
    alarm_log.resize(in.get_count(18));
    for (Alarm& alarm : alarm_log) alarm = get_alarm(in);
    if (alarms.size() > kAlarmLogLength || alarm_log.size() > kAlarmLogLength || !pending.get(in)) return false;
    if (!detectors.get(in) || detectors.size() != (run != nullptr ? run->detectors.size() : 0)) return false;
    next_sequence = in.get<std::uint64_t>();
    next_dead_sequence = in.get<std::uint64_t>();
    newest_event_utc_ns = in.get<std::int64_t>();
    if (in.get_bool()) status = get_status(in);
    if (in.get_bool()) calibration = get_calibration(in);
    if (in.get_bool()) last_dead_time = in.get<DeadTime>();
    return !in.failed() && in.left() == 0 && (run != nullptr || pending.size() == 0) &&
           pending.all_below(next_sequence);
}

std::vector<std::byte> Accumulator::state() const {
    std::vector<std::byte> bytes(64 * 1024);
    for (;;) {
        ByteWriter out{bytes};
        out.put(kStateMagic);
        out.put(kStateVersion);
        impl_->put(out);
        const std::uint32_t crc = crc32(std::span{bytes}.first(out.size()));
        out.put(crc);
        if (!out.overflowed()) {
            bytes.resize(out.size());
            return bytes;
        }
        bytes.resize(bytes.size() * 4);
    }
}

bool Accumulator::restore(std::span<const std::byte> bytes) {
    if (bytes.size() < 12) return false;
    ByteReader tail{bytes.last(4)};
    if (tail.get<std::uint32_t>() != crc32(bytes.first(bytes.size() - 4))) return false;
    ByteReader in{bytes.first(bytes.size() - 4)};
    if (in.get<std::uint32_t>() != kStateMagic || in.get<std::uint32_t>() != kStateVersion) return false;
    const MonitorConfig config = get_config(in);
    if (in.failed()) return false;
    auto restored = std::make_unique<Impl>(config);
    if (!restored->get(in)) return false;
    impl_ = std::move(restored);
    return true;
}

bool Accumulator::resume(std::span<const std::byte> bytes) {
    std::vector<Alarm> alarms = impl_->alarms;
    std::deque<Alarm> alarm_log = impl_->alarm_log;
    if (!restore(bytes)) return false;
    impl_->alarms = std::move(alarms);
    impl_->alarm_log = std::move(alarm_log);
    return true;
}

}  // namespace alleycat
