#include "daq/store/run_writer.hpp"
#include "daq/store/journal.hpp"

#include <hdf5.h>

#include <catch2/catch.hpp>
#include <thread>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/verify.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

StoreConfig config_in(const TemporaryFolder& folder) {
    StoreConfig config;
    config.folder = folder.path();
    config.compression = Compression::none;
    config.disk_warning_mb = 0;
    config.disk_stop_mb = 0;
    config.retry_interval = std::chrono::milliseconds{0};
    config.part_minutes = std::chrono::minutes{1};
    return config;
}

/// Trigger `sequence` of `minute`: 0, 1, 2, ... minutes after the run's first.
RunFrames::Frame trigger_at(RunFrames& frames, std::uint64_t sequence, std::int64_t minute) {
    Event event = make_event(frames.run(), sequence);
    event.time_ps += minute * 60 * kSecondPs;
    Trigger trigger;
    const OwnedRecord record = digitizer_record(sequence);
    trigger.add(record.view());
    trigger.missing_boards = 0b10;  // panels
    const std::uint64_t ordinal = frames.next_ordinal();
    (void)frames.trigger(sequence);  // takes the ordinal
    RunFrames::Frame frame(trigger_frame_bytes(trigger, event));
    frame.resize(encode_trigger(frame, frames.run().run, ordinal, trigger, event));
    return frame;
}

std::vector<std::uint64_t> sequences_of(const std::filesystem::path& file) {
    const AlleycatFile part{file};
    std::vector<Event> events;
    std::vector<BeamResolution> states;
    part.read_events(0, part.triggers(), events, states);
    std::vector<std::uint64_t> sequences;
    for (const Event& e : events) sequences.push_back(e.sequence);
    return sequences;
}

std::vector<BeamState> states_of(const std::filesystem::path& file) {
    const AlleycatFile part{file};
    std::vector<Event> events;
    std::vector<BeamResolution> resolutions;
    part.read_events(0, part.triggers(), events, resolutions);
    std::vector<BeamState> states;
    for (const BeamResolution& r : resolutions) states.push_back(r.state);
    return states;
}

void require_clean(const VerifyReport& report) {
    for (const auto& file : report.files) {
        for (const std::string& problem : file.problems) FAIL_CHECK(file.path.filename().string() << ": " << problem);
    }
    for (const std::string& problem : report.problems) FAIL_CHECK(problem);
}

}  // namespace

TEST_CASE("a run becomes a closed, catalogued part without a journal", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunWriter writer{config_in(folder)};
    REQUIRE_FALSE(writer.durable().has_value());
    RunFrames frames{make_run(12)};
    writer.append(view(frames.start()));
    writer.append(view(frames.trigger(0)));
    REQUIRE(writer.sync() == Durable{12, 1, 0});
    REQUIRE(writer.status().file == "run_000012_part_0001.h5.part");
    REQUIRE(writer.status().durable_triggers == 1);
    REQUIRE(std::filesystem::exists(folder / "run_000012_part_0001.journal"));
    writer.append(view(frames.beam_states(0, 0, BeamState::on, 5)));
    writer.append(view(frames.end(1)));
    REQUIRE(writer.sync() == Durable{12, 3, 0});
    REQUIRE(sequences_of(folder / "run_000012_part_0001.h5") == std::vector<std::uint64_t>{0});
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000012_part_0001.journal"));
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    REQUIRE(catalogue.part("run_000012_part_0001.h5")->sha256 == sha256_of(folder / "run_000012_part_0001.h5"));
    REQUIRE(catalogue.part("run_000012_part_0001.h5")->state == "closed");
    REQUIRE(catalogue.run(12)->state == "ended");
    require_clean(verify(folder.path()));
}

