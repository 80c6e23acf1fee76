#include "daq/store/file_reader.hpp"
#include "daq/store/trial.hpp"

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/single_file_writer.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

struct Written {
    RunDescription run;
    std::vector<BeamFrame> beam_frames;
};

/// Triggers 0 to 29 without 7 and 8 (refused); trigger 9 lacks the veto; beam on from 10 on; calibrations at 0 and 12.
Written write_run(const std::filesystem::path& file, std::uint64_t number = 5, RawSelection raw = RawData::all) {
    SingleFileWriter writer{file, Compression::blosc, raw};
    RunFrames frames{make_run(number)};
    Written written{frames.run(),
                    {{1, 100, 1e6f, 1, 2, 3, 1, {}}, {2, 110, 1e6f, 4, 5, 6, 2, {}}, {3, 500, -1, -1, 7, 8, 0, {}}}};
    writer.append(view(frames.start()));
    writer.append(view(frames.calibration(0, 70)));
    writer.append(view(frames.calibration(12, 71)));
    writer.append(view(frames.beam_frames(written.beam_frames)));
    for (std::uint64_t s = 0; s < 30; ++s) {
        if (s == 7) writer.append(view(frames.dead_time(7, 8)));
        if (s == 7 || s == 8) continue;
        writer.append(view(s == 9    ? frames.trigger_without_veto(s)
                           : s == 11 ? frames.trigger_with_truth(s)
                                     : frames.trigger(s)));
    }
    writer.append(view(frames.beam_states(0, 9, BeamState::off, 0)));
    writer.append(view(frames.beam_states(10, 29, BeamState::on, 1e6f)));
    writer.append(view(frames.counters(30, {{"a.b", 4}})));
    writer.append(view(frames.end(30, 2)));
    writer.finish();
    return written;
}

struct Heard final : EventSink {
    std::vector<std::string> order;
    std::vector<Event> events;
    std::vector<BeamResolution> beam;
    std::vector<DeadTime> dead_time;
    std::vector<Calibration> calibrations;
    std::vector<Waveform> waveforms;
    std::vector<RunDescription> runs;
    std::vector<Status> statuses;
    void on_run(const RunDescription& run) override {
        runs.push_back(run), order.push_back("run " + std::to_string(run.run));
    }
    void on_event(const Event& event) override {
        events.push_back(event), order.push_back("event " + std::to_string(event.sequence));
    }
    void on_beam(const BeamResolution& r) override { beam.push_back(r); }
    void on_ticks(std::span<const TickRecord>) override {}
    void on_dead_time(const DeadTime& d) override { dead_time.push_back(d), order.push_back("dead time"); }
    void on_calibration(const Calibration& c) override {
        calibrations.push_back(c), order.push_back("calibration " + std::to_string(c.from_sequence));
    }
    void on_waveform(const Waveform& w) override { waveforms.push_back(w); }
    void on_status(const Status& s) override { statuses.push_back(s); }
    void on_alarm(const Alarm&) override {}
};

}  // namespace

TEST_CASE("events come back bit for bit, with their beam states", "[store][reader]") {
    const TemporaryFolder folder;
    const Written written = write_run(folder / "a.h5");
    const AlleycatFile file{folder / "a.h5"};
    REQUIRE(file.run() == written.run);
    REQUIRE(file.closed());
    REQUIRE(file.triggers() == 28);
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    file.read_events(0, 28, events, states);
    for (std::size_t i = 0; i < 28; ++i) {
        const std::uint64_t s = i < 7 ? i : i + 2;
        REQUIRE(identical(events[i], make_event(written.run, s)));
        REQUIRE(events[i].utc_ns == make_event(written.run, s).utc_ns);
        REQUIRE(states[i] == BeamResolution{s, s < 10 ? 0.f : 1e6f, s < 10 ? BeamState::off : BeamState::on});
    }
    REQUIRE(file.beam_frames() == written.beam_frames);
    REQUIRE(file.calibration() == std::vector<Calibration>{{0, 70, 0.5, 1.1}, {12, 71, 0.5, 1.1}});
    REQUIRE(file.last_counters()->counters == CounterValues{{"a.b", 4}});
    REQUIRE_THROWS_WITH(file.read_events(20, 9, events, states),
                        Catch::Contains("a.h5") && Catch::Contains("has 28 rows"));
}

