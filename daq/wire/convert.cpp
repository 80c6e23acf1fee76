#include "daq/wire/convert.hpp"

#include <cstdint>
#include <limits>

namespace alleycat::wire {
namespace {

/// Longest trace a scope message may hold.
constexpr int kMaxWaveformSamples = 1 << 24;

/// Enumerations have the same numbers on both sides: `known` is the generated ..._IsValid.
template <class E>
bool enum_from(int value, bool (*known)(int), E& to) {
    to = static_cast<E>(value);
    return known(value);
}

template <class Small>
bool fits(std::uint32_t value) {
    return value <= std::numeric_limits<Small>::max();
}

void to_proto(const BoardInfo& from, v1::BoardInfo& to) {
    to.set_name(valid_utf8(from.name));
    to.set_source(valid_utf8(from.source));
    to.set_model(valid_utf8(from.model));
    to.set_serial(valid_utf8(from.serial));
    to.set_firmware(valid_utf8(from.firmware));
    to.set_sample_type(static_cast<v1::SampleType>(from.sample_type));
    to.set_sample_period_ps(from.sample_period_ps);
    to.set_samples(from.samples);
    to.set_clock_period_ps(from.clock_period_ps);
    to.set_self_triggered(from.self_triggered);
    for (const ChannelInfo& channel : from.channels) {
        v1::ChannelInfo& c = *to.add_channels();
        c.set_name(valid_utf8(channel.name));
        c.set_negative_pulses(channel.negative_pulses);
        c.set_code_map(valid_utf8(channel.code_map));
    }
}

bool from_proto(const v1::BoardInfo& from, BoardInfo& to) {
    if (static_cast<std::size_t>(from.channels_size()) > kMaxChannels) return false;
    to = {from.name(),
          from.source(),
          from.model(),
          from.serial(),
          from.firmware(),
          SampleType::int8,
          from.sample_period_ps(),
          from.samples(),
          from.clock_period_ps(),
          from.self_triggered(),
          {}};
    for (const v1::ChannelInfo& c : from.channels())
        to.channels.push_back({c.name(), c.negative_pulses(), c.code_map()});
    return enum_from(from.sample_type(), v1::SampleType_IsValid, to.sample_type);
}

bool from_proto(const v1::ChannelRef& from, ChannelRef& to) {
    to = {static_cast<std::uint16_t>(from.board()), static_cast<std::uint16_t>(from.channel()), true};
    return fits<std::uint16_t>(from.board()) && fits<std::uint16_t>(from.channel());
}

void to_proto(const Ledger& from, v1::Ledger& to) {
    to.set_has_ticks(from.has_ticks);
    to.set_ticks_expected(from.ticks_expected);
    to.set_ticks_seen(from.ticks_seen);
    to.set_ticks_missed(from.ticks_missed);
    to.set_triggers(from.triggers);
    to.set_recorded(from.recorded);
    to.set_refused(from.refused);
    to.set_lost_estimated(from.lost_estimated);
}

Ledger ledger_from(const v1::Ledger& from) {
    return {from.has_ticks(), from.ticks_expected(), from.ticks_seen(), from.ticks_missed(),
            from.triggers(),  from.recorded(),       from.refused(),    from.lost_estimated()};
}

}  // namespace

std::string valid_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    for (std::size_t i = 0; i < text.size();) {
        // RFC 3629, table 3-7 of the Unicode standard: the second byte's range depends on the first.
        const unsigned first = at(i);
        std::size_t length = 0;
        unsigned low = 0x80;
        unsigned high = 0xBF;
        if (first < 0x80) {
            length = 1;
        } else if (first >= 0xC2 && first <= 0xDF) {
            length = 2;
        } else if (first >= 0xE0 && first <= 0xEF) {
            length = 3;
            if (first == 0xE0) low = 0xA0;
            if (first == 0xED) high = 0x9F;
        } else if (first >= 0xF0 && first <= 0xF4) {
            length = 4;
            if (first == 0xF0) low = 0x90;
            if (first == 0xF4) high = 0x8F;
        }
        bool good = length != 0;
        for (std::size_t k = 1; good && k < length; ++k) {
            const unsigned next = at(i + k);
            good = k == 1 ? next >= low && next <= high : next >= 0x80 && next <= 0xBF;
        }
        if (good) {
            valid.append(text.substr(i, length));
            i += length;
        } else {
            valid.push_back('?');
            ++i;
        }
    }
    return valid;
}

