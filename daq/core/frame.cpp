#include "daq/core/frame.hpp"

#include <fmt/format.h>
#include <isa-l/crc.h>

#include <algorithm>
#include <array>
#include <bit>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "daq/core/ledger_bytes.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kCrcOffset = offsetof(FrameHeader, crc);

std::uint32_t frame_crc(std::span<const std::byte> frame) noexcept {
    constexpr std::array<std::byte, 4> zero{};
    std::uint32_t crc = crc32(frame.first(kCrcOffset));
    crc = crc32(zero, crc);
    return crc32(frame.subspan(kCrcOffset + sizeof zero), crc);
}

/// Writes the header before a body of `body_bytes` that already stands in `space`, and the padding behind it.
std::size_t seal(std::span<std::byte> space, FrameKind kind, std::uint64_t run, std::uint64_t ordinal,
                 std::size_t body_bytes) noexcept {
    const std::size_t size = frame_bytes(body_bytes);
    if (space.size() < size || body_bytes > kMaxBodyBytes) return 0;
    std::fill(space.begin() + static_cast<std::ptrdiff_t>(sizeof(FrameHeader) + body_bytes),
              space.begin() + static_cast<std::ptrdiff_t>(size), std::byte{0});
    FrameHeader header;
    header.kind = kind;
    header.body_bytes = static_cast<std::uint32_t>(body_bytes);
    header.run = run;
    header.ordinal = ordinal;
    std::memcpy(space.data(), &header, sizeof header);
    header.crc = frame_crc(space.first(size));
    std::memcpy(space.data(), &header, sizeof header);
    return size;
}

/// Encodes a frame that is not on the hot path: `write` is run once to measure and once to write.
template <class Write>
std::vector<std::byte> encode(FrameKind kind, std::uint64_t run, std::uint64_t ordinal, const Write& write) {
    ByteWriter measure{{}};
    write(measure);
    if (measure.size() > kMaxBodyBytes) {
        throw Error{fmt::format("run {}: a frame of {} bytes is longer than any may be", run, measure.size())};
    }
    std::vector<std::byte> space(frame_bytes(measure.size()));
    ByteWriter out{std::span{space}.subspan(sizeof(FrameHeader))};
    write(out);
    (void)seal(space, kind, run, ordinal, out.size());
    return space;
}

void put_event(ByteWriter& out, const Event& e) noexcept {
    out.put(e.sequence);
    out.put(e.time_ps);
    out.put(e.utc_ns);
    out.put(e.flags);
    out.put(e.trigger_class);
    out.put(e.window_count);
    out.put(e.feature_count);
    out.put(std::uint8_t{0});
    out.put(e.baseline_median_adc);
    out.put(e.baseline_mean_adc);
    out.put(e.baseline_sigma_adc);
    out.put(e.spe_charge_adc);
    out.put(e.tick);
    out.put(e.since_tick_ps);
    out.put(std::uint64_t{e.detector});
    for (std::size_t w = 0; w < e.window_count; ++w) {
        out.put_bytes(std::as_bytes(std::span{e.window[w].value}.first(e.feature_count)));
        out.put(e.window[w].cuts);
        out.put(std::uint32_t{0});
    }
}

bool get_event(ByteReader& in, std::uint16_t version, Event& e) noexcept {
    e.sequence = in.get<std::uint64_t>();
    e.time_ps = in.get<std::int64_t>();
    e.utc_ns = in.get<std::int64_t>();
    e.flags = in.get<std::uint32_t>();
    e.trigger_class = in.get_enum(TriggerClass::hit);
    e.window_count = in.get<std::uint8_t>();
    e.feature_count = in.get<std::uint8_t>();
    (void)in.get<std::uint8_t>();
    e.baseline_median_adc = in.get<double>();
    e.baseline_mean_adc = in.get<double>();
    e.baseline_sigma_adc = in.get<double>();
    e.spe_charge_adc = in.get<double>();
    if (version >= 2) {
        e.tick = in.get<std::uint64_t>();
        e.since_tick_ps = in.get<std::int64_t>();
        const auto detector = in.get<std::uint64_t>();
        if (detector >= kMaxDetectors) return false;
        e.detector = static_cast<std::uint16_t>(detector);
    }
    if (in.failed() || e.window_count > kMaxWindows || e.feature_count > kMaxFeatures) return false;
    for (std::size_t w = 0; w < e.window_count; ++w) {
        const std::span<const std::byte> values = in.get_bytes(e.feature_count * sizeof(double));
        if (in.failed()) return false;
        if (!values.empty()) std::memcpy(e.window[w].value.data(), values.data(), values.size());
        e.window[w].cuts = in.get<std::uint32_t>();
        (void)in.get<std::uint32_t>();
    }
    return !in.failed();
}