TEST_CASE("a part whose rows wait for their beam state stays open over a rotation", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunWriter writer{config_in(folder)};
    RunFrames frames{make_run(3)};
    writer.append(view(frames.start()));
    writer.append(view(frames.calibration(0, 70)));
    writer.append(view(frames.calibration(1, 71)));
    writer.append(view(trigger_at(frames, 0, 0)));
    writer.append(view(trigger_at(frames, 1, 0)));
    writer.append(view(frames.beam_states(0, 0, BeamState::on, 5)));
    writer.append(view(trigger_at(frames, 2, 1)));  // a minute later: the second part
    REQUIRE(std::filesystem::exists(folder / "run_000003_part_0001.h5.part"));
    REQUIRE(std::filesystem::exists(folder / "run_000003_part_0002.h5.part"));
    writer.append(view(frames.beam_states(1, 2, BeamState::off, 0)));
    writer.finish();  // waits for what is being closed
    REQUIRE(states_of(folder / "run_000003_part_0001.h5") == std::vector{BeamState::on, BeamState::off});
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000003_part_0001.journal"));
    writer.append(view(frames.end(3)));
    REQUIRE(states_of(folder / "run_000003_part_0002.h5") == std::vector{BeamState::off});
    REQUIRE(AlleycatFile{folder / "run_000003_part_0002.h5"}.calibration() ==
            std::vector<Calibration>{{1, 71, 0.5, 1.1}});
    REQUIRE(AlleycatFile{folder / "run_000003_part_0001.h5"}.summary()->end_reason == "part full");
    REQUIRE(writer.late_beam_states() == 0);
    require_clean(verify(folder.path()));
}

TEST_CASE("parts that wait in vain are closed, oldest first, and what comes too late is counted",
          "[store][run_writer]") {
    const TemporaryFolder folder;
    RunWriter writer{config_in(folder)};
    RunFrames frames{make_run(3)};
    writer.append(view(frames.start()));
    for (std::uint64_t s = 0; s < 7; ++s) writer.append(view(trigger_at(frames, s, static_cast<std::int64_t>(s))));
    writer.finish();                                                       // waits for what is being closed
    REQUIRE(std::filesystem::exists(folder / "run_000003_part_0002.h5"));  // 7 parts, 4 of them wait behind the last
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000003_part_0003.h5"));
    writer.append(view(frames.beam_states(0, 6, BeamState::on, 5)));
    REQUIRE(writer.late_beam_states() == 2);
    REQUIRE_THAT(writer.status().problem, Catch::Contains("2 beam states came after"));
    writer.append(view(frames.end(7)));
    REQUIRE(states_of(folder / "run_000003_part_0002.h5") == std::vector{BeamState::unknown});
    REQUIRE(states_of(folder / "run_000003_part_0003.h5") == std::vector{BeamState::on});
    require_clean(verify(folder.path()));
}

TEST_CASE("a writer that was killed goes on where it was durable, and nothing is doubled", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    std::vector<RunFrames::Frame> all{frames.start(), frames.calibration(0, 70)};
    for (std::uint64_t s = 0; s < 6; ++s) all.push_back(trigger_at(frames, s, static_cast<std::int64_t>(s / 3)));
    all.push_back(frames.beam_states(0, 5, BeamState::on, 7));
    all.push_back(frames.end(6));
    // Killed behind each frame in turn, with and without a sync before.
    for (std::size_t kill = 1; kill < all.size(); ++kill) {
        for (const bool synced : {false, true}) {
            const TemporaryFolder data;
            {
                RunWriter writer{config_in(data)};
                for (std::size_t i = 0; i < kill; ++i) writer.append(view(all[i]));
                if (synced) REQUIRE(writer.sync()->ordinal == kill - 1);
            }
            RunWriter writer{config_in(data)};
            const std::uint64_t resume = writer.durable() ? writer.durable()->ordinal + 1 : 0;
            if (synced) REQUIRE(resume == kill);
            REQUIRE(resume <= kill);
            for (std::size_t i = resume > 2 ? resume - 2 : 0; i < all.size(); ++i)
                writer.append(view(all[i]));  // some again
            REQUIRE(writer.sync() == Durable{4, all.size() - 1, 5});
            REQUIRE(sequences_of(data / "run_000004_part_0001.h5") == std::vector<std::uint64_t>{0, 1, 2});
            REQUIRE(sequences_of(data / "run_000004_part_0002.h5") == std::vector<std::uint64_t>{3, 4, 5});
            REQUIRE(states_of(data / "run_000004_part_0001.h5") == std::vector(3, BeamState::on));
            require_clean(verify(data.path()));
        }
    }
}

