#include "monitor/status_bytes.hpp"

#include "daq/core/ledger_bytes.hpp"

namespace alleycat {
namespace {

static_assert(std::is_trivially_copyable_v<AlarmConfig> && sizeof(AlarmConfig) % sizeof(double) == 0,
              "limits are doubles only: no padding goes into the state");

void put_writer(ByteWriter& out, const WriterStatus& w) {
    out.put(static_cast<std::uint8_t>(w.connected));
    out.put(w.state);
    for (const std::uint64_t n : {w.durable_triggers, w.unacknowledged_bytes, w.file_bytes, w.disk_free_bytes,
                                  w.disk_stop_bytes, w.journal_bytes}) {
        out.put(n);
    }
    out.put_text(w.file);
    out.put_text(w.problem);
}

WriterStatus get_writer(ByteReader& in) {
    WriterStatus w;
    w.connected = in.get_bool();
    w.state = in.get_enum(WriterState::failed);
    for (std::uint64_t* n : {&w.durable_triggers, &w.unacknowledged_bytes, &w.file_bytes, &w.disk_free_bytes,
                             &w.disk_stop_bytes, &w.journal_bytes}) {
        *n = in.get<std::uint64_t>();
    }
    w.file = in.get_text();
    w.problem = in.get_text();
    return w;
}

void put_optional(ByteWriter& out, const std::optional<double>& value) {
    out.put(static_cast<std::uint8_t>(value.has_value()));
    out.put(value.value_or(0));
}

std::optional<double> get_optional(ByteReader& in) {
    const bool known = in.get_bool();
    const auto value = in.get<double>();
    return known ? std::optional{value} : std::nullopt;
}

void put_board(ByteWriter& out, const BoardStatus& b) {
    out.put_text(b.name);
    for (const auto& value : {b.missing_s, b.clock_offset_ns, b.clock_drift_ppm}) put_optional(out, value);
    out.put(b.last_record_utc_ns);
    out.put(static_cast<std::uint32_t>(b.readings.size()));
    for (const BoardReading& reading : b.readings) {
        out.put_text(reading.name);
        out.put(reading.value);
        out.put_text(reading.unit);
    }
}

BoardStatus get_board(ByteReader& in) {
    BoardStatus b;
    b.name = in.get_text();
    for (auto* value : {&b.missing_s, &b.clock_offset_ns, &b.clock_drift_ppm}) *value = get_optional(in);
    b.last_record_utc_ns = in.get<std::int64_t>();
    b.readings.resize(in.get_count(16));
    for (BoardReading& reading : b.readings) {
        reading.name = in.get_text();
        reading.value = in.get<double>();
        reading.unit = in.get_text();
    }
    return b;
}

BeamState get_beam_state(ByteReader& in) {
    const auto value = in.get<std::int8_t>();
    if (value < -1 || value > 2) in.fail();
    return in.failed() ? BeamState::unknown : static_cast<BeamState>(value);
}

void put_binning(ByteWriter& out, const Binning& b) {
    out.put(b.low);
    out.put(b.width);
    out.put(b.bins);
}

Binning get_binning(ByteReader& in) {
    Binning b;
    b.low = in.get<double>();
    b.width = in.get<double>();
    b.bins = in.get<std::uint32_t>();
    return b;
}

void put_discriminant(ByteWriter& out, const DiscriminantConfig& d) {
    for (const std::string* text : {&d.feature, &d.against, &d.title, &d.against_title}) out.put_text(*text);
    put_binning(out, d.bins);
    put_binning(out, d.against_bins);
}

DiscriminantConfig get_discriminant(ByteReader& in) {
    DiscriminantConfig d;
    for (std::string* text : {&d.feature, &d.against, &d.title, &d.against_title}) *text = in.get_text();
    d.bins = get_binning(in);
    d.against_bins = get_binning(in);
    return d;
}

}  // namespace

void put_status(ByteWriter& out, const Status& s) {
    out.put(s.run);
    out.put(s.state);
    out.put_text(s.reason);
    for (const std::int64_t t : {s.utc_ns, s.run_start_utc_ns, s.last_trigger_utc_ns}) out.put(t);
    for (const double x : {s.trigger_rate_hz, s.bytes_per_second, s.live_fraction}) out.put(x);
    out.put(s.beam_state);
    out.put(s.beam_power_w);
    out.put(s.beam_lag_s);
    out.put(s.index_check.verdict);
    out.put(s.index_check.configured);
    out.put(s.index_check.best);
    out.put(s.index_check.evidence);
    out.put(s.index_check.ticks);
    put_ledger(out, s.ledger);
    out.put(s.in_hand);
    out.put(static_cast<std::uint8_t>(s.backed_up));
    out.put(s.dead_s);
    out.put(static_cast<std::uint8_t>(s.gap.has_value()));
    if (s.gap) put_gap(out, *s.gap);
    out.put(static_cast<std::uint32_t>(s.buffers.size()));
    for (const BufferStatus& b : s.buffers) {
        out.put_text(b.name);
        for (const std::uint64_t n : {b.capacity_bytes, b.used_bytes, b.high_water_bytes}) out.put(n);
        out.put(b.data_bytes_per_s);
    }
    out.put(static_cast<std::uint32_t>(s.boards.size()));
    for (const BoardStatus& board : s.boards) put_board(out, board);
    put_writer(out, s.writer);
    put_counters(out, s.counters);
}

Status get_status(ByteReader& in) {
    Status s;
    s.run = in.get<std::uint64_t>();
    s.state = in.get_enum(RunState::error);
    s.reason = in.get_text();
    for (std::int64_t* t : {&s.utc_ns, &s.run_start_utc_ns, &s.last_trigger_utc_ns}) *t = in.get<std::int64_t>();
    for (double* x : {&s.trigger_rate_hz, &s.bytes_per_second, &s.live_fraction}) *x = in.get<double>();
    s.beam_state = get_beam_state(in);
    s.beam_power_w = in.get<float>();
    s.beam_lag_s = in.get<double>();
    s.index_check.verdict = in.get_enum(IndexVerdict::contradicted);
    s.index_check.configured = in.get<std::int32_t>();
    s.index_check.best = in.get<std::int32_t>();
    s.index_check.evidence = in.get<double>();
    s.index_check.ticks = in.get<std::uint64_t>();
    s.ledger = get_ledger(in);
    s.in_hand = in.get<std::uint64_t>();
    s.backed_up = in.get_bool();
    s.dead_s = in.get<double>();
    if (in.get_bool()) s.gap = get_gap(in);
    s.buffers.resize(in.get_count(36));
    for (BufferStatus& b : s.buffers) {
        b.name = in.get_text();
        for (std::uint64_t* n : {&b.capacity_bytes, &b.used_bytes, &b.high_water_bytes}) *n = in.get<std::uint64_t>();
        b.data_bytes_per_s = in.get<double>();
    }
    s.boards.resize(in.get_count(43, kMaxBoards));
    for (BoardStatus& board : s.boards) board = get_board(in);
    s.writer = get_writer(in);
    s.counters = get_counters(in);
    return s;
}

void put_calibration(ByteWriter& out, const Calibration& c) {
    out.put(c.from_sequence);
    for (const double x : {c.spe_charge_adc, c.spe_charge_error_adc, c.fit_quality}) out.put(x);
    out.put(c.block);
    out.put(c.peaks);
    out.put(c.origin);
    out.put(c.detector);
}

Calibration get_calibration(ByteReader& in) {
    Calibration c;
    c.from_sequence = in.get<std::uint64_t>();
    for (double* x : {&c.spe_charge_adc, &c.spe_charge_error_adc, &c.fit_quality}) *x = in.get<double>();
    c.block = in.get<std::uint64_t>();
    c.peaks = in.get<std::uint64_t>();
    c.origin = in.get_enum(CalibrationOrigin::kept);
    c.detector = in.get<std::uint32_t>();
    return c;
}

void put_alarm(ByteWriter& out, const Alarm& a) {
    out.put_text(a.name);
    out.put(a.level);
    out.put(static_cast<std::uint8_t>(a.active));
    out.put(a.utc_ns);
    out.put_text(a.text);
}

Alarm get_alarm(ByteReader& in) {
    Alarm a;
    a.name = in.get_text();
    a.level = in.get_enum(AlarmLevel::alarm);
    a.active = in.get_bool();
    a.utc_ns = in.get<std::int64_t>();
    a.text = in.get_text();
    return a;
}

void put_config(ByteWriter& out, const MonitorConfig& c) {
    put_binning(out, c.charge_pe);
    put_binning(out, c.arrival_ns);
    put_discriminant(out, c.discriminant);
    out.put(c.trend_interval_s);
    out.put(c.trend_points);
    out.put(c.history_step_kwh);
    out.put(c.history_points);
    out.put(c.pending_events);
    out.put(c.alarms);
}

MonitorConfig get_config(ByteReader& in) {
    MonitorConfig c;
    c.charge_pe = get_binning(in);
    c.arrival_ns = get_binning(in);
    c.discriminant = get_discriminant(in);
    c.trend_interval_s = in.get<double>();
    c.trend_points = in.get<std::uint32_t>();
    c.history_step_kwh = in.get<double>();
    c.history_points = in.get<std::uint32_t>();
    c.pending_events = in.get<std::uint32_t>();
    c.alarms = in.get<AlarmConfig>();
    if (!plausible(c)) in.fail();
    return c;
}

}  // namespace alleycat