// ---- run

void to_proto(const RunDescription& from, v1::Run& to) {
    to.Clear();
    to.set_run(from.run);
    to.set_profile(valid_utf8(from.profile));
    to.set_software(valid_utf8(from.software));
    to.set_host(valid_utf8(from.host));
    to.set_start_utc_ns(from.start_utc_ns);
    to.set_config_name(valid_utf8(from.config_name));
    to.set_config_text(valid_utf8(from.config_text));
    to.set_tick_rate_hz(from.tick_rate_hz);
    to.set_rate_boost(from.rate_boost);
    to.set_test_run(from.test_run);
    for (const BoardInfo& board : from.boards) to_proto(board, *to.add_boards());
    if (from.signal.present) {
        to.mutable_signal()->set_board(from.signal.board);
        to.mutable_signal()->set_channel(from.signal.channel);
    }
    if (from.veto.present) {
        to.mutable_veto()->set_board(from.veto.board);
        to.mutable_veto()->set_channel(from.veto.channel);
    }
    for (const std::string& detector : from.detectors) to.add_detectors(valid_utf8(detector));
    for (const WindowInfo& window : from.windows) {
        v1::WindowInfo& w = *to.add_windows();
        w.set_name(valid_utf8(window.name));
        w.set_role(static_cast<v1::WindowRole>(window.role));
        w.set_pretrace_start(window.pretrace_start);
        w.set_roi_start(window.roi_start);
        w.set_roi_end(window.roi_end);
        w.set_integration(window.integration);
    }
    for (const FeatureInfo& feature : from.features) {
        v1::FeatureInfo& f = *to.add_features();
        f.set_name(valid_utf8(feature.name));
        f.set_unit(valid_utf8(feature.unit));
        f.set_type(static_cast<v1::FeatureType>(feature.type));
        f.set_meaning(valid_utf8(feature.meaning));
    }
    for (const CutInfo& cut : from.cuts) {
        v1::CutInfo& c = *to.add_cuts();
        c.set_name(valid_utf8(cut.name));
        c.set_meaning(valid_utf8(cut.meaning));
    }
    v1::AnalysisBox& box = *to.mutable_box();
    box.set_min_pe(from.box.min_pe);
    box.set_max_pe(from.box.max_pe);
    box.set_min_arrival_ns(from.box.min_arrival_ns);
    box.set_max_arrival_ns(from.box.max_arrival_ns);
}

bool from_proto(const v1::Run& from, RunDescription& to) {
    if (static_cast<std::size_t>(from.boards_size()) > kMaxBoards ||
        static_cast<std::size_t>(from.windows_size()) > kMaxWindows ||
        static_cast<std::size_t>(from.detectors_size()) > kMaxDetectors ||
        static_cast<std::size_t>(from.features_size()) > kMaxFeatures ||
        static_cast<std::size_t>(from.cuts_size()) > kMaxCuts) {
        return false;
    }
    to = {};
    to.run = from.run();
    to.profile = from.profile();
    to.software = from.software();
    to.host = from.host();
    to.start_utc_ns = from.start_utc_ns();
    to.config_name = from.config_name();
    to.config_text = from.config_text();
    to.tick_rate_hz = from.tick_rate_hz();
    to.rate_boost = from.rate_boost();
    to.test_run = from.test_run();
    bool good = true;
    for (const v1::BoardInfo& b : from.boards()) good = from_proto(b, to.boards.emplace_back()) && good;
    if (from.has_signal()) good = from_proto(from.signal(), to.signal) && good;
    if (from.has_veto()) good = from_proto(from.veto(), to.veto) && good;
    to.detectors.assign(from.detectors().begin(), from.detectors().end());
    for (const v1::WindowInfo& w : from.windows()) {
        WindowInfo& window = to.windows.emplace_back();
        window = {w.name(), WindowRole::coincident, w.pretrace_start(), w.roi_start(), w.roi_end(), w.integration()};
        good = enum_from(w.role(), v1::WindowRole_IsValid, window.role) && good;
    }
    for (const v1::FeatureInfo& f : from.features()) {
        FeatureInfo& feature = to.features.emplace_back();
        feature = {f.name(), f.unit(), FeatureType::f64, f.meaning()};
        good = enum_from(f.type(), v1::FeatureType_IsValid, feature.type) && good;
    }
    for (const v1::CutInfo& c : from.cuts()) to.cuts.push_back({c.name(), c.meaning()});
    if (from.has_box()) {
        const v1::AnalysisBox& box = from.box();
        to.box = {box.min_pe(), box.max_pe(), box.min_arrival_ns(), box.max_arrival_ns()};
    }
    return good;
}