TEST_CASE("a run that is over stays over: its frames are known after a restart", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    const auto start = frames.start(), trigger = frames.trigger(0), end = frames.end(1), late = frames.trigger(1);
    {
        RunWriter writer{config_in(folder)};
        for (const auto* f : {&start, &trigger, &end}) writer.append(view(*f));
    }
    RunWriter writer{config_in(folder)};
    REQUIRE(writer.durable() == Durable{4, 2, 0});
    REQUIRE(writer.durable()->utc_ns == make_run(4).start_utc_ns);  // of trigger 0: its time goes with its number
    for (const auto* f : {&start, &trigger, &end}) writer.append(view(*f));
    REQUIRE_THROWS_WITH(writer.append(view(late)),
                        Catch::Contains("run 4: was closed (stopped) after frame 2, frame 3 cannot be added"));
    require_clean(verify(folder.path()));
}

TEST_CASE("the first frame of another run closes the one before as interrupted", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames old{make_run(4)}, young{make_run(5)};
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(old.start()));
        writer.append(view(old.trigger(0)));
        (void)writer.sync();
    }
    RunWriter writer{config_in(folder)};
    REQUIRE(writer.durable() == Durable{4, 1, 0});
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000004_part_0001.h5"));
    writer.append(view(young.start()));
    REQUIRE(AlleycatFile{folder / "run_000004_part_0001.h5"}.summary()->clean == false);
    REQUIRE(Catalogue{folder.path(), Catalogue::Open::read_only}.part("run_000004_part_0001.h5")->state ==
            "interrupted");
    REQUIRE(writer.sync() == Durable{5, 0, kNoSequence});
    const auto late = old.trigger(1);
    REQUIRE_THROWS_WITH(writer.append(view(late)), Catch::Contains("run 4: was closed"));
    writer.append(view(young.trigger(0)));  // that error did not hurt the run that goes on
    writer.append(view(young.end(1)));
    REQUIRE(sequences_of(folder / "run_000005_part_0001.h5") == std::vector<std::uint64_t>{0});
}

TEST_CASE("a hole in the ordinals is a gap that names the lost triggers, and the run goes on", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    const auto start = frames.start(), t0 = frames.trigger(0), t1 = frames.trigger(1),
               states = frames.beam_states(0, 1, BeamState::on, 5), t2 = frames.trigger(2),
               dead = frames.dead_time(3, 5), t6 = frames.trigger(6), end = frames.end(7, 3);
    {
        RunWriter writer{config_in(folder)};
        REQUIRE_THROWS_WITH(writer.append(view(t0)), Catch::Contains("run 4: frame 1 came first"));
        for (const auto* f : {&start, &t0, &states}) writer.append(view(*f));  // trigger 1 did not come
        REQUIRE(writer.sync() == Durable{4, 3, 0});
    }  // killed: nobody knows yet what was in the frame
    {
        RunWriter writer{config_in(folder)};
        REQUIRE(writer.durable() == Durable{4, 3, 0});
        writer.append(view(t2));
        writer.append(view(t1));  // comes again, too late
        writer.append(view(t6));  // the dead time of 3 to 5 did not come
        REQUIRE(writer.status().problem == "2 frame(s) of the data stream are missing: the run has a gap");
        writer.append(view(end));
    }
    const std::filesystem::path file = folder / "run_000004_part_0001.h5";
    REQUIRE(sequences_of(file) == std::vector<std::uint64_t>{0, 2, 6});
    const AlleycatFile part{file};
    const std::vector<StreamGap> gaps = part.stream_gaps();
    REQUIRE(gaps.size() == 2);
    CHECK(gaps[0].last_sequence == 0);
    CHECK(gaps[0].triggers == 1);
    CHECK(gaps[0].frames == 1);
    CHECK(gaps[1].last_sequence == 2);
    CHECK(gaps[1].triggers == 3);
    CHECK(gaps[1].frames == 1);
    CHECK(part.summary()->lost_in_stream == 4);
    CHECK(part.summary()->quality.flags == "degraded");
    CHECK(part.summary()->quality.reasons ==
          "degraded: 3 of 7 triggers were refused\n"
          "degraded: 2 frame(s) of its data stream are missing, and 4 trigger(s) in them are lost");
    const VerifyReport report = verify(folder.path());
    require_clean(report);
    REQUIRE(report.files[0].notes.size() >= 2);
    CHECK(report.files[0].notes[0] == "1 frame(s) of the data stream are missing: trigger 1 is lost");
    CHECK(report.files[0].notes[1] == "1 frame(s) of the data stream are missing: triggers 3 to 5 are lost");
}