TEST_CASE("a recorded run is one source per board with every record as it was", "[store][source]") {
    const TemporaryFolder folder;
    const Written written = write_run(folder / "a.h5");
    const auto sources = open_recorded_run({folder / "a.h5"});
    REQUIRE(sources.size() == 2);
    REQUIRE(sources[0]->board() == written.run.boards[0]);
    std::vector<BeamResolution> states;
    std::vector<BeamFrame> beam;
    RecordHeader header;
    std::vector<std::uint64_t> space(1024);
    for (std::uint64_t s = 0; s < 30; ++s) {
        if (s == 7) {  // 7 and 8 were refused: the stub they once were
            REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::record);
            REQUIRE(header.sequence == 7);
            REQUIRE(header.refused == 2);
            REQUIRE(header.refusal == RefusalReason::buffer_full);
            REQUIRE(payload_bytes(header) == 0);
        }
        if (s == 7 || s == 8) continue;
        REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::record);
        const OwnedRecord expected = digitizer_record(s, s == 9 ? 1 : 2);
        REQUIRE(header.sequence == s);
        REQUIRE(header.time_ps == make_event(written.run, s).time_ps);
        REQUIRE(header.utc_ns == make_event(written.run, s).utc_ns);
        REQUIRE(header.counter == expected.header.counter);
        REQUIRE(header.clock == expected.header.clock);
        REQUIRE(header.flags == expected.header.flags);
        REQUIRE(header.channel_mask == expected.header.channel_mask);
        REQUIRE(header.truth_count == (s == 11 ? 1 : 0));
        const std::span<std::byte> payload = std::as_writable_bytes(std::span{space}).first(payload_bytes(header));
        sources[0]->fill(payload);
        const RecordView record{header, payload};
        REQUIRE(std::ranges::equal(record.sample_bytes(), expected.view().sample_bytes()));
        if (s == 11) REQUIRE(record.truth()[0] == TruthPulse{10.f, 11, TruthKind::cevns_prompt, {}});
        states.clear();
        sources[0]->take_beam_resolutions(states);
        REQUIRE(states.size() == 1);
        REQUIRE(states[0].sequence == s);
        beam.clear();
        sources[0]->take_beam_frames(beam);
        REQUIRE(beam.size() == (s == 0 || s == 10 ? 1 : 0));  // frame ticks 100 and 110: counters of triggers 0 and 10
    }
    REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::end);
    beam.clear();
    sources[0]->take_beam_frames(beam);
    REQUIRE(beam == std::vector{written.beam_frames[2]});

    for (std::uint64_t s = 1; s < 30; s += 2) {
        if (s == 7 || s == 9 || s == 11) continue;
        REQUIRE(sources[1]->next(header, {}) == RecordSource::Next::record);
        REQUIRE(header.sequence == s);
        REQUIRE(header.board == 1);
        REQUIRE(header.channel_mask == 0b101);
        const OwnedRecord expected = panels_record(s);
        REQUIRE(header.samples_per_channel == expected.header.samples_per_channel);
        const std::span<std::byte> payload = std::as_writable_bytes(std::span{space}).first(payload_bytes(header));
        sources[1]->fill(payload);
        REQUIRE(std::ranges::equal(RecordView(header, payload).sample_bytes(), expected.view().sample_bytes()));
    }
    REQUIRE(sources[1]->next(header, {}) == RecordSource::Next::end);
    states.clear();
    sources[1]->take_beam_resolutions(states);
    REQUIRE(states.empty());
}

TEST_CASE("a trigger whose samples were not kept is a stub of its own, in its place", "[store][source]") {
    const TemporaryFolder folder;
    // Every third trigger fails a cut; of these every second is kept by the prescale: 3, 9, 15, 21 and 27 are not.
    const Written written = write_run(folder / "a.h5", 5, RawSelection{RawData::accepted, 6});
    const auto sources = open_recorded_run({folder / "a.h5"});
    RecordHeader header;
    for (std::uint64_t s = 0; s < 30; ++s) {
        if (s == 8) continue;  // refused, as 7
        REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::record);
        REQUIRE(header.sequence == s);
        REQUIRE(header.refused == (s == 7 ? 2 : s % 6 == 3 ? 1 : 0));
        REQUIRE(header.refusal == (s == 7       ? RefusalReason::buffer_full
                                   : s % 6 == 3 ? RefusalReason::not_kept
                                                : RefusalReason::none));
        if (s == 7) continue;
        REQUIRE(header.time_ps == make_event(written.run, s).time_ps);
        REQUIRE(header.utc_ns == make_event(written.run, s).utc_ns);
        REQUIRE(header.trigger_class == TriggerClass::beam_tick);
    }
    REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::end);
    while (sources[1]->next(header, {}) == RecordSource::Next::record) REQUIRE(header.refusal == RefusalReason::none);
}