// ---- event

void to_proto(const Event& from, v1::Event& to) {
    to.Clear();
    to.set_sequence(from.sequence);
    to.set_time_ps(from.time_ps);
    to.set_utc_ns(from.utc_ns);
    to.set_trigger_class(static_cast<v1::TriggerClass>(from.trigger_class));
    to.set_feature_count(from.feature_count);
    to.set_flags(from.flags);
    to.set_baseline_median_adc(from.baseline_median_adc);
    to.set_baseline_mean_adc(from.baseline_mean_adc);
    to.set_baseline_sigma_adc(from.baseline_sigma_adc);
    to.set_spe_charge_adc(from.spe_charge_adc);
    to.set_tick(from.tick);
    to.set_since_tick_ps(from.since_tick_ps);
    to.set_detector(from.detector);
    for (std::size_t w = 0; w < from.window_count; ++w) {
        v1::WindowEvent& window = *to.add_windows();
        window.set_cuts(from.window[w].cuts);
        window.mutable_value()->Add(from.window[w].value.begin(), from.window[w].value.begin() + from.feature_count);
    }
}

bool from_proto(const v1::Event& from, Event& to) {
    if (static_cast<std::size_t>(from.windows_size()) > kMaxWindows || from.feature_count() > kMaxFeatures ||
        from.detector() >= kMaxDetectors) {
        return false;
    }
    to = {};
    to.sequence = from.sequence();
    to.time_ps = from.time_ps();
    to.utc_ns = from.utc_ns();
    to.window_count = static_cast<std::uint8_t>(from.windows_size());
    to.feature_count = static_cast<std::uint8_t>(from.feature_count());
    to.flags = from.flags();
    to.baseline_median_adc = from.baseline_median_adc();
    to.baseline_mean_adc = from.baseline_mean_adc();
    to.baseline_sigma_adc = from.baseline_sigma_adc();
    to.spe_charge_adc = from.spe_charge_adc();
    to.tick = from.tick();
    to.since_tick_ps = from.since_tick_ps();
    to.detector = static_cast<std::uint16_t>(from.detector());
    for (int w = 0; w < from.windows_size(); ++w) {
        const v1::WindowEvent& window = from.windows(w);
        if (static_cast<std::uint32_t>(window.value_size()) != from.feature_count()) return false;
        WindowEvent& into = to.window[static_cast<std::size_t>(w)];
        std::copy(window.value().begin(), window.value().end(), into.value.begin());
        into.cuts = window.cuts();
    }
    return enum_from(from.trigger_class(), v1::TriggerClass_IsValid, to.trigger_class);
}

// ---- beam, dead time, calibration

void to_proto(std::span<const BeamResolution> from, v1::Beam& to) {
    to.Clear();
    for (const BeamResolution& resolution : from) {
        v1::BeamResolution& r = *to.add_resolutions();
        r.set_sequence(resolution.sequence);
        r.set_power_w(resolution.power_w);
        r.set_state(static_cast<v1::BeamState>(resolution.state));
    }
}

bool from_proto(const v1::Beam& from, std::vector<BeamResolution>& to) {
    to.clear();
    bool good = true;
    for (const v1::BeamResolution& r : from.resolutions()) {
        BeamResolution& resolution = to.emplace_back(BeamResolution{r.sequence(), r.power_w(), BeamState::unknown});
        good = enum_from(r.state(), v1::BeamState_IsValid, resolution.state) && good;
    }
    return good;
}

void to_proto(std::span<const TickRecord> from, v1::Ticks& to) {
    to.Clear();
    for (const TickRecord& tick : from) {
        v1::TickRecord& t = *to.add_ticks();
        t.set_tick(tick.tick);
        t.set_time_ps(tick.time_ps);
        t.set_utc_ns(tick.utc_ns);
        t.set_flags(tick.flags);
        t.set_power_w(tick.power_w);
        t.set_state(static_cast<v1::BeamState>(tick.state));
    }
}