TEST_CASE("a part with an open gap waits with its end, and the run's last part tells of the gaps of all",
          "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    const auto start = frames.start(), t0 = trigger_at(frames, 0, 0), t1 = trigger_at(frames, 1, 0),
               t2 = trigger_at(frames, 2, 2), t3 = trigger_at(frames, 3, 4),
               states = frames.beam_states(0, 3, BeamState::on, 5), end = frames.end(4);
    {
        RunWriter writer{config_in(folder)};
        for (const auto* f : {&start, &t0, &t2, &t3, &states}) writer.append(view(*f));
        (void)writer.sync();
        while (!std::filesystem::exists(folder / "run_000004_part_0001.h5")) std::this_thread::yield();
    }  // killed: what the closed part knows is read from it
    RunWriter writer{config_in(folder)};
    writer.append(view(end));
    REQUIRE(sequences_of(folder / "run_000004_part_0001.h5") == std::vector<std::uint64_t>{0, 2});
    const AlleycatFile last{folder / "run_000004_part_0002.h5"};
    CHECK(last.stream_gaps().empty());
    // The run reported its ledger at its end only: the first part has none, rather than one of zeros.
    const auto has_ledger = [](const AlleycatFile& file) {
        return H5Aexists_by_name(file.hdf5_id(), "summary/ledger", "triggers", H5P_DEFAULT) > 0;
    };
    CHECK_FALSE(has_ledger(AlleycatFile{folder / "run_000004_part_0001.h5"}));
    CHECK(has_ledger(last));
    CHECK(last.summary()->ledger.triggers == 4);
    CHECK(last.summary()->quality.reasons ==
          "degraded: 1 frame(s) of its data stream are missing, and 1 trigger(s) in them are lost");
    require_clean(verify(folder.path()));
}

TEST_CASE("a crash between closing a part and removing its journal leaves nothing to do twice", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    const auto start = frames.start(), trigger = frames.trigger(0), end = frames.end(1);
    std::filesystem::path journal = folder / "run_000004_part_0001.journal", kept = folder / "kept";
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(start));
        writer.append(view(trigger));
        (void)writer.sync();
        std::filesystem::copy_file(journal, kept);
        writer.append(view(end));
    }
    std::filesystem::rename(kept, journal);
    std::filesystem::remove(folder / "catalogue.sqlite");  // nor did it reach the catalogue
    RunWriter writer{config_in(folder)};
    REQUIRE_FALSE(std::filesystem::exists(journal));
    REQUIRE(writer.durable()->run == 4);
    require_clean(verify(folder.path()));
}

