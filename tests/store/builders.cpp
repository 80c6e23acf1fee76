#include "builders.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace alleycat::testing {

RunDescription make_run(std::uint64_t run) {
    RunDescription r;
    r.run = run;
    r.profile = "csi";
    r.software = "alleycat test";
    r.revision = "abc123";
    r.compiler = "GCC 12.2.0";
    r.test_run = true;
    r.host = "somewhere";
    r.start_utc_ns = 1'443'787'200'000'000'000;  // 2015-10-02T12:00:00Z
    r.config_name = "station.toml";
    r.config_text = "[station]\nprofile = \"csi\"  # mu: \xC2\xB5\n";
    BoardInfo digitizer;
    digitizer.name = "digitizer";
    digitizer.source = "simulator";
    digitizer.model = "PCI-5153";
    digitizer.serial = "A1";
    digitizer.sample_type = SampleType::int8;
    digitizer.sample_period_ps = 2000;
    digitizer.samples = kSamples;
    digitizer.clock_period_ps = 8000;
    digitizer.channels = {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}};
    BoardInfo panels;
    panels.name = "panels";
    panels.source = "simulator";
    panels.sample_type = SampleType::uint16;
    panels.sample_period_ps = 4000;
    panels.samples = 0;
    panels.clock_period_ps = 8000;
    panels.channels = {{"north", false, "plain"}, {"south", false, "plain"}, {"top", false, "plain"}};
    r.boards = {digitizer, panels};
    r.signal = {0, 0, true};
    r.veto = {0, 1, true};
    r.windows = {{"anticoincident", WindowRole::anticoincident, 0, 10, 20, 5},
                 {"coincident", WindowRole::coincident, 10, 20, 40, 5}};
    r.features = core_features();
    r.features.push_back({"late_peaks", "", FeatureType::u32, "peaks in the tail"});
    r.cuts = {
        {"no_peak", "roi_peaks >= 1"}, {"does_not_fit", "arrival_sample >= 0"}, {"pretrace", "pretrace_peaks <= 3"}};
    return r;
}

Event make_event(const RunDescription& run, std::uint64_t sequence) {
    Event e;
    e.sequence = sequence;
    e.time_ps = static_cast<std::int64_t>(sequence) * kSecondPs;
    e.utc_ns = run.start_utc_ns + static_cast<std::int64_t>(sequence) * 1'000'000'000;
    e.flags = sequence % 5 == 0 ? trigger_flag::muon_veto : 0;
    e.window_count = 2;
    e.feature_count = static_cast<std::uint8_t>(run.features.size());
    e.baseline_median_adc = 95;
    e.baseline_mean_adc = 95.25;
    e.baseline_sigma_adc = 1.5;
    e.spe_charge_adc = 70;
    for (std::size_t w = 0; w < 2; ++w) {
        WindowEvent& window = e.window[w];
        window.set(Feature::pretrace_peaks, 1);
        window.set(Feature::roi_peaks, 2);
        window.set(Feature::arrival_sample, w == 0 ? -1 : 25);
        window.set(Feature::arrival_ns, w == 0 ? std::numeric_limits<double>::quiet_NaN() : 1000);
        window.set(Feature::charge_pe, static_cast<double>(sequence) - (w == 0 ? 1000 : 0));
        window.set(Feature::charge_adc, 70 * window[Feature::charge_pe]);
        window.value[kCoreFeatures] = 4;
        window.cuts = sequence % 3 == 0 ? 1u << 2 : 0;
    }
    return e;
}

OwnedRecord digitizer_record(std::uint64_t sequence, std::uint16_t channels) {
    OwnedRecord r;
    r.header.board = 0;
    r.header.counter = sequence + 100;
    r.header.clock = sequence * 2000;
    r.header.time_ps = static_cast<std::int64_t>(sequence) * kSecondPs + 7;
    r.header.samples_per_channel = kSamples;
    r.header.channels = channels;
    r.header.channel_mask = channels == 2 ? 3 : 1;
    r.header.flags = channels == 2 ? 0 : record_flag::missing_channel;
    r.header.sample_type = SampleType::int8;
    r.payload.resize(payload_bytes(r.header) / 8 + 4);
    auto* codes = reinterpret_cast<std::int8_t*>(r.payload.data());
    for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t k = 0; k < kSamples; ++k)
            codes[c * kSamples + k] = static_cast<std::int8_t>((sequence + c + k) % 100);
    }
    return r;
}

OwnedRecord panels_record(std::uint64_t sequence) {
    OwnedRecord r;
    r.header.board = 1;
    r.header.counter = sequence;
    r.header.samples_per_channel = static_cast<std::uint32_t>(sequence % 7);
    r.header.channels = 2;
    r.header.channel_mask = 0b101;  // north and top
    r.header.sample_type = SampleType::uint16;
    r.payload.resize(payload_bytes(r.header) / 8 + 4);
    auto* codes = reinterpret_cast<std::uint16_t*>(r.payload.data());
    for (std::size_t k = 0; k < 2 * r.header.samples_per_channel; ++k)
        codes[k] = static_cast<std::uint16_t>(40000 + sequence + k);
    return r;
}

RunFrames::Frame RunFrames::start() { return encode_run_start(run_, ordinal_++); }