bool from_proto(const v1::Ticks& from, std::vector<TickRecord>& to) {
    to.clear();
    bool good = true;
    for (const v1::TickRecord& t : from.ticks()) {
        TickRecord& tick = to.emplace_back(
            TickRecord{t.tick(), t.time_ps(), t.utc_ns(), t.flags(), t.power_w(), BeamState::unknown, {}});
        good = enum_from(t.state(), v1::BeamState_IsValid, tick.state) && good;
    }
    return good;
}

void to_proto(const DeadTime& from, v1::DeadTime& to) {
    to.set_first_sequence(from.first_sequence);
    to.set_last_sequence(from.last_sequence);
    to.set_begin_ps(from.begin_ps);
    to.set_end_ps(from.end_ps);
    to.set_reason(static_cast<v1::RefusalReason>(from.reason));
}

bool from_proto(const v1::DeadTime& from, DeadTime& to) {
    to = {};
    to.first_sequence = from.first_sequence();
    to.last_sequence = from.last_sequence();
    to.begin_ps = from.begin_ps();
    to.end_ps = from.end_ps();
    to.reason = static_cast<std::uint8_t>(from.reason());
    return v1::RefusalReason_IsValid(from.reason()) && to.first_sequence <= to.last_sequence &&
           to.begin_ps <= to.end_ps;
}

void to_proto(const Calibration& from, v1::Calibration& to) {
    to.set_from_sequence(from.from_sequence);
    to.set_spe_charge_adc(from.spe_charge_adc);
    to.set_spe_charge_error_adc(from.spe_charge_error_adc);
    to.set_fit_quality(from.fit_quality);
    to.set_block(from.block);
    to.set_peaks(from.peaks);
    to.set_origin(static_cast<v1::CalibrationOrigin>(from.origin));
    to.set_detector(from.detector);
}

bool from_proto(const v1::Calibration& from, Calibration& to) {
    to = {from.from_sequence(), from.spe_charge_adc(), from.spe_charge_error_adc(),   from.fit_quality(),
          from.block(),         from.peaks(),          CalibrationOrigin::configured, from.detector()};
    return from.detector() < kMaxDetectors && enum_from(from.origin(), v1::CalibrationOrigin_IsValid, to.origin);
}

// ---- waveform

void to_proto(const Waveform& from, v1::Waveform& to) {
    to.Clear();
    to.set_sequence(from.sequence);
    to.set_utc_ns(from.utc_ns);
    to.set_baseline_median_adc(from.baseline_median_adc);
    for (const WaveformChannel& channel : from.channels) {
        v1::WaveformChannel& c = *to.add_channels();
        c.set_board(valid_utf8(channel.board));
        c.set_channel(valid_utf8(channel.channel));
        c.set_sample_period_ps(channel.sample_period_ps);
        c.mutable_codes()->Add(channel.codes.begin(), channel.codes.end());
    }
    for (const WaveformPeak& peak : from.peaks) {
        v1::WaveformPeak& p = *to.add_peaks();
        p.set_begin(peak.begin);
        p.set_end(peak.end);
    }
}

bool from_proto(const v1::Waveform& from, Waveform& to) {
    if (static_cast<std::size_t>(from.channels_size()) > kMaxBoards * kMaxChannels) return false;
    to = {};
    to.sequence = from.sequence();
    to.utc_ns = from.utc_ns();
    to.baseline_median_adc = from.baseline_median_adc();
    std::int32_t longest = 0;
    for (const v1::WaveformChannel& c : from.channels()) {
        if (c.codes_size() > kMaxWaveformSamples || c.sample_period_ps() < 0) return false;
        longest = std::max(longest, c.codes_size());
        to.channels.push_back({c.board(), c.channel(), c.sample_period_ps(), {c.codes().begin(), c.codes().end()}});
    }
    for (const v1::WaveformPeak& p : from.peaks()) {
        if (p.begin() < 0 || p.end() < p.begin() || p.end() > longest) return false;
        to.peaks.push_back({p.begin(), p.end()});
    }
    return true;
}

// ---- status, alarm