void put_beam_states(ByteWriter& out, std::span<const BeamResolution> states) noexcept {
    out.put(static_cast<std::uint32_t>(states.size()));
    for (const BeamResolution& s : states) {
        out.put(s.sequence);
        out.put(s.power_w);
        out.put(static_cast<std::int32_t>(s.state));
    }
}

void put_channel_ref(ByteWriter& out, const ChannelRef& c) noexcept {
    out.put(c.board);
    out.put(c.channel);
    out.put(static_cast<std::uint8_t>(c.present));
}

ChannelRef get_channel_ref(ByteReader& in) noexcept {
    ChannelRef c;
    c.board = in.get<std::uint16_t>();
    c.channel = in.get<std::uint16_t>();
    c.present = in.get_bool();
    return c;
}

void put_board(ByteWriter& out, const BoardInfo& b) noexcept {
    for (const std::string* text : {&b.name, &b.source, &b.model, &b.serial}) out.put_text(*text);
    out.put(b.sample_type);
    out.put(b.sample_period_ps);
    out.put(b.samples);
    out.put(b.clock_period_ps);
    out.put(static_cast<std::uint8_t>(b.self_triggered));
    out.put(static_cast<std::uint32_t>(b.channels.size()));
    for (const ChannelInfo& c : b.channels) {
        out.put_text(c.name);
        out.put(static_cast<std::uint8_t>(c.negative_pulses));
        out.put_text(c.code_map);
    }
}

BoardInfo get_board(ByteReader& in, std::uint16_t version) {
    BoardInfo b;
    for (std::string* text : {&b.name, &b.source, &b.model, &b.serial}) *text = in.get_text();
    b.sample_type = in.get_enum(SampleType::uint16);
    b.sample_period_ps = in.get<std::int64_t>();
    b.samples = in.get<std::uint32_t>();
    b.clock_period_ps = in.get<std::int64_t>();
    if (version >= 2) b.self_triggered = in.get_bool();
    b.channels.resize(in.get_count(9, kMaxChannels));
    for (ChannelInfo& c : b.channels) {
        c.name = in.get_text();
        c.negative_pulses = in.get_bool();
        c.code_map = in.get_text();
    }
    return b;
}

void put_run(ByteWriter& out, const RunDescription& r) noexcept {
    for (const std::string* text : {&r.profile, &r.software, &r.host, &r.config_name, &r.config_text})
        out.put_text(*text);
    out.put(r.start_utc_ns);
    out.put(r.tick_rate_hz);
    out.put(r.rate_boost);
    out.put(static_cast<std::uint32_t>(r.boards.size()));
    for (const BoardInfo& board : r.boards) put_board(out, board);
    put_channel_ref(out, r.signal);
    put_channel_ref(out, r.veto);
    out.put(static_cast<std::uint32_t>(r.detectors.size()));
    for (const std::string& detector : r.detectors) out.put_text(detector);
    out.put(static_cast<std::uint32_t>(r.windows.size()));
    for (const WindowInfo& w : r.windows) {
        out.put_text(w.name);
        out.put(w.role);
        for (const std::int64_t n : {w.pretrace_start, w.roi_start, w.roi_end, w.integration}) out.put(n);
    }
    out.put(static_cast<std::uint32_t>(r.features.size()));
    for (const FeatureInfo& f : r.features) {
        out.put_text(f.name);
        out.put_text(f.unit);
        out.put(f.type);
        out.put_text(f.meaning);
    }
    out.put(static_cast<std::uint32_t>(r.cuts.size()));
    for (const CutInfo& c : r.cuts) {
        out.put_text(c.name);
        out.put_text(c.meaning);
    }
    out.put(r.box);
    out.put(static_cast<std::uint8_t>(r.test_run));
    out.put_text(r.revision);
    out.put_text(r.compiler);
    for (const BoardInfo& board : r.boards) out.put_text(board.firmware);
}