RunFrames::Frame RunFrames::trigger_of(const Event& event, const std::vector<RecordView>& records) {
    Trigger trigger;
    trigger.sequence = event.sequence;
    trigger.missing_boards = (std::uint64_t{1} << run_.boards.size()) - 1;
    for (const RecordView& record : records) {
        trigger.add(record);
        trigger.missing_boards &= ~(std::uint64_t{1} << record.header().board);
    }
    Frame frame(trigger_frame_bytes(trigger, event));
    const std::size_t n = encode_trigger(frame, run_.run, ordinal_++, trigger, event);
    REQUIRE(n > 0);
    frame.resize(n);
    return frame;
}

RunFrames::Frame RunFrames::trigger(std::uint64_t sequence) {
    const OwnedRecord digitizer = digitizer_record(sequence), panels = panels_record(sequence);
    std::vector<RecordView> records{digitizer.view()};
    if (sequence % 2 == 1) records.push_back(panels.view());
    return trigger_of(make_event(run_, sequence), records);
}

RunFrames::Frame RunFrames::trigger_without_veto(std::uint64_t sequence) {
    const OwnedRecord digitizer = digitizer_record(sequence, 1);
    return trigger_of(make_event(run_, sequence), {digitizer.view()});
}

RunFrames::Frame RunFrames::trigger_with_truth(std::uint64_t sequence) {
    OwnedRecord r = digitizer_record(sequence);
    const std::size_t samples = payload_bytes(r.header);
    r.header.truth_count = 1;
    r.payload.resize(payload_bytes(r.header) / 8 + 4);
    const TruthPulse pulse{10.f, static_cast<std::uint32_t>(sequence), TruthKind::cevns_prompt, {}};
    std::memcpy(reinterpret_cast<std::byte*>(r.payload.data()) + samples, &pulse, sizeof pulse);
    return trigger_of(make_event(run_, sequence), {r.view()});
}

RunFrames::Frame RunFrames::beam_states(std::uint64_t first, std::uint64_t last, BeamState state, float power_w) {
    std::vector<BeamResolution> states;
    for (std::uint64_t s = first; s <= last; ++s) states.push_back({s, power_w, state});
    return encode_beam_states(run_.run, ordinal_++, states);
}
RunFrames::Frame RunFrames::beam_frames(std::vector<BeamFrame> frames) {
    return encode_beam_frames(run_.run, ordinal_++, frames);
}
RunFrames::Frame RunFrames::dead_time(std::uint64_t first, std::uint64_t last) {
    DeadTime d;
    d.first_sequence = first;
    d.last_sequence = last;
    d.begin_ps = static_cast<std::int64_t>(first) * kSecondPs;
    d.end_ps = static_cast<std::int64_t>(last + 1) * kSecondPs;
    d.reason = static_cast<std::uint8_t>(RefusalReason::buffer_full);
    return encode_dead_time(run_.run, ordinal_++, d);
}
RunFrames::Frame RunFrames::calibration(std::uint64_t from_sequence, double spe_charge_adc) {
    return encode_calibration(run_.run, ordinal_++, {from_sequence, spe_charge_adc, 0.5, 1.1});
}
RunFrames::Frame RunFrames::counters(std::uint64_t sequence, CounterValues values) {
    CounterSample c;
    c.utc_ns = run_.start_utc_ns + static_cast<std::int64_t>(sequence);
    c.sequence = sequence;
    c.counters = std::move(values);
    return encode_counters(run_.run, ordinal_++, c);
}
RunFrames::Frame RunFrames::note(NoteKind kind, std::string author, std::string text) {
    const std::int64_t utc_ns = run_.start_utc_ns + static_cast<std::int64_t>(ordinal_) * 1'000'000'000;
    return encode_note(run_.run, ordinal_++, {utc_ns, kind, std::move(author), std::move(text)});
}
RunFrames::Frame RunFrames::readings(std::vector<ReadingSample> readings) {
    return encode_readings(run_.run, ordinal_++, readings);
}
RunFrames::Frame RunFrames::gap(const Gap& gap) { return encode_gap(run_.run, ordinal_++, gap); }

RunFrames::Frame RunFrames::end(std::uint64_t triggers, std::uint64_t refused, std::uint64_t lost_estimated) {
    RunEnd e;
    e.utc_ns = run_.start_utc_ns + 1;
    e.reason = "stopped";
    e.ledger.ticks_expected = e.ledger.ticks_seen = e.ledger.triggers = triggers;
    e.ledger.recorded = triggers - refused;
    e.ledger.refused = refused;
    e.ledger.lost_estimated = lost_estimated;
    return encode_run_end(run_.run, ordinal_++, e);
}

FrameView view(const std::vector<std::byte>& bytes) {
    FrameView frame;
    REQUIRE(read_frame(bytes, frame) == FrameError::none);
    return frame;
}

std::string run_python(const std::string& script, const std::vector<std::string>& args, int& status) {
    const TemporaryFolder folder;
    const std::filesystem::path file = folder / "script.py";
    std::ofstream{file} << script;
    std::string command = "/usr/bin/python3 " + file.string();
    for (const std::string& arg : args) command += " '" + arg + "'";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    std::array<char, 4096> block{};
    for (std::size_t n = 0; (n = std::fread(block.data(), 1, block.size(), pipe)) > 0;) output.append(block.data(), n);
    const int ended = ::pclose(pipe);
    status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    return output;
}

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

void put_byte(const std::filesystem::path& path, std::size_t at, char byte) {
    std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
}

}  // namespace alleycat::testing