void to_proto(const WriterStatus& from, v1::WriterStatus& to) {
    to.set_connected(from.connected);
    to.set_durable_triggers(from.durable_triggers);
    to.set_unacknowledged_bytes(from.unacknowledged_bytes);
    to.set_file(valid_utf8(from.file));
    to.set_file_bytes(from.file_bytes);
    to.set_disk_free_bytes(from.disk_free_bytes);
    to.set_problem(valid_utf8(from.problem));
    to.set_state(static_cast<v1::WriterState>(from.state));
    to.set_disk_stop_bytes(from.disk_stop_bytes);
    to.set_journal_bytes(from.journal_bytes);
}

bool from_proto(const v1::WriterStatus& from, WriterStatus& to) {
    to = {.connected = from.connected(),
          .state = WriterState::writing,
          .durable_triggers = from.durable_triggers(),
          .unacknowledged_bytes = from.unacknowledged_bytes(),
          .file = from.file(),
          .file_bytes = from.file_bytes(),
          .disk_free_bytes = from.disk_free_bytes(),
          .disk_stop_bytes = from.disk_stop_bytes(),
          .journal_bytes = from.journal_bytes(),
          .problem = from.problem()};
    return enum_from(from.state(), v1::WriterState_IsValid, to.state);
}

namespace {

void to_proto(const BoardStatus& from, v1::BoardStatus& to) {
    to.set_name(valid_utf8(from.name));
    if (from.missing_s) to.set_missing_s(*from.missing_s);
    if (from.clock_offset_ns) to.set_clock_offset_ns(*from.clock_offset_ns);
    if (from.clock_drift_ppm) to.set_clock_drift_ppm(*from.clock_drift_ppm);
    to.set_last_record_utc_ns(from.last_record_utc_ns);
    for (const BoardReading& reading : from.readings) {
        v1::BoardReading& r = *to.add_readings();
        r.set_name(valid_utf8(reading.name));
        r.set_value(reading.value);
        r.set_unit(valid_utf8(reading.unit));
    }
}

BoardStatus board_status_from(const v1::BoardStatus& from) {
    BoardStatus board;
    board.name = from.name();
    if (from.has_missing_s()) board.missing_s = from.missing_s();
    if (from.has_clock_offset_ns()) board.clock_offset_ns = from.clock_offset_ns();
    if (from.has_clock_drift_ppm()) board.clock_drift_ppm = from.clock_drift_ppm();
    board.last_record_utc_ns = from.last_record_utc_ns();
    for (const v1::BoardReading& r : from.readings()) board.readings.push_back({r.name(), r.value(), r.unit()});
    return board;
}

}  // namespace

void to_proto(const Status& from, v1::Status& to) {
    to.Clear();
    to.set_run(from.run);
    to.set_state(static_cast<v1::RunState>(from.state));
    to.set_reason(valid_utf8(from.reason));
    to.set_utc_ns(from.utc_ns);
    to.set_run_start_utc_ns(from.run_start_utc_ns);
    to.set_last_trigger_utc_ns(from.last_trigger_utc_ns);
    to.set_trigger_rate_hz(from.trigger_rate_hz);
    to.set_bytes_per_second(from.bytes_per_second);
    to.set_live_fraction(from.live_fraction);
    to.set_beam_state(static_cast<v1::BeamState>(from.beam_state));
    to.set_beam_power_w(from.beam_power_w);
    to.set_beam_lag_s(from.beam_lag_s);
    v1::IndexCheck& check = *to.mutable_index_check();
    check.set_verdict(static_cast<v1::IndexVerdict>(from.index_check.verdict));
    check.set_configured(from.index_check.configured);
    check.set_best(from.index_check.best);
    check.set_evidence(from.index_check.evidence);
    check.set_ticks(from.index_check.ticks);
    to_proto(from.ledger, *to.mutable_ledger());
    for (const BufferStatus& buffer : from.buffers) {
        v1::BufferStatus& b = *to.add_buffers();
        b.set_name(valid_utf8(buffer.name));
        b.set_capacity_bytes(buffer.capacity_bytes);
        b.set_used_bytes(buffer.used_bytes);
        b.set_high_water_bytes(buffer.high_water_bytes);
        b.set_data_bytes_per_s(buffer.data_bytes_per_s);
    }
    for (const BoardStatus& board : from.boards) to_proto(board, *to.add_boards());
    to.set_in_hand(from.in_hand);
    to.set_backed_up(from.backed_up);
    to.set_dead_s(from.dead_s);
    if (from.gap) {
        v1::Gap& gap = *to.mutable_gap();
        gap.set_previous_run(from.gap->previous_run);
        gap.set_last_sequence(from.gap->last_sequence);
        gap.set_from_utc_ns(from.gap->from_utc_ns);
        gap.set_to_utc_ns(from.gap->to_utc_ns);
        gap.set_lost_estimated(from.gap->lost_estimated);
        gap.set_told_by_writer(from.gap->told_by_writer);
    }
    to.set_quality(from.quality);
    to.set_quality_reasons(valid_utf8(from.quality_reasons));
    if (from.last_note) {
        v1::OperatorNote& note = *to.mutable_last_note();
        note.set_utc_ns(from.last_note->utc_ns);
        note.set_kind(static_cast<v1::NoteKind>(from.last_note->kind));
        note.set_author(valid_utf8(from.last_note->author));
        note.set_text(valid_utf8(from.last_note->text));
    }
    to_proto(from.writer, *to.mutable_writer());
    for (const auto& [name, value] : from.counters) {
        v1::CounterValue& c = *to.add_counters();
        c.set_name(valid_utf8(name));
        c.set_value(value);
    }
}