RunDescription get_run(ByteReader& in, std::uint16_t version) {
    RunDescription r;
    for (std::string* text : {&r.profile, &r.software, &r.host, &r.config_name, &r.config_text}) *text = in.get_text();
    r.start_utc_ns = in.get<std::int64_t>();
    r.tick_rate_hz = in.get<double>();
    r.rate_boost = in.get<double>();
    r.boards.resize(in.get_count(41, kMaxBoards));
    for (BoardInfo& board : r.boards) board = get_board(in, version);
    r.signal = get_channel_ref(in);
    r.veto = get_channel_ref(in);
    if (version >= 2) {
        r.detectors.resize(in.get_count(4, kMaxDetectors));
        for (std::string& detector : r.detectors) detector = in.get_text();
    }
    r.windows.resize(in.get_count(37, kMaxWindows));
    for (WindowInfo& w : r.windows) {
        w.name = in.get_text();
        w.role = in.get_enum(WindowRole::anticoincident);
        for (std::int64_t* n : {&w.pretrace_start, &w.roi_start, &w.roi_end, &w.integration})
            *n = in.get<std::int64_t>();
    }
    r.features.resize(in.get_count(13, kMaxFeatures));
    for (FeatureInfo& f : r.features) {
        f.name = in.get_text();
        f.unit = in.get_text();
        f.type = in.get_enum(FeatureType::f64);
        f.meaning = in.get_text();
    }
    r.cuts.resize(in.get_count(8, kMaxCuts));
    for (CutInfo& c : r.cuts) {
        c.name = in.get_text();
        c.meaning = in.get_text();
    }
    r.box = in.get<AnalysisBox>();
    if (version >= 3) {
        r.test_run = in.get_bool();
        r.revision = in.get_text();
        r.compiler = in.get_text();
    }
    if (version >= 4) {
        for (BoardInfo& board : r.boards) board.firmware = in.get_text();
    }
    return r;
}

bool points_at_channel(const RunDescription& run, const ChannelRef& ref) noexcept {
    return ref.board < run.boards.size() && ref.channel < run.boards[ref.board].channels.size();
}

/// Nothing in it leads its readers out of a list, a folder or a file.
bool usable(const RunDescription& run) noexcept {
    const auto named = [](const auto& thing) { return usable_name(thing.name); };
    return usable_name(run.profile) && std::ranges::all_of(run.boards, named) &&
           std::ranges::all_of(run.windows, named) && std::ranges::all_of(run.features, named) &&
           std::ranges::all_of(run.detectors, usable_name) &&
           (!run.signal.present || points_at_channel(run, run.signal)) &&
           (!run.veto.present || points_at_channel(run, run.veto));
}

/// Reads the body of a frame of this kind; a frame of another kind has failed before the first read.
ByteReader body_of(const FrameView& frame, FrameKind kind) noexcept {
    ByteReader in{frame.body};
    if (frame.header.kind != kind) in.fail();
    return in;
}

