// Frames: what is written comes back, and nothing else is taken for a frame.

#include "daq/core/frame.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/error.hpp"

using namespace alleycat;

namespace {

using Bytes = std::vector<std::byte>;
constexpr std::size_t kBody = sizeof(FrameHeader);

/// A trigger of two boards with everything a record may have. The records' memory is 8-byte aligned, as in a ring.
class TestTrigger {
  public:
    TestTrigger() {
        RecordHeader& csi = header_[0];
        csi.counter = 41;
        csi.clock = 0xFFFF'FFF0;
        csi.time_ps = 16'666'000'000;
        csi.utc_ns = 1'443'787'200'250'000'000;
        csi.channel_mask = 0b11;
        csi.samples_per_channel = 101;  // 202 bytes: two of padding before the truth
        csi.flags = record_flag::unexpected_length;
        csi.board = 0;
        csi.channels = 2;
        csi.truth_count = 2;
        RecordHeader& nube = header_[1];
        nube.counter = 17;
        nube.samples_per_channel = 30;
        nube.channel_mask = 0b100;
        nube.board = 3;
        nube.channels = 1;
        nube.sample_type = SampleType::uint16;
        nube.trigger_class = TriggerClass::strobe;
        for (std::size_t i = 0; i < 2; ++i) {
            memory_[i].resize(payload_bytes(header_[i]));
            for (std::size_t b = 0; b < memory_[i].size(); ++b) memory_[i][b] = static_cast<std::byte>(b * 13 + i);
        }
        const std::array<TruthPulse, 2> truth{TruthPulse{54'950.5F, 17, TruthKind::cevns_prompt},
                                              TruthPulse{100.0F, 1, TruthKind::muon_veto}};
        std::fill_n(memory_[0].end() - 26, 2, std::byte{0});
        std::memcpy(memory_[0].data() + memory_[0].size() - sizeof truth, truth.data(), sizeof truth);

        event.sequence = 7;
        event.time_ps = 16'666'000'000;
        event.utc_ns = 1'443'787'200'250'000'000;
        event.trigger_class = TriggerClass::beam_tick;
        event.window_count = 2;
        event.feature_count = 16;
        event.flags = trigger_flag::muon_veto;
        event.baseline_median_adc = 91;
        event.spe_charge_adc = 70.5;  // the baseline's mean and sigma stay NaN
        for (std::size_t w = 0; w < 2; ++w) {
            for (std::size_t f = 0; f < 16; ++f) event.window[w].value[f] = static_cast<double>(100 * w + f) + 0.25;
        }
        event.window[1].set(Feature::arrival_ns, std::numeric_limits<double>::quiet_NaN());
        event.window[1].cuts = 0b101;

        trigger.sequence = event.sequence;
        trigger.time_ps = event.time_ps;
        trigger.utc_ns = event.utc_ns;
        trigger.missing_boards = 0b110;
        for (std::size_t i = 0; i < 2; ++i) trigger.add({header_[i], memory_[i]});
    }
    TestTrigger(const TestTrigger&) = delete;
    TestTrigger& operator=(const TestTrigger&) = delete;

    [[nodiscard]] Bytes frame(std::uint64_t run = 12, std::uint64_t ordinal = 345) const {
        Bytes space(trigger_frame_bytes(trigger, event));
        space.resize(encode_trigger(space, run, ordinal, trigger, event));
        REQUIRE_FALSE(space.empty());
        return space;
    }

    Event event;
    Trigger trigger;

  private:
    std::array<RecordHeader, 2> header_{};
    std::array<Bytes, 2> memory_;
};

RunDescription test_run() {
    RunDescription run;
    run.run = 12;
    run.profile = "csi";
    run.software = "alleycat 0.1.0";
    run.host = "neutrino-alley";
    run.start_utc_ns = 1'443'787'200'000'000'000;
    run.config_name = "csi.toml";
    run.config_text = "[station]\nprofile = \"csi\"\n# \xc2\xb5s\n";
    run.rate_boost = 300;
    run.boards = {
        {"pci5153",
         "simulator",
         "PCI-5153",
         "A1",
         "1.2",
         SampleType::int8,
         2000,
         35'000,
         10'000,
         false,
         {{"csi", true, "pci5153_signal"}, {"veto", true, "pci5153_veto"}}},
        {"nube", "simulator", "", "", "", SampleType::uint16, 4000, 0, 8'000, true, {{"cell", false, "plain"}}}};
    run.signal = {0, 0, true};
    run.veto = {0, 1, true};
    run.detectors = {"upper", "lower"};
    run.windows = {{"coincident", WindowRole::coincident, 7'675, 27'475, 35'000, 1'500},
                   {"anticoincident", WindowRole::anticoincident, 150, 19'950, 27'475, 1'500}};
    run.features = core_features();
    run.cuts = {{"no_peak", "roi_peaks >= 1"}, {"does_not_fit", "the integration window fits"}};
    run.box = {6, 30, 0, 6000};
    run.test_run = true;
    run.revision = "a58ad2d";
    run.compiler = "GCC 12.2.0";
    return run;
}

Ledger test_ledger() { return {true, 100, 99, 1, 99, 90, 9, 4}; }

std::vector<TickRecord> test_ticks() {
    return {{.tick = 41,
             .time_ps = -5,
             .utc_ns = 77,
             .flags = trigger_flag::after_missing_tick,
             .power_w = 1.4e6F,
             .state = BeamState::on},
            {.tick = 42, .time_ps = 16'666'200'000, .state = BeamState::no_beam_cycle},
            {}};
}

OperatorNote test_note() { return {1'443'787'300'000'000'000, NoteKind::tainted, "ann", "cart below 2 m: \xc2\xb5"}; }

std::vector<ReadingSample> test_readings() {
    return {{1'443'787'300'000'000'000, 1, {"temperature_core", 41.5, "degC"}}, {-1, 0, {"busy", 0.003, ""}}};
}

/// One valid frame of every kind.
std::vector<Bytes> one_of_each() {
    const std::vector<BeamFrame> beam{
        {.utc_ns = 5, .tick = 6, .power_w = 1.4e6F, .charge_pc = 2.3e7F, .cycle = 599, .veto = 0xFFF, .flavor = 2},
        {.utc_ns = -1}};
    const std::vector<BeamResolution> states{
        {1, 1.4e6F, BeamState::on}, {2, -1, BeamState::unknown}, {3, 0, BeamState::no_beam_cycle}};
    return {encode_run_start(test_run(), 0),
            TestTrigger{}.frame(),
            encode_beam_frames(12, 1, beam),
            encode_beam_states(12, 2, states),
            encode_dead_time(12, 3, {5, 9, 10, 20, static_cast<std::uint8_t>(RefusalReason::buffer_full)}),
            encode_calibration(12, 4, {1000, 70.5, 0.3, 1.1, 7, 90'000, CalibrationOrigin::kept, 1}),
            encode_counters(12, 5, {77, 8, test_ledger(), {{"readout.pci5153.refused", 9}, {"", 0}}}),
            encode_run_end(12, 6, {99, false, "disk full", test_ledger()}),
            encode_ticks(12, 7, test_ticks()),
            encode_gap(12, 8, {4, 1201, 1'000, 2'500'000'000, 150, true}),
            encode_note(12, 9, test_note()),
            encode_readings(12, 10, test_readings())};
}

FrameView read(const Bytes& bytes) {
    FrameView view;
    REQUIRE(read_frame(bytes, view) == FrameError::none);
    return view;
}

/// The frame with its checksum made right again after its bytes were changed.
Bytes resealed(Bytes frame) {
    FrameHeader header;
    std::memcpy(&header, frame.data(), sizeof header);
    header.crc = 0;
    std::memcpy(frame.data(), &header, sizeof header);
    header.crc = crc32(frame);
    std::memcpy(frame.data(), &header, sizeof header);
    return frame;
}

template <class T>
Bytes with(Bytes frame, std::size_t offset, T value) {
    REQUIRE(offset + sizeof value <= frame.size());
    std::memcpy(frame.data() + offset, &value, sizeof value);
    return resealed(std::move(frame));
}

/// Where `text` stands in the frame.
std::size_t find(const Bytes& frame, std::string_view text) {
    const std::string_view all{reinterpret_cast<const char*>(frame.data()), frame.size()};
    const std::size_t at = all.find(text);
    REQUIRE(at != std::string_view::npos);
    REQUIRE(all.find(text, at + 1) == std::string_view::npos);
    return at;
}

/// Decodes as every kind, and touches all that was decoded, so that AddressSanitizer sees a view that leads astray.
/// Returns how many kinds took it.
int decode_as_anything(const FrameView& view, std::uint64_t& touched) {
    const auto touch = [&](std::span<const std::byte> bytes) {
        for (const std::byte b : bytes) touched += std::to_integer<std::uint64_t>(b);
    };
    int taken = 0;
    TriggerFrame t;
    if (decode_trigger(view, t)) {
        ++taken;
        for (const RecordView& record : t.trigger.records()) {
            touch(record.sample_bytes());
            with_sample_type(record.header().sample_type, [&]<class Sample>(Sample) {
                for (std::size_t c = 0; c < record.header().channels; ++c)
                    touch(std::as_bytes(record.channel<Sample>(c)));
            });
            for (const TruthPulse& pulse : record.truth())
                touched += kTruthKindNames.at(static_cast<std::size_t>(pulse.kind)).size();
            touched += kTriggerClassNames.at(static_cast<std::size_t>(record.header().trigger_class)).size();
        }
        for (std::size_t w = 0; w < t.event.window_count; ++w) {
            touch(std::as_bytes(std::span{t.event.window.at(w).value}.first(t.event.feature_count)));
        }
    }
    if (const auto run = decode_run_start(view)) {
        ++taken;
        for (const BoardInfo& board : run->boards) {
            touched += board.name.size() + board.channels.size() + to_text(board.sample_type).size();
        }
        for (const ChannelRef& ref : {run->signal, run->veto}) {
            if (ref.present) touched += run->boards.at(ref.board).channels.at(ref.channel).name.size();
        }
        touched += run->windows.size() + run->features.size() + run->cuts.size() + run->config_text.size();
    }
    if (const auto frames = decode_beam_frames(view)) {
        ++taken;
        touch(std::as_bytes(std::span{*frames}));
    }
    if (const auto states = decode_beam_states(view)) {
        ++taken;
        for (const BeamResolution& s : *states) touched += to_text(s.state).size();
    }
    if (const auto d = decode_dead_time(view)) {
        ++taken;
        touched += kRefusalReasonNames.at(d->reason).size();
    }
    if (decode_calibration(view)) ++taken;
    if (decode_ticks(view)) ++taken;
    if (const auto c = decode_counters(view)) {
        ++taken;
        for (const auto& [name, value] : c->counters) touched += name.size() + value;
    }
    if (const auto end = decode_run_end(view)) {
        ++taken;
        touched += end->reason.size();
    }
    if (decode_gap(view)) ++taken;
    if (const auto note = decode_note(view)) {
        ++taken;
        touched += note->author.size() + note->text.size() + to_text(note->kind).size();
    }
    if (const auto readings = decode_readings(view)) {
        ++taken;
        for (const ReadingSample& r : *readings) touched += to_text(r.reading).size();
    }
    return taken;
}

struct Outcome {
    std::uint64_t taken = 0, refused = 0;
};

/// Damages a frame of every kind `times` times, makes its checksum right again and decodes what came out.
Outcome decode_damaged(std::uint64_t seed, int times) {
    Outcome outcome;
    std::uint64_t touched = 0;
    const std::vector<Bytes> frames = one_of_each();
    for (std::size_t kind = 0; kind < frames.size(); ++kind) {
        std::mt19937_64 random{seed + kind};
        for (int i = 0; i < times; ++i) {
            Bytes frame = frames[kind];
            for (std::uint64_t changes = random() % 4; changes != ~std::uint64_t{0}; --changes) {
                const std::size_t at = kBody + random() % (frame.size() - kBody);
                switch (random() % 3) {
                    case 0: frame[at] = static_cast<std::byte>(random()); break;
                    case 1: frame[at] ^= static_cast<std::byte>(1U << random() % 8); break;
                    default: {
                        constexpr std::array<std::uint32_t, 8> kLengths{
                            0, 1, 2, 17, 0x7FFF'FFFF, 0x8000'0000, 0xFFFF'FFF8, 0xFFFF'FFFF};
                        const std::uint32_t length = kLengths[random() % kLengths.size()];
                        std::memcpy(frame.data() + at, &length, std::min(sizeof length, frame.size() - at));
                    }
                }
            }
            if (random() % 4 == 0) {  // a body that ends early
                const auto body = static_cast<std::uint32_t>(random() % (frame.size() - kBody));
                frame.resize(frame_bytes(body));
                std::memcpy(frame.data() + offsetof(FrameHeader, body_bytes), &body, sizeof body);
            }
            frame.shrink_to_fit();
            frame = resealed(std::move(frame));
            FrameView view;
            if (read_frame(frame, view) != FrameError::none) FAIL("the test did not seal its frame");
            (decode_as_anything(view, touched) == 0 ? outcome.refused : outcome.taken) += 1;
        }
    }
    return outcome;
}

}  // namespace

TEST_CASE("the checksum is the CRC-32 of zlib", "[core][unit]") {
    // python3 -c "import zlib; print(hex(zlib.crc32(b'...')))"
    const auto crc = [](std::string_view text) { return crc32(std::as_bytes(std::span{text})); };
    REQUIRE(crc("") == 0);
    REQUIRE(crc("123456789") == 0xcbf43926);
    REQUIRE(crc("Neutrino Alley") == 0x63e5d1fb);
    std::string thousand;
    for (int i = 0; i < 1000; ++i) thousand.push_back(static_cast<char>(i * 7 & 255));
    REQUIRE(crc(thousand) == 0x114ad5ff);
    const std::string_view text{"123456789"};
    REQUIRE(crc32(std::as_bytes(std::span{text}.subspan(4)), crc(text.substr(0, 4))) == 0xcbf43926);  // in pieces
}

TEST_CASE("a frame's header stands where the format says", "[core][unit]") {
    const Bytes frame = encode_calibration(0x1122334455667788, 3, {1, 2, 3, 4});
    REQUIRE(frame.size() == 32 + 56);
    REQUIRE(std::memcmp(frame.data(), "ALYF", 4) == 0);
    const std::array<std::uint8_t, 8> kind_version_size{5, 0, 5, 0, 56, 0, 0, 0};
    REQUIRE(std::memcmp(frame.data() + 4, kind_version_size.data(), 8) == 0);
    const std::array<std::uint8_t, 16> run_ordinal{0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 3};
    REQUIRE(std::memcmp(frame.data() + 16, run_ordinal.data(), 16) == 0);
    Bytes without_crc = frame;
    std::fill_n(without_crc.begin() + 12, 4, std::byte{0});
    REQUIRE(read(frame).header.crc == crc32(without_crc));
}

TEST_CASE("a trigger comes back with its event, its records, their samples and their truth", "[core][unit]") {
    const TestTrigger original;
    const Bytes bytes = original.frame();
    const FrameView view = read(bytes);
    REQUIRE(view.header.kind == FrameKind::trigger);
    REQUIRE(view.header.run == 12);
    REQUIRE(view.header.ordinal == 345);
    REQUIRE(view.bytes.size() == bytes.size());
    TriggerFrame back;
    REQUIRE(decode_trigger(view, back));
    REQUIRE(identical(back.event, original.event));
    REQUIRE(back.event.utc_ns == original.event.utc_ns);
    REQUIRE(back.trigger.sequence == 7);
    REQUIRE(back.trigger.time_ps == 16'666'000'000);
    REQUIRE(back.trigger.missing_boards == 0b110);
    REQUIRE(back.trigger.record_count == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        const RecordView& was = original.trigger.record[i];
        const RecordView& is = back.trigger.record[i];
        REQUIRE(is.header() == was.header());
        REQUIRE(std::ranges::equal(is.payload(), was.payload()));
        REQUIRE(reinterpret_cast<std::uintptr_t>(is.payload().data()) % 8 == 0);
    }
    REQUIRE(back.trigger.record[0].truth().size() == 2);
    REQUIRE(back.trigger.record[0].truth()[0] == TruthPulse{54'950.5F, 17, TruthKind::cevns_prompt});
    REQUIRE(back.trigger.of_board(3) == &back.trigger.record[1]);
    REQUIRE(back.trigger.of_board(1) == nullptr);
}

TEST_CASE("a trigger without records and windows comes back, and leaves nothing of the one before", "[core][unit]") {
    TriggerFrame back;
    const Bytes full = TestTrigger{}.frame();
    REQUIRE(decode_trigger(read(full), back));
    Trigger trigger;
    trigger.missing_boards = 1;
    const Event event;
    Bytes space(trigger_frame_bytes(trigger, event));
    space.resize(encode_trigger(space, 1, 2, trigger, event));
    REQUIRE(decode_trigger(read(space), back));
    REQUIRE(back.trigger.records().empty());
    REQUIRE(back.event.window_count == 0);
    REQUIRE(back.event.window[1].cuts == 0);
    REQUIRE(back.event.window[1][Feature::charge_adc] == 0);
}

TEST_CASE("a trigger that does not fit its space is not written", "[core][unit]") {
    const TestTrigger original;
    const std::size_t size = original.frame().size();
    for (const std::size_t less :
         {size - 1, size - 8, std::size_t{200}, std::size_t{32}, std::size_t{31}, std::size_t{0}}) {
        Bytes space(less);
        REQUIRE(encode_trigger(space, 1, 2, original.trigger, original.event) == 0);
    }
    Bytes exact(size);
    REQUIRE(encode_trigger(exact, 12, 345, original.trigger, original.event) == size);
    REQUIRE(exact == original.frame());
}

TEST_CASE("every other kind comes back as it was written", "[core][unit]") {
    const std::vector<Bytes> frames = one_of_each();
    for (std::size_t kind = 0; kind < frames.size(); ++kind) {
        REQUIRE(frames[kind].size() % 8 == 0);
        REQUIRE(static_cast<std::size_t>(read(frames[kind]).header.kind) == kind);
    }
    REQUIRE(decode_run_start(read(frames[0])) == test_run());
    const auto beam = decode_beam_frames(read(frames[2]));
    REQUIRE(beam);
    REQUIRE(beam->size() == 2);
    REQUIRE(
        (*beam)[0] ==
        BeamFrame{
            .utc_ns = 5, .tick = 6, .power_w = 1.4e6F, .charge_pc = 2.3e7F, .cycle = 599, .veto = 0xFFF, .flavor = 2});
    REQUIRE((*beam)[1] == BeamFrame{.utc_ns = -1});
    REQUIRE(decode_beam_states(read(frames[3])) == std::vector<BeamResolution>{{1, 1.4e6F, BeamState::on},
                                                                               {2, -1, BeamState::unknown},
                                                                               {3, 0, BeamState::no_beam_cycle}});
    REQUIRE(decode_dead_time(read(frames[4])) == DeadTime{5, 9, 10, 20, 1});
    REQUIRE(decode_calibration(read(frames[5])) ==
            Calibration{1000, 70.5, 0.3, 1.1, 7, 90'000, CalibrationOrigin::kept, 1});
    REQUIRE(decode_counters(read(frames[6])) ==
            CounterSample{77, 8, test_ledger(), {{"readout.pci5153.refused", 9}, {"", 0}}});
    REQUIRE(decode_run_end(read(frames[7])) == RunEnd{99, false, "disk full", test_ledger()});
    REQUIRE(decode_ticks(read(frames[8])) == test_ticks());
    REQUIRE(decode_note(read(frames[10])) == test_note());
    REQUIRE(decode_readings(read(frames[11])) == test_readings());

    // In place the frame is the same, and fits the room that is asked for; a byte less does not do.
    Bytes room(ticks_frame_bytes(test_ticks().size()));
    REQUIRE(encode_ticks(room, 12, 7, test_ticks()) == frames[8].size());
    room.resize(frames[8].size());
    REQUIRE(room == frames[8]);
    room.pop_back();
    REQUIRE(encode_ticks(std::span{room}, 12, 7, test_ticks()) == 0);

    const Bytes none = encode_beam_frames(1, 2, {});
    REQUIRE(decode_beam_frames(read(none))->empty());
    RunDescription large = test_run();
    large.config_text.assign(100'000, '#');
    const Bytes large_frame = encode_run_start(large, 0);
    REQUIRE(decode_run_start(read(large_frame)) == large);
}

TEST_CASE("a frame is taken as its own kind only", "[core][hostile]") {
    std::uint64_t touched = 0;
    for (const Bytes& frame : one_of_each()) REQUIRE(decode_as_anything(read(frame), touched) == 1);
    // Bodies of the same size: 40 bytes are a DeadTime, and a list of texts or states is made to look like others.
    for (const Bytes& frame : one_of_each()) {
        for (std::uint16_t kind = 0; kind <= static_cast<std::uint16_t>(FrameKind::readings); ++kind) {
            const Bytes other = with(frame, offsetof(FrameHeader, kind), kind);
            REQUIRE(decode_as_anything(read(other), touched) <= 1);
        }
    }
    REQUIRE(touched > 0);
}

TEST_CASE("every change of a byte is refused", "[core][hostile]") {
    FrameView view;
    for (Bytes frame : one_of_each()) {
        for (std::size_t i = 0; i < frame.size(); ++i) {
            const std::byte right = frame[i];
            for (int bits = 1; bits < 256; bits = bits < 128 ? bits * 2 : bits + 127) {  // each bit alone, then all
                frame[i] = right ^ static_cast<std::byte>(bits);
                if (read_frame(frame, view) == FrameError::none)
                    FAIL("byte " << i << " changed by " << bits << " was taken");
            }
            frame[i] = right;
        }
        REQUIRE(read_frame(frame, view) == FrameError::none);
    }
}

TEST_CASE("every cut is refused as a cut", "[core][hostile]") {
    FrameView view;
    for (const Bytes& frame : one_of_each()) {
        for (std::size_t size = 0; size < frame.size(); ++size) {
            const Bytes cut(frame.begin(),
                            frame.begin() + static_cast<std::ptrdiff_t>(size));  // its own memory, for ASan
            if (read_frame(cut, view) != FrameError::cut_short)
                FAIL("a frame of " << frame.size() << " cut to " << size);
        }
    }
    REQUIRE(view.bytes.empty());  // unchanged by errors
}

TEST_CASE("bytes behind a frame do not belong to it", "[core][unit]") {
    Bytes two = encode_calibration(1, 0, {1, 2, 3, 4});
    const std::size_t first = two.size();
    const Bytes second = encode_run_end(1, 1, {5, true, "stopped", {}});
    two.insert(two.end(), second.begin(), second.end());
    const FrameView view = read(two);
    REQUIRE(view.bytes.size() == first);
    FrameView next;
    REQUIRE(read_frame(std::span{two}.subspan(first), next) == FrameError::none);
    REQUIRE(decode_run_end(next)->reason == "stopped");
}

TEST_CASE("a frame of version 1 is read: what it did not know has its default", "[core][unit]") {
    // Version 1 ended a calibration after its fit quality: 32 bytes.
    const Bytes now = encode_calibration(5, 3, {1000, 70.5, 0.3, 1.1});
    Bytes before(now.begin(), now.begin() + sizeof(FrameHeader) + 32);
    before = with(with(before, offsetof(FrameHeader, body_bytes), std::uint32_t{32}), offsetof(FrameHeader, version),
                  std::uint16_t{1});
    REQUIRE(decode_calibration(read(before)) == Calibration{.from_sequence = 1000,
                                                            .spe_charge_adc = 70.5,
                                                            .spe_charge_error_adc = 0.3,
                                                            .fit_quality = 1.1,
                                                            .origin = CalibrationOrigin::fitted});

    // It ended the fixed part of an event after the SPE charge: tick, time since it and detector (24 bytes) follow now.
    const TestTrigger original;
    const Bytes trigger = original.frame();
    Bytes old{trigger.begin(), trigger.begin() + kBody + 64};
    old.insert(old.end(), trigger.begin() + kBody + 88, trigger.end());
    FrameHeader header = read(trigger).header;
    old = with(with(old, offsetof(FrameHeader, body_bytes), header.body_bytes - 24), offsetof(FrameHeader, version),
               std::uint16_t{1});
    TriggerFrame into;
    REQUIRE(decode_trigger(read(old), into));
    REQUIRE(into.event.sequence == original.event.sequence);
    REQUIRE(into.event.tick == 0);
    REQUIRE(into.event.window[1].cuts == original.event.window[1].cuts);
    REQUIRE(into.trigger.record_count == original.trigger.record_count);
}

TEST_CASE("a run of version 2 is read: it was no test, and nobody noted what it was built from", "[core][unit]") {
    RunDescription run = test_run();
    const Bytes now = encode_run_start(run, 0);
    const std::size_t more =
        1 + (4 + run.revision.size()) + (4 + run.compiler.size()) + (4 + run.boards[0].firmware.size()) + 4;
    const std::uint32_t body = read(now).header.body_bytes - static_cast<std::uint32_t>(more);
    Bytes before = now;
    std::fill(before.begin() + static_cast<std::ptrdiff_t>(kBody + body), before.end(), std::byte{0});
    before.resize(frame_bytes(body));
    before =
        with(with(before, offsetof(FrameHeader, body_bytes), body), offsetof(FrameHeader, version), std::uint16_t{2});
    run.test_run = false;
    run.revision = run.compiler = run.boards[0].firmware = "";
    REQUIRE(decode_run_start(read(before)) == run);
}

TEST_CASE("a run of version 3 is read: nobody noted the firmware of its boards", "[core][unit]") {
    RunDescription run = test_run();
    const Bytes now = encode_run_start(run, 0);
    const std::uint32_t body = read(now).header.body_bytes - static_cast<std::uint32_t>(4 + 3 + 4);  // "1.2" and ""
    Bytes before = now;
    std::fill(before.begin() + static_cast<std::ptrdiff_t>(kBody + body), before.end(), std::byte{0});
    before.resize(frame_bytes(body));
    before =
        with(with(before, offsetof(FrameHeader, body_bytes), body), offsetof(FrameHeader, version), std::uint16_t{3});
    run.boards[0].firmware = "";
    REQUIRE(decode_run_start(read(before)) == run);
}

TEST_CASE("a note is one line of plain text, has an author, and is no essay", "[core][unit]") {
    OperatorNote note = test_note();
    REQUIRE(note_problem(note).empty());
    note.text.clear();
    REQUIRE(note_problem(note) == "the reason is empty");
    note.kind = NoteKind::comment;
    REQUIRE(note_problem(note) == "the comment is empty");
    note.text.assign(kMaxNoteText + 1, 'x');
    REQUIRE(note_problem(note) == "the comment has 1001 bytes, 1000 are allowed");
    note.text.pop_back();
    REQUIRE(note_problem(note).empty());
    for (const char odd : {'\n', '\0', '\x1b', '\x7f'}) {
        note.text[500] = odd;
        REQUIRE(note_problem(note) == "the comment is more than one line of plain text");
        REQUIRE_FALSE(decode_note(read(encode_note(1, 2, note))));
    }
    note = test_note();
    note.author.clear();
    REQUIRE(note_problem(note) == "the author is empty");
}

TEST_CASE("what is no frame of this version is refused by its reason", "[core][hostile]") {
    const Bytes frame = encode_calibration(1, 0, {1, 2, 3, 4});
    FrameView view;
    REQUIRE(read_frame(with(frame, 0, std::uint32_t{0x46594C42}), view) == FrameError::bad_magic);
    REQUIRE(read_frame(with(frame, 6, std::uint16_t{6}), view) == FrameError::bad_version);
    REQUIRE(read_frame(with(frame, 6, std::uint16_t{0}), view) == FrameError::bad_version);
    REQUIRE(read_frame(with(frame, 4, std::uint16_t{12}), view) == FrameError::bad_kind);
    REQUIRE(read_frame(with(frame, 4, std::uint16_t{0xFFFF}), view) == FrameError::bad_kind);
    REQUIRE(read_frame(with(frame, 8, (std::uint32_t{1} << 30) + 1), view) == FrameError::bad_length);
    REQUIRE(read_frame(with(frame, 8, std::uint32_t{0xFFFF'FFFF}), view) == FrameError::bad_length);
    REQUIRE(read_frame(with(frame, 8, std::uint32_t{57}), view) == FrameError::cut_short);
    REQUIRE(to_text(FrameError::bad_crc) == "a checksum that does not match");
}

TEST_CASE("values that no enumeration, flag or count has are refused", "[core][hostile]") {
    const TestTrigger original;
    const Bytes trigger = original.frame();
    TriggerFrame into;
    const auto trigger_taken = [&](const Bytes& bytes) { return decode_trigger(read(bytes), into); };
    // An event is sequence, time, utc, flags, then one byte each: class, windows, features, zero.
    REQUIRE_FALSE(trigger_taken(with(trigger, kBody + 28, std::uint8_t{5})));
    REQUIRE_FALSE(trigger_taken(with(trigger, kBody + 29, std::uint8_t{5})));
    REQUIRE_FALSE(trigger_taken(with(trigger, kBody + 30, std::uint8_t{33})));
    const std::size_t records = kBody + 88 + 2 * (16 * 8 + 8);  // missing boards, count, zeros, then the records
    REQUIRE(trigger_taken(with(trigger, records, std::uint64_t{0})));
    for (const std::uint32_t count : {1U, 3U, 17U, 0xFFFF'FFFFU}) {
        REQUIRE_FALSE(trigger_taken(with(trigger, records + 8, count)));
    }
    const std::size_t first = records + 16;
    const auto of_record = [&](std::size_t offset, auto value) {
        return trigger_taken(with(trigger, first + offset, value));
    };
    REQUIRE(of_record(offsetof(RecordHeader, counter), std::uint64_t{42}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, sample_type), std::uint8_t{4}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, trigger_class), std::uint8_t{5}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, refusal), std::uint8_t{1}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, board), std::uint16_t{16}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, channels), std::uint16_t{65}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, samples_per_channel), std::uint32_t{0xFFFF'FFFF}));
    REQUIRE_FALSE(of_record(offsetof(RecordHeader, truth_count), std::uint16_t{0xFFFF}));
    const std::size_t truth = first + sizeof(RecordHeader) + 204;  // 202 bytes of samples, 2 of padding
    REQUIRE(of_record(truth - first + offsetof(TruthPulse, kind), std::uint8_t{14}));
    REQUIRE_FALSE(of_record(truth - first + offsetof(TruthPulse, kind), std::uint8_t{15}));

    const Bytes run = encode_run_start(test_run(), 0);
    const auto run_taken = [&](std::size_t offset, auto value) {
        return decode_run_start(read(with(run, offset, value))).has_value();
    };
    const std::size_t board_type = find(run, "A1") + 2;  // the serial is the last text before the sample type
    REQUIRE(run_taken(board_type, std::uint8_t{3}));
    REQUIRE_FALSE(run_taken(board_type, std::uint8_t{4}));
    const std::size_t role = find(run, "anticoincident") + 14;
    REQUIRE_FALSE(run_taken(role, std::uint8_t{2}));
    const std::size_t pulses = find(run, "cell") + 4;
    REQUIRE_FALSE(run_taken(pulses, std::uint8_t{2}));
    // Names become folders, groups and files: one that climbs out of them is refused.
    REQUIRE_FALSE(run_taken(find(run, "pci5153\x09"), '/'));
    REQUIRE_FALSE(run_taken(kBody + 4, '.'));
    REQUIRE(run_taken(kBody + 4, 'C'));
    REQUIRE_FALSE(run_taken(find(run, "anticoincident"), '\0'));

    const auto states = [&](std::int32_t state) {
        const Bytes frame = encode_beam_states(1, 2, std::vector<BeamResolution>{{1, 2, BeamState::on}});
        return decode_beam_states(read(with(frame, kBody + 4 + 12, state))).has_value();
    };
    REQUIRE(states(2));
    REQUIRE(states(-1));
    REQUIRE_FALSE(states(3));
    REQUIRE_FALSE(states(-2));
    const auto tick_taken = [&](std::size_t offset, auto value) {
        return decode_ticks(read(with(encode_ticks(1, 2, test_ticks()), kBody + offset, value))).has_value();
    };
    constexpr std::size_t state = 4 + offsetof(TickRecord, state);
    REQUIRE(tick_taken(state, std::int8_t{2}));
    REQUIRE_FALSE(tick_taken(state, std::int8_t{3}));
    REQUIRE_FALSE(tick_taken(state, std::int8_t{-2}));
    REQUIRE_FALSE(tick_taken(0, std::uint32_t{4}));  // a tick more than there are bytes
    const Bytes dead = encode_dead_time(1, 2, {5, 9, 10, 20, 1});
    REQUIRE_FALSE(decode_dead_time(read(with(dead, kBody + offsetof(DeadTime, reason), std::uint8_t{5}))));
    REQUIRE_FALSE(decode_dead_time(read(with(dead, kBody, std::uint64_t{10}))));  // first after last
    const Gap before{4, 1201, 1'000, 2'500'000'000, 150, true};
    const Bytes gap = encode_gap(5, 1, before);
    REQUIRE(decode_gap(read(gap)) == before);
    REQUIRE_FALSE(decode_gap(read(with(gap, kBody + 40, std::uint8_t{2}))));  // told by the writer: neither yes nor no
    REQUIRE_FALSE(decode_gap(read(dead)));
    const Bytes end = encode_run_end(1, 2, {5, true, "", {}});
    REQUIRE_FALSE(decode_run_end(read(with(end, kBody + 8, std::uint8_t{2}))));
    REQUIRE_FALSE(decode_run_end(read(with(end, kBody + 13, std::uint8_t{2}))));  // Ledger::has_ticks
    REQUIRE_FALSE(decode_note(read(with(encode_note(1, 2, test_note()), kBody + 8, std::uint8_t{3}))));
}

TEST_CASE("a run that points at a channel or has more parts than there may be is refused", "[core][hostile]") {
    const auto taken = [](const auto& change) {
        RunDescription run = test_run();
        change(run);
        const Bytes frame = encode_run_start(run, 0);
        return decode_run_start(read(frame)).has_value();
    };
    REQUIRE(taken([](RunDescription&) {}));
    REQUIRE(taken([](RunDescription& r) { r.veto = {9, 9, false}; }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.veto = {2, 0, true}; }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.signal = {1, 1, true}; }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.boards.resize(kMaxBoards + 1, r.boards[0]); }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.boards[0].channels.resize(kMaxChannels + 1); }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.windows.resize(kMaxWindows + 1, r.windows[0]); }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.features.resize(kMaxFeatures + 1, r.features[0]); }));
    REQUIRE_FALSE(taken([](RunDescription& r) { r.cuts.resize(kMaxCuts + 1); }));
}

TEST_CASE("a body that no frame may have is refused where it is made", "[core][unit]") {
    // Pages that nobody touches: a frame that is refused by its size is not even begun.
    const std::size_t count = kMaxBodyBytes / sizeof(BeamFrame);
    void* const pages =
        mmap(nullptr, count * sizeof(BeamFrame), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    const std::span frames{static_cast<const BeamFrame*>(pages), count};
    REQUIRE_THROWS_AS(encode_beam_frames(1, 0, frames), Error);
    REQUIRE(munmap(pages, frames.size_bytes()) == 0);
}

TEST_CASE("no damage that keeps the checksum right leads a decoder astray", "[core][hostile]") {
    const Outcome outcome = decode_damaged(20'170'803, 20'000);
    REQUIRE(outcome.taken + outcome.refused == one_of_each().size() * 20'000);
    REQUIRE(outcome.taken > 10'000);  // numbers and samples may be anything
    REQUIRE(outcome.refused > 10'000);
}

TEST_CASE("no damage leads a decoder astray in millions of tries", "[core][hostile][long]") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const Outcome outcome = decode_damaged(1000 * seed, 20'000);
        REQUIRE(outcome.taken + outcome.refused == one_of_each().size() * 20'000);
    }
}