bool from_proto(const v1::Status& from, Status& to) {
    if (static_cast<std::size_t>(from.boards_size()) > kMaxBoards) return false;
    to = {};
    to.run = from.run();
    to.reason = from.reason();
    to.utc_ns = from.utc_ns();
    to.run_start_utc_ns = from.run_start_utc_ns();
    to.last_trigger_utc_ns = from.last_trigger_utc_ns();
    to.trigger_rate_hz = from.trigger_rate_hz();
    to.bytes_per_second = from.bytes_per_second();
    to.live_fraction = from.live_fraction();
    to.beam_power_w = from.beam_power_w();
    to.beam_lag_s = from.beam_lag_s();
    const v1::IndexCheck& check = from.index_check();
    to.index_check = {IndexVerdict::none, check.configured(), check.best(), check.evidence(), check.ticks()};
    to.ledger = ledger_from(from.ledger());
    for (const v1::BufferStatus& b : from.buffers()) {
        to.buffers.push_back(
            {b.name(), b.capacity_bytes(), b.used_bytes(), b.high_water_bytes(), b.data_bytes_per_s()});
    }
    for (const v1::BoardStatus& board : from.boards()) to.boards.push_back(board_status_from(board));
    to.in_hand = from.in_hand();
    to.backed_up = from.backed_up();
    to.dead_s = from.dead_s();
    if (from.has_gap()) {
        const v1::Gap& gap = from.gap();
        to.gap = {gap.previous_run(), gap.last_sequence(),  gap.from_utc_ns(),
                  gap.to_utc_ns(),    gap.lost_estimated(), gap.told_by_writer()};
    }
    to.quality = from.quality();
    to.quality_reasons = from.quality_reasons();
    if (from.has_last_note()) {
        const v1::OperatorNote& note = from.last_note();
        to.last_note = {note.utc_ns(), NoteKind::comment, note.author(), note.text()};
        if (!enum_from(note.kind(), v1::NoteKind_IsValid, to.last_note->kind)) return false;
    }
    for (const v1::CounterValue& c : from.counters()) to.counters.emplace_back(c.name(), c.value());
    return from_proto(from.writer(), to.writer) && enum_from(from.state(), v1::RunState_IsValid, to.state) &&
           enum_from(from.beam_state(), v1::BeamState_IsValid, to.beam_state) &&
           enum_from(check.verdict(), v1::IndexVerdict_IsValid, to.index_check.verdict);
}

void to_proto(const Alarm& from, v1::Alarm& to) {
    to.set_name(valid_utf8(from.name));
    to.set_level(static_cast<v1::AlarmLevel>(from.level));
    to.set_active(from.active);
    to.set_utc_ns(from.utc_ns);
    to.set_text(valid_utf8(from.text));
}

bool from_proto(const v1::Alarm& from, Alarm& to) {
    to = {from.name(), AlarmLevel::info, from.active(), from.utc_ns(), from.text()};
    return enum_from(from.level(), v1::AlarmLevel_IsValid, to.level);
}

}  // namespace alleycat::wire