TEST_CASE("threads that decompress ahead change nothing, whatever the compression", "[store][source][threads]") {
    constexpr std::uint64_t kTriggers = 9'000;  // 4096 records of this size make a chunk
    const TemporaryFolder folder;
    const Compression compression = GENERATE(Compression::none, Compression::deflate, Compression::blosc);
    {
        SingleFileWriter writer{folder / "a.h5", compression, RawData::all};
        RunFrames frames{make_run(5)};
        writer.append(view(frames.start()));
        for (std::uint64_t s = 0; s < kTriggers; ++s) {
            writer.append(view(s % 1000 == 9 ? frames.trigger_without_veto(s) : frames.trigger(s)));
        }
        writer.append(view(frames.end(kTriggers)));
        writer.finish();
    }
    for (const unsigned threads : {1u, 2u, 7u}) {
        const auto sources = open_recorded_run({folder / "a.h5"}, threads);
        RecordHeader header;
        std::vector<std::uint64_t> space(1024);
        const auto is = [&](RecordSource& source, const OwnedRecord& expected) {
            if (source.next(header, {}) != RecordSource::Next::record) return false;
            const auto payload = std::as_writable_bytes(std::span{space}).first(payload_bytes(header));
            source.fill(payload);
            return header.counter == expected.header.counter && header.channel_mask == expected.header.channel_mask &&
                   std::ranges::equal(RecordView(header, payload).sample_bytes(), expected.view().sample_bytes());
        };
        std::uint64_t right = 0;
        for (std::uint64_t s = 0; s < kTriggers; ++s) {
            right += is(*sources[0], digitizer_record(s, s % 1000 == 9 ? 1 : 2)) ? 1 : 0;
            if (s % 2 == 1 && s % 1000 != 9) right += is(*sources[1], panels_record(s)) ? 1 : 0;
        }
        REQUIRE(right == kTriggers + kTriggers / 2 - kTriggers / 1000);
        REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::end);
        REQUIRE(sources[1]->next(header, {}) == RecordSource::Next::end);
    }
}

TEST_CASE("a record that is not filled is left out, and the next one is right", "[store][source]") {
    const TemporaryFolder folder;
    (void)write_run(folder / "a.h5");
    const auto sources = open_recorded_run({folder / "a.h5"});
    RecordHeader header;
    REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::record);
    REQUIRE(sources[0]->next(header, {}) == RecordSource::Next::record);
    std::vector<std::uint64_t> space(64);
    const auto payload = std::as_writable_bytes(std::span{space}).first(payload_bytes(header));
    sources[0]->fill(payload);
    REQUIRE(std::ranges::equal(RecordView(header, payload).sample_bytes(), digitizer_record(1).view().sample_bytes()));
}

TEST_CASE("events are played in the order they happened", "[store][reader]") {
    const TemporaryFolder folder;
    const Written written = write_run(folder / "a.h5");
    (void)write_run(folder / "b.h5", 6);
    const auto source = open_events({folder / "a.h5", folder / "b.h5"});
    Heard heard;
    while (source->play(heard)) {
    }
    REQUIRE(source->fraction_done() == 1.0);
    REQUIRE(heard.runs.size() == 2);
    REQUIRE(heard.runs[0] == written.run);
    REQUIRE(heard.events.size() == 56);
    REQUIRE(heard.beam.size() == 56);
    REQUIRE(heard.dead_time.size() == 2);
    const std::vector<std::string> begin{"run 5", "calibration 0", "event 0"};
    REQUIRE(std::equal(begin.begin(), begin.end(), heard.order.begin()));
    const auto dead = std::find(heard.order.begin(), heard.order.end(), "dead time");
    REQUIRE(*std::prev(dead) == "event 6");
    REQUIRE(*std::next(dead) == "event 9");
    const auto calibration = std::find(heard.order.begin(), heard.order.end(), "calibration 12");
    REQUIRE(*std::next(calibration) == "event 12");
    REQUIRE(heard.waveforms.size() == 16);
    const Waveform& last = heard.waveforms[7];
    REQUIRE(last.sequence == 29);
    REQUIRE(last.channels.size() == 4);  // csi, veto, north, top
    REQUIRE(last.channels[1].channel == "veto");
    REQUIRE(last.channels[1].codes[4] == 29 + 1 + 4);
    REQUIRE(last.channels[3].channel == "top");
    REQUIRE(last.channels[3].codes == std::vector<std::int32_t>{40030});  // 29 % 7 = 1 sample, the second of the record
    REQUIRE(heard.statuses.size() == 2);
    REQUIRE(heard.statuses[0].ledger.recorded == 28);
    REQUIRE(heard.statuses[0].reason == "stopped");
}