/// The value, if its whole body was read without failure and nothing is left.
template <class T>
std::optional<T> whole(const ByteReader& in, T value) {
    if (in.failed() || in.left() != 0) return std::nullopt;
    return value;
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
    return crc32_gzip_refl(seed, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

std::string_view to_text(FrameError error) noexcept {
    switch (error) {
        case FrameError::none: return "no error";
        case FrameError::cut_short: return "cut short";
        case FrameError::bad_magic: return "not a frame";
        case FrameError::bad_version: return "another format version";
        case FrameError::bad_kind: return "a kind of frame that this version does not have";
        case FrameError::bad_length: return "an impossible length";
        case FrameError::bad_crc: return "a checksum that does not match";
    }
    return "unknown";
}

std::size_t trigger_frame_bytes(const Trigger& trigger, const Event& event) noexcept {
    std::size_t body = 96 + event.window_count * (event.feature_count * sizeof(double) + 8) + 64;
    for (const RecordView& view : trigger.records()) body += sizeof(RecordHeader) + (view.payload().size() + 7) / 8 * 8;
    return frame_bytes(body);
}

std::size_t encode_trigger(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal, const Trigger& trigger,
                           const Event& event) noexcept {
    if (space.size() < sizeof(FrameHeader)) return 0;
    ByteWriter out{space.subspan(sizeof(FrameHeader))};
    put_event(out, event);
    out.put(trigger.missing_boards);
    out.put(static_cast<std::uint32_t>(trigger.record_count));
    out.align(8);
    for (const RecordView& view : trigger.records()) {
        out.put(view.header());
        out.put_bytes(view.payload());
        out.align(8);
    }
    return out.overflowed() ? 0 : seal(space, FrameKind::trigger, run, ordinal, out.size());
}

std::size_t encode_beam_states(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal,
                               std::span<const BeamResolution> states) noexcept {
    if (space.size() < sizeof(FrameHeader)) return 0;
    ByteWriter out{space.subspan(sizeof(FrameHeader))};
    put_beam_states(out, states);
    return out.overflowed() ? 0 : seal(space, FrameKind::beam_states, run, ordinal, out.size());
}

std::size_t encode_ticks(std::span<std::byte> space, std::uint64_t run, std::uint64_t ordinal,
                         std::span<const TickRecord> ticks) noexcept {
    if (space.size() < sizeof(FrameHeader)) return 0;
    ByteWriter out{space.subspan(sizeof(FrameHeader))};
    out.put_list(ticks);
    return out.overflowed() ? 0 : seal(space, FrameKind::ticks, run, ordinal, out.size());
}

std::vector<std::byte> encode_run_start(const RunDescription& run, std::uint64_t ordinal) {
    return encode(FrameKind::run_start, run.run, ordinal, [&](ByteWriter& out) { put_run(out, run); });
}
std::vector<std::byte> encode_beam_frames(std::uint64_t run, std::uint64_t ordinal, std::span<const BeamFrame> frames) {
    return encode(FrameKind::beam_frames, run, ordinal, [&](ByteWriter& out) { out.put_list(frames); });
}
std::vector<std::byte> encode_beam_states(std::uint64_t run, std::uint64_t ordinal,
                                          std::span<const BeamResolution> states) {
    return encode(FrameKind::beam_states, run, ordinal, [&](ByteWriter& out) { put_beam_states(out, states); });
}
std::vector<std::byte> encode_ticks(std::uint64_t run, std::uint64_t ordinal, std::span<const TickRecord> ticks) {
    return encode(FrameKind::ticks, run, ordinal, [&](ByteWriter& out) { out.put_list(ticks); });
}
std::vector<std::byte> encode_dead_time(std::uint64_t run, std::uint64_t ordinal, const DeadTime& d) {
    return encode(FrameKind::dead_time, run, ordinal, [&](ByteWriter& out) { out.put(d); });
}
std::vector<std::byte> encode_gap(std::uint64_t run, std::uint64_t ordinal, const Gap& gap) {
    return encode(FrameKind::gap, run, ordinal, [&](ByteWriter& out) { put_gap(out, gap); });
}
std::vector<std::byte> encode_calibration(std::uint64_t run, std::uint64_t ordinal, const Calibration& c) {
    return encode(FrameKind::calibration, run, ordinal, [&](ByteWriter& out) { out.put(c); });
}
std::vector<std::byte> encode_counters(std::uint64_t run, std::uint64_t ordinal, const CounterSample& c) {
    return encode(FrameKind::counters, run, ordinal, [&](ByteWriter& out) {
        out.put(c.utc_ns);
        out.put(c.sequence);
        put_ledger(out, c.ledger);
        put_counters(out, c.counters);
    });
}
std::vector<std::byte> encode_run_end(std::uint64_t run, std::uint64_t ordinal, const RunEnd& end) {
    return encode(FrameKind::run_end, run, ordinal, [&](ByteWriter& out) {
        out.put(end.utc_ns);
        out.put(static_cast<std::uint8_t>(end.clean));
        out.put_text(end.reason);
        put_ledger(out, end.ledger);
    });
}

std::vector<std::byte> encode_note(std::uint64_t run, std::uint64_t ordinal, const OperatorNote& note) {
    return encode(FrameKind::note, run, ordinal, [&](ByteWriter& out) {
        out.put(note.utc_ns);
        out.put(note.kind);
        out.put_text(note.author);
        out.put_text(note.text);
    });
}

std::vector<std::byte> encode_readings(std::uint64_t run, std::uint64_t ordinal,
                                       std::span<const ReadingSample> readings) {
    return encode(FrameKind::readings, run, ordinal, [&](ByteWriter& out) {
        out.put(static_cast<std::uint32_t>(readings.size()));
        for (const ReadingSample& r : readings) {
            out.put(r.utc_ns);
            out.put(r.board);
            out.put_text(r.reading.name);
            out.put(r.reading.value);
            out.put_text(r.reading.unit);
        }
    });
}

FrameError read_frame(std::span<const std::byte> bytes, FrameView& frame) noexcept {
    if (bytes.size() < sizeof(FrameHeader)) return FrameError::cut_short;
    FrameHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kFrameMagic) return FrameError::bad_magic;
    if (header.version == 0 || header.version > kFrameVersion) return FrameError::bad_version;
    if (header.kind > FrameKind::readings) return FrameError::bad_kind;
    if (header.body_bytes > kMaxBodyBytes) return FrameError::bad_length;
    const std::size_t size = frame_bytes(header.body_bytes);
    if (bytes.size() < size) return FrameError::cut_short;
    if (frame_crc(bytes.first(size)) != header.crc) return FrameError::bad_crc;
    frame = {header, bytes.subspan(sizeof header, header.body_bytes), bytes.first(size)};
    return FrameError::none;
}

bool decode_trigger(const FrameView& frame, TriggerFrame& into) noexcept {
    ByteReader in = body_of(frame, FrameKind::trigger);
    into.event = Event{};
    if (!get_event(in, frame.header.version, into.event)) return false;
    Trigger& trigger = into.trigger;
    trigger.sequence = into.event.sequence;
    trigger.time_ps = into.event.time_ps;
    trigger.utc_ns = into.event.utc_ns;
    trigger.trigger_class = into.event.trigger_class;
    trigger.tick = into.event.tick;
    trigger.since_tick_ps = into.event.since_tick_ps;
    trigger.tick_flags = into.event.flags & trigger_flag::of_ticks;
    trigger.refusal = RefusalReason::none;
    trigger.missing_boards = in.get<std::uint64_t>();
    trigger.record_count = 0;
    const std::size_t records = in.get_count(sizeof(RecordHeader));
    in.align(8);
    if (in.failed() || records > kMaxBoards) return false;
    for (std::size_t i = 0; i < records; ++i) {
        const std::span<const std::byte> raw = in.get_bytes(sizeof(RecordHeader));
        if (in.failed()) return false;
        const auto& header = *reinterpret_cast<const RecordHeader*>(raw.data());
        // Enumerations of a hostile frame must be valid before anybody switches on them.
        if (static_cast<std::uint8_t>(header.sample_type) > static_cast<std::uint8_t>(SampleType::uint16) ||
            static_cast<std::uint8_t>(header.trigger_class) > static_cast<std::uint8_t>(TriggerClass::hit) ||
            header.refusal != RefusalReason::none || header.board >= kMaxBoards || header.channels > kMaxChannels) {
            return false;
        }
        const std::span<const std::byte> payload = in.get_bytes(payload_bytes(header));
        in.align(8);
        if (in.failed()) return false;
        for (const TruthPulse& pulse : RecordView{header, payload}.truth()) {
            if (static_cast<std::size_t>(pulse.kind) >= kTruthKindNames.size()) return false;
        }
        trigger.add({header, payload});
    }
    return in.left() == 0;
}

std::optional<RunDescription> decode_run_start(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::run_start);
    RunDescription run = get_run(in, frame.header.version);
    run.run = frame.header.run;
    if (!in.failed() && !usable(run)) return std::nullopt;
    return whole(in, std::move(run));
}
std::optional<std::vector<BeamFrame>> decode_beam_frames(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::beam_frames);
    auto frames = in.get_list<BeamFrame>();
    return whole(in, std::move(frames));
}
std::optional<std::vector<BeamResolution>> decode_beam_states(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::beam_states);
    std::vector<BeamResolution> states(in.get_count(16));
    for (BeamResolution& s : states) {
        s.sequence = in.get<std::uint64_t>();
        s.power_w = in.get<float>();
        const auto state = in.get<std::int32_t>();
        if (state < -1 || state > 2) return std::nullopt;
        s.state = static_cast<BeamState>(state);
    }
    return whole(in, std::move(states));
}
std::optional<std::vector<TickRecord>> decode_ticks(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::ticks);
    // The state is checked as the byte it is: a value outside the enumeration must not become one.
    auto ticks = in.get_list<TickRecord>();
    const auto known = [](const TickRecord& tick) {
        const auto state = std::bit_cast<std::int8_t>(tick.state);
        return state >= -1 && state <= 2;
    };
    if (!std::ranges::all_of(ticks, known)) return std::nullopt;
    return whole(in, std::move(ticks));
}
std::optional<DeadTime> decode_dead_time(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::dead_time);
    const auto d = in.get<DeadTime>();
    if (d.last_sequence < d.first_sequence || d.reason >= kRefusalReasonNames.size()) return std::nullopt;
    return whole(in, d);
}
std::optional<Gap> decode_gap(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::gap);
    const Gap gap = get_gap(in);
    return whole(in, gap);
}
std::optional<Calibration> decode_calibration(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::calibration);
    Calibration c;
    c.from_sequence = in.get<std::uint64_t>();
    for (double* x : {&c.spe_charge_adc, &c.spe_charge_error_adc, &c.fit_quality}) *x = in.get<double>();
    if (frame.header.version >= 2) {
        c.block = in.get<std::uint64_t>();
        c.peaks = in.get<std::uint64_t>();
        c.origin = in.get_enum(CalibrationOrigin::kept);
        c.detector = in.get<std::uint32_t>();
        if (c.detector >= kMaxDetectors) return std::nullopt;
    } else if (c.fit_quality != 0) {
        c.origin = CalibrationOrigin::fitted;
    }
    return whole(in, c);
}
std::optional<CounterSample> decode_counters(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::counters);
    CounterSample c;
    c.utc_ns = in.get<std::int64_t>();
    c.sequence = in.get<std::uint64_t>();
    c.ledger = get_ledger(in);
    c.counters = get_counters(in);
    return whole(in, std::move(c));
}
std::optional<RunEnd> decode_run_end(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::run_end);
    RunEnd end;
    end.utc_ns = in.get<std::int64_t>();
    end.clean = in.get_bool();
    end.reason = in.get_text();
    end.ledger = get_ledger(in);
    return whole(in, std::move(end));
}
std::optional<OperatorNote> decode_note(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::note);
    OperatorNote note;
    note.utc_ns = in.get<std::int64_t>();
    note.kind = in.get_enum(NoteKind::tainted);
    note.author = in.get_text();
    note.text = in.get_text();
    if (!note_problem(note).empty()) return std::nullopt;
    return whole(in, std::move(note));
}
std::optional<std::vector<ReadingSample>> decode_readings(const FrameView& frame) {
    ByteReader in = body_of(frame, FrameKind::readings);
    std::vector<ReadingSample> readings(in.get_count(26));
    for (ReadingSample& r : readings) {
        r.utc_ns = in.get<std::int64_t>();
        r.board = in.get<std::uint16_t>();
        r.reading.name = in.get_text();
        r.reading.value = in.get<double>();
        r.reading.unit = in.get_text();
        if (r.board >= kMaxBoards) return std::nullopt;
    }
    return whole(in, std::move(readings));
}

}  // namespace alleycat