TEST_CASE("a journal that holds more than the closed file beside it is kept", "[store][run_writer]") {
    const TemporaryFolder folder;
    const std::filesystem::path journal = folder / "run_000004_part_0001.journal", kept = folder / "kept";
    {
        RunFrames frames{make_run(4)};
        RunWriter writer{config_in(folder)};
        writer.append(view(frames.start()));
        for (std::uint64_t s = 0; s < 2; ++s) writer.append(view(frames.trigger(s)));
        (void)writer.sync();
        std::filesystem::copy_file(journal, kept);
    }
    const TemporaryFolder elsewhere;
    {
        RunFrames frames{make_run(4)};
        RunWriter writer{config_in(elsewhere)};
        writer.append(view(frames.start()));
        writer.append(view(frames.trigger(0)));
        writer.append(view(frames.end(1)));
    }
    for (const char* name : {"run_000004_part_0001.h5.part", "run_000004_part_0001.journal"})
        std::filesystem::remove(folder / name);
    std::filesystem::copy_file(elsewhere / "run_000004_part_0001.h5", folder / "run_000004_part_0001.h5");
    std::filesystem::rename(kept, journal);
    const RunWriter writer{config_in(folder)};
    REQUIRE_FALSE(std::filesystem::exists(journal));
    REQUIRE(std::filesystem::exists(journal.string() + ".damaged"));
    JournalReader reader{journal.string() + ".damaged"};
    std::uint64_t triggers = 0;
    for (FrameView frame; reader.next(frame);) triggers += frame.header.kind == FrameKind::trigger ? 1 : 0;
    REQUIRE(triggers == 2);
}

TEST_CASE("two writers cannot use one folder", "[store][run_writer]") {
    const TemporaryFolder folder;
    const RunWriter writer{config_in(folder)};
    REQUIRE_THROWS_WITH(RunWriter{config_in(folder)}, Catch::Contains("another writer uses this folder"));
}

TEST_CASE("a final name that appears meanwhile is not overwritten, and the journal is kept", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    RunWriter writer{config_in(folder)};
    writer.append(view(frames.start()));
    writer.append(view(frames.trigger(0)));
    std::ofstream{folder / "run_000004_part_0001.h5"} << "precious";
    REQUIRE_THROWS_WITH(writer.append(view(frames.end(1))), Catch::Contains("run_000004_part_0001.h5: exists already"));
    REQUIRE(std::filesystem::file_size(folder / "run_000004_part_0001.h5") == 8);
    REQUIRE(std::filesystem::exists(folder / "run_000004_part_0001.journal"));
    REQUIRE_THAT(writer.status().problem, Catch::Contains("exists already"));
    REQUIRE(writer.status().state == WriterState::failed);
    REQUIRE(writer.durable() == Durable{4, 2, 0});
    REQUIRE_THROWS_AS(writer.sync(), DiskRefused);
    std::filesystem::remove(folder / "run_000004_part_0001.h5");
    REQUIRE(writer.ready());
    REQUIRE(writer.status().state == WriterState::writing);
    REQUIRE(sequences_of(folder / "run_000004_part_0001.h5") == std::vector<std::uint64_t>{0});
}

TEST_CASE("a damaged journal is cut at the damage and a copy of it is kept", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    const auto start = frames.start(), a = frames.trigger(0), b = frames.trigger(1);
    {
        RunWriter writer{config_in(folder)};
        for (const auto* f : {&start, &a, &b}) writer.append(view(*f));
        (void)writer.sync();
    }
    std::fstream journal{folder / "run_000004_part_0001.journal", std::ios::binary | std::ios::in | std::ios::out};
    journal.seekp(static_cast<std::streamoff>(64 + start.size() + 50));
    journal.put('\x5A');
    journal.close();
    RunWriter writer{config_in(folder)};
    REQUIRE(writer.durable() == Durable{4, 0, kNoSequence});
    REQUIRE(std::filesystem::exists(folder / "run_000004_part_0001.journal.damaged"));
    writer.append(view(frames.trigger(2)));  // the daemon may have given back what was acknowledged: then it is a gap
    REQUIRE(writer.status().problem == "2 frame(s) of the data stream are missing: the run has a gap");
}