TEST_CASE("info counts what is in a file, closed or not", "[store][reader]") {
    const TemporaryFolder folder;
    (void)write_run(folder / "a.h5");
    const FileInfo closed = info(folder / "a.h5");
    REQUIRE(closed.closed);
    REQUIRE(closed.summary.triggers == 28);
    REQUIRE(closed.summary.ticks == std::array<std::uint64_t, 4>{8, 20, 0, 0});
    REQUIRE(closed.live_time_s == Approx(28 / 60.0));
    REQUIRE(closed.n_on == 14);  // 10 to 29 with beam, without the multiples of 3 (12 15 18 21 24 27)
    REQUIRE(closed.n_off == 0);
    REQUIRE(closed.boards[0].records == 27);
    REQUIRE(closed.boards[0].irregular == 1);

    RunFrames frames{make_run(6)};
    SingleFileWriter writer{folder / "open.h5", Compression::deflate, RawData::all};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 4; ++s) writer.append(view(frames.trigger(s)));
    (void)writer.sync();
    const FileInfo open = info(folder / "open.h5.part");
    REQUIRE_FALSE(open.closed);
    REQUIRE(open.summary.triggers == 4);
    REQUIRE(open.summary.ticks == std::array<std::uint64_t, 4>{0, 0, 0, 4});
    writer.append(view(frames.trigger(4)));  // it goes on while somebody looks
    writer.finish();
    REQUIRE(info(folder / "open.h5").summary.triggers == 5);
    REQUIRE(info(folder / "open.h5").summary.end_reason == "interrupted");
}

TEST_CASE("what boards said of themselves is read back, tallied, and shown as the newest", "[store][reader]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(6)};
    SingleFileWriter writer{folder / "a.h5", Compression::deflate, RawData::all};
    writer.append(view(frames.start()));
    const std::vector<ReadingSample> said{{10, 1, {"temperature", 38.25, "degC"}},
                                          {10, 1, {"busy", 0.5, ""}},
                                          {20, 1, {"temperature", 40, "degC"}},
                                          {30, 1, {"temperature", 39, "degC"}}};
    writer.append(view(frames.readings({said.begin(), said.begin() + 2})));
    writer.append(view(frames.trigger(0)));
    writer.append(view(frames.readings({said.begin() + 2, said.end()})));
    REQUIRE_THROWS_WITH(writer.append(view(frames.readings({{40, 2, {"temperature", 1, "degC"}}}))),
                        Catch::Contains("a reading of board 2, the run has 2"));
    writer.finish();

    REQUIRE(AlleycatFile{folder / "a.h5"}.readings() == said);
    const FileInfo found = info(folder / "a.h5");
    REQUIRE(found.boards[0].readings.empty());
    REQUIRE(found.boards[1].readings.size() == 2);
    const FileInfo::Board::Reading& temperature = found.boards[1].readings[0];
    CHECK(temperature.last == BoardReading{"temperature", 39, "degC"});
    CHECK(temperature.lowest == 38.25);
    CHECK(temperature.highest == 40);

    const auto source = open_events({folder / "a.h5"});
    Heard heard;
    while (source->play(heard)) {
    }
    REQUIRE(heard.statuses.size() == 1);
    const std::vector<BoardStatus>& boards = heard.statuses[0].boards;
    REQUIRE(boards.size() == 2);
    CHECK(boards[0].name == "digitizer");
    CHECK(boards[0].readings.empty());
    CHECK(boards[1].readings == std::vector<BoardReading>{{"temperature", 39, "degC"}, {"busy", 0.5, ""}});
}