TEST_CASE("what operators say stands in the part and, with the run's quality, in the catalogue",
          "[store][run_writer]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(8)};
    std::vector<OperatorNote> said;
    const auto say = [&](RunWriter& writer, NoteKind kind, const std::string& text) {
        const RunFrames::Frame frame = frames.note(kind, "ann", text);
        said.push_back(*decode_note(view(frame)));
        writer.append(view(frame));
    };
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(frames.start()));
        writer.append(view(trigger_at(frames, 0, 0)));
        say(writer, NoteKind::tainted, "cart under the hall");
        writer.append(view(frames.beam_states(0, 0, BeamState::on, 5)));
        writer.append(view(trigger_at(frames, 1, 2)));  // the second part
        say(writer, NoteKind::comment, "cart is gone");
        REQUIRE(writer.sync());
        REQUIRE(Catalogue(folder.path(), Catalogue::Open::read_only).notes(8) == said);
    }  // killed
    std::filesystem::remove(folder / "run_000008_part_0002.h5.part");
    {
        RunWriter writer{config_in(folder)};
        writer.append(view(frames.beam_states(1, 1, BeamState::on, 5)));
        writer.append(view(frames.dead_time(2, 2)));
        writer.append(view(frames.end(3, 1)));
    }
    REQUIRE(AlleycatFile{folder / "run_000008_part_0001.h5"}.notes() == std::vector{said[0]});
    REQUIRE(AlleycatFile{folder / "run_000008_part_0001.h5"}.summary()->quality.flags == "tainted");
    REQUIRE(AlleycatFile{folder / "run_000008_part_0002.h5"}.notes() == std::vector{said[1]});
    REQUIRE(AlleycatFile{folder / "run_000008_part_0002.h5"}.summary()->quality.flags == "degraded,tainted");
    Catalogue catalogue{folder.path(), Catalogue::Open::write};
    const CatalogueRun run = *catalogue.run(8);
    REQUIRE(catalogue.notes(8) == said);
    REQUIRE(run.quality == "degraded,tainted");
    REQUIRE_THAT(run.quality_reasons,
                 Catch::StartsWith("degraded: 1 of 3 triggers were refused\ntainted: cart under the hall (ann, "));
    REQUIRE(run.end_utc_ns == frames.run().start_utc_ns + 1);
    REQUIRE(run.recorded == 2);
    REQUIRE(run.refused == 1);
    REQUIRE(run.test_run);

    // Said later: the closed files stay as they are.
    const std::string before = sha256_of(folder / "run_000008_part_0002.h5");
    catalogue.put(CatalogueComment{8, frames.run().start_utc_ns + 99'000'000'000, "bob", "good", "the cart was empty"});
    catalogue.judge_anew(8);
    REQUIRE(catalogue.run(8)->quality == "degraded,good");
    REQUIRE(sha256_of(folder / "run_000008_part_0002.h5") == before);
}

TEST_CASE("a run that is cut off is interrupted in its part and in the catalogue", "[store][run_writer]") {
    const TemporaryFolder folder;
    RunWriter writer{config_in(folder)};
    RunFrames first{make_run(8)}, second{make_run(9)};
    writer.append(view(first.start()));
    writer.append(view(first.trigger(0)));
    writer.append(view(second.start()));
    REQUIRE(AlleycatFile{folder / "run_000008_part_0001.h5"}.summary()->quality ==
            RunQuality{"interrupted", "interrupted: the run's end never came"});
    const Catalogue catalogue{folder.path(), Catalogue::Open::read_only};
    REQUIRE(catalogue.run(8)->quality == "interrupted");
    REQUIRE(catalogue.run(8)->recorded == 1);
    REQUIRE(catalogue.run(8)->end_utc_ns == 0);
}