TEST_CASE("what cannot be read is refused with one sentence, and HDF5 prints nothing", "[store][reader]") {
    const TemporaryFolder folder;
    (void)write_run(folder / "whole.h5");
    std::ofstream{folder / "empty.h5"};
    std::ofstream{folder / "text.h5"} << "not HDF5 at all";
    std::filesystem::create_directory(folder / "folder.h5");
    const hid_t other = H5Fcreate((folder / "other.h5").c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(other);
    std::filesystem::copy_file(folder / "whole.h5", folder / "newer.h5");
    const hid_t newer = H5Fopen((folder / "newer.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t version = H5Aopen(newer, "format_version", H5P_DEFAULT);
    const std::uint32_t next = 4;
    H5Awrite(version, H5T_NATIVE_UINT32, &next);
    H5Aclose(version);
    H5Fclose(newer);
    std::filesystem::copy_file(folder / "whole.h5", folder / "undescribed.h5");
    const hid_t undescribed = H5Fopen((folder / "undescribed.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(undescribed, "run_description", H5P_DEFAULT);
    const hsize_t none = 0;
    const hid_t no_bytes = H5Screate_simple(1, &none, nullptr);
    const hid_t description =
        H5Dcreate2(undescribed, "run_description", H5T_STD_U8LE, no_bytes, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(description);
    H5Sclose(no_bytes);
    H5Fclose(undescribed);
    std::filesystem::copy_file(folder / "whole.h5", folder / "half.h5");
    std::filesystem::resize_file(folder / "half.h5", std::filesystem::file_size(folder / "half.h5") / 2);

    std::fflush(stderr);
    const int before = ::dup(2);
    const std::filesystem::path captured = folder / "stderr";
    REQUIRE(std::freopen(captured.c_str(), "w", stderr) != nullptr);
    std::vector<std::pair<const char*, const char*>> cases{{"absent.h5", "there is no such file"},
                                                           {"empty.h5", "is empty"},
                                                           {"text.h5", "is not an HDF5 file"},
                                                           {"folder.h5", "is a folder"},
                                                           {"other.h5", "not one of Alleycat's"},
                                                           {"newer.h5", "format version 4"},
                                                           {"half.h5", "is cut short"},
                                                           {"undescribed.h5", "/run_description is damaged"}};
    std::vector<std::string> said;
    for (const auto& [name, sentence] : cases) {
        try {
            const AlleycatFile file{folder / name};
            said.emplace_back("opened");
        } catch (const Error& e) {
            said.emplace_back(e.what());
        }
    }
    const bool half = is_alleycat_file(folder / "half.h5"), whole = is_alleycat_file(folder / "whole.h5");
    const bool text = is_alleycat_file(folder / "text.h5"), other_is = is_alleycat_file(folder / "other.h5"),
               absent = is_alleycat_file(folder / "absent");
    std::fflush(stderr);
    ::dup2(before, 2);
    ::close(before);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        REQUIRE_THAT(said[i], Catch::Contains(cases[i].first) && Catch::Contains(cases[i].second));
        REQUIRE(said[i].find('\n') == std::string::npos);
    }
    REQUIRE_THAT(said[6], Catch::Contains("verify --repair") && Catch::Contains("journal"));
    REQUIRE(whole);
    REQUIRE(half);
    REQUIRE_FALSE((text || other_is || absent));
    REQUIRE(std::filesystem::file_size(captured) == 0);
}

TEST_CASE("a file whose root cannot be listed, and whose heap of texts never ends, is not opened", "[store][hostile]") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "a.h5";
    (void)write_run(path);
    const std::string bytes = bytes_of(path);
    const std::size_t heap = bytes.find("GCOL"), size = 4096;
    REQUIRE(heap != std::string::npos);
    std::filesystem::resize_file(path, heap + size / 2);
    std::filesystem::resize_file(path, bytes.size());  // with zeros
    CHECK_THROWS_WITH(require_openable(path, {}), Catch::Contains("HDF5 does not come to an end with it"));
}

TEST_CASE("files of two runs, a part given twice, or a file without samples cannot be replayed", "[store][source]") {
    const TemporaryFolder folder;
    (void)write_run(folder / "a.h5");
    (void)write_run(folder / "b.h5", 6);
    REQUIRE_THROWS_WITH(open_recorded_run({folder / "a.h5", folder / "b.h5"}),
                        Catch::Contains("replay one run at a time"));
    REQUIRE_THROWS_WITH(open_recorded_run({folder / "a.h5", folder / "a.h5"}),
                        Catch::Contains("is part 1 of run 5, as is"));
    RunFrames frames{make_run(7)};
    SingleFileWriter writer{folder / "none.h5", Compression::none, RawData::none};
    writer.append(view(frames.start()));
    writer.append(view(frames.trigger(0)));
    writer.finish();
    REQUIRE_THROWS_WITH(open_recorded_run({folder / "none.h5"}), Catch::Contains("holds no samples"));
}
