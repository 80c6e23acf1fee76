// The power fails at every moment of a small run: between any two changes of any file, with what was not synced there,
// not there, or partly there. What was acknowledged comes back right; nothing else comes back wrong.

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>

#include "builders.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/run_number.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/verify.hpp"
#include "recorded_disk.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

constexpr std::uint64_t kTriggers = 130;  // one a second, a new part every minute
constexpr float kPowerW = 1e6f;
constexpr std::uint64_t kNobody = ~std::uint64_t{0};

/// A frame and what a reader must find of it.
struct Sent {
    RunFrames::Frame frame;
    std::optional<std::uint64_t> trigger;
    std::uint64_t first_state = 1, last_state = 0;  ///< of triggers whose beam is on; none: first > last
};

/// Beam states come 20 triggers late, 33 to 35 are refused.
std::vector<Sent> small_run(std::uint64_t run) {
    RunFrames frames{make_run(run)};
    std::vector<Sent> all{{frames.start(), {}}, {frames.calibration(0, 70), {}}};
    for (std::uint64_t s = 0; s < kTriggers; ++s) {
        if (s == 33) all.push_back({frames.dead_time(33, 35), {}});
        if (s < 33 || s > 35) all.push_back({frames.trigger(s), s});
        if (s % 10 == 9 && s >= 29) {
            all.push_back({frames.beam_states(s - 29, s - 20, BeamState::on, kPowerW), {}, s - 29, s - 20});
        }
    }
    all.push_back(
        {frames.beam_states(kTriggers - 20, kTriggers - 1, BeamState::on, kPowerW), {}, kTriggers - 20, kTriggers - 1});
    all.push_back({frames.end(kTriggers, 3), {}});
    return all;
}

StoreConfig config_in(const std::filesystem::path& folder) {
    StoreConfig config;
    config.folder = folder;
    config.compression = Compression::blosc;
    config.disk_warning_mb = 0;
    config.part_minutes = std::chrono::minutes{1};
    return config;
}

/// What the program had promised when the power failed.
struct Promised {
    std::uint64_t run = kNobody;      ///< a number that must not be given again
    std::uint64_t ordinal = kNobody;  ///< the last frame that was acknowledged

    void hear(const DiskChange& change) {
        if (change.kind != DiskChange::Kind::note) return;
        (change.name == "run" ? run : ordinal) = change.offset;
    }
};

/// The writer's life from where the disk stands to the end of the run, recorded.
std::vector<DiskChange> record_run(const std::filesystem::path& folder, const std::vector<Sent>& frames, bool fresh,
                                   std::mt19937_64& chance) {
    DiskRecorder recorder{folder};
    if (fresh) recorder.note("run", next_run_number(folder));
    RunWriter writer{config_in(folder)};
    const auto promise = [&](const std::optional<Durable>& durable) {
        if (durable) recorder.note("ordinal", durable->ordinal);
    };
    promise(writer.durable());
    std::size_t until_sync = 1 + chance() % 20;
    for (std::size_t i = writer.durable() ? writer.durable()->ordinal + 1 : 0; i < frames.size(); ++i) {
        writer.append(view(frames[i].frame));
        if (--until_sync > 0) continue;
        promise(writer.sync());
        until_sync = 1 + chance() % 20;
    }
    promise(writer.sync());
    writer.finish();
    return recorder.take();
}

// ---- what a reader finds afterwards

/// Samples as HDF5 itself reads them, against builders.hpp.
void check_samples(const AlleycatFile& file, const std::vector<std::uint64_t>& triggers) {
    const auto read = [&](const char* path, hid_t type, auto& values) {
        const hid_t data = H5Dopen2(file.hdf5_id(), path, H5P_DEFAULT);
        const hid_t space = H5Dget_space(data);
        values.resize(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
        const herr_t status = H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Sclose(space);
        H5Dclose(data);
        if (status < 0) throw Error{fmt::format("{} cannot be read", path)};
    };
    std::vector<std::int8_t> samples, expected_samples;
    std::vector<std::uint16_t> hits, expected_hits;
    for (const std::uint64_t s : triggers) {
        for (std::size_t c = 0; c < 2; ++c) {
            for (std::size_t k = 0; k < kSamples; ++k)
                expected_samples.push_back(static_cast<std::int8_t>((s + c + k) % 100));
        }
        for (std::size_t k = 0; s % 2 == 1 && k < 2 * (s % 7); ++k)
            expected_hits.push_back(static_cast<std::uint16_t>(40000 + s + k));
    }
    read("raw/digitizer/samples", H5T_NATIVE_INT8, samples);
    read("raw/panels/samples/flattened_data", H5T_NATIVE_UINT16, hits);
    if (samples != expected_samples) throw Error{"samples of the digitizer differ"};
    if (hits != expected_hits) throw Error{"samples of the panels differ"};
}

/// The run's parts hold the frames up to and with `last`, each once, and nothing else. Throws Error.
void check_files(const std::filesystem::path& folder, std::uint64_t run, const std::vector<Sent>& frames,
                 std::uint64_t last) {
    std::vector<std::uint64_t> expected;
    std::set<std::uint64_t> on, on_later;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const bool durable = last != kNobody && i <= last;
        if (durable && frames[i].trigger) expected.push_back(*frames[i].trigger);
        for (std::uint64_t s = frames[i].first_state; s <= frames[i].last_state; ++s)
            (durable ? on : on_later).insert(s);
    }
    std::vector<std::uint64_t> found;
    for (std::uint32_t part = 1; std::filesystem::exists(folder / closed_name({run, part})); ++part) {
        const AlleycatFile file{folder / closed_name({run, part})};
        if (!file.closed()) throw Error{fmt::format("part {} is not closed", part)};
        std::vector<Event> events;
        std::vector<BeamResolution> states;
        file.read_events(0, file.triggers(), events, states);
        std::vector<std::uint64_t> in_part;
        for (const Event& e : events) {
            if (!identical(e, make_event(file.run(), e.sequence)))
                throw Error{fmt::format("trigger {} came back different", e.sequence)};
            in_part.push_back(e.sequence);
        }
        for (const BeamResolution& state : states) {
            // A waiting part's journal may be written before that of the newest part: then it knows more, and is right.
            const bool is_on = state.state == BeamState::on && state.power_w == kPowerW;
            const bool may_be_on = on.contains(state.sequence) || on_later.contains(state.sequence);
            const bool is_unknown = state.state == BeamState::unknown && !on.contains(state.sequence);
            if (!(is_on && may_be_on) && !is_unknown)
                throw Error{fmt::format("the beam state of trigger {} is wrong", state.sequence)};
        }
        check_samples(file, in_part);
        found.insert(found.end(), in_part.begin(), in_part.end());
    }
    if (found != expected)
        throw Error{fmt::format("{} triggers are there, {} were durable", found.size(), expected.size())};
}

void check_tidy(const std::filesystem::path& folder) {
    const VerifyReport report = verify(folder);
    for (const VerifyReport::File& file : report.files) {
        for (const std::string& problem : file.problems)
            throw Error{fmt::format("verify: {}: {}", file.path.filename().string(), problem)};
    }
    for (const std::string& problem : report.problems) throw Error{"verify: " + problem};
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".journal") || name.ends_with(".part") || name.ends_with("sqlite-journal"))
            throw Error{name + " is left behind"};
    }
}

enum class Then : std::uint8_t { goes_on, another_run };

/// The writer starts on what the disk holds. Throws Error when a promise is broken.
void check_recovery(const FolderContent& disk, const Promised& promised, const std::vector<Sent>& frames,
                    std::uint64_t run, Then then) {
    const TemporaryFolder folder;
    write_folder(folder.path(), disk);
    std::uint64_t last = kNobody;
    {
        RunWriter writer{config_in(folder.path())};
        if (const auto durable = writer.durable()) last = durable->ordinal;
        if (promised.ordinal != kNobody && (last == kNobody || last < promised.ordinal))
            throw Error{fmt::format("frame {} was acknowledged, it goes on behind {}", promised.ordinal,
                                    static_cast<std::int64_t>(last))};
        if (then == Then::goes_on) {
            for (std::size_t i = last == kNobody ? 0 : last + 1; i < frames.size(); ++i)
                writer.append(view(frames[i].frame));
            last = frames.size() - 1;
        } else {
            RunFrames other{make_run(run + 1)};
            writer.append(view(other.start()));
            writer.append(view(other.trigger(0)));
            writer.append(view(other.end(1)));
        }
        (void)writer.sync();
        writer.finish();
    }
    check_files(folder.path(), run, frames, last);
    check_tidy(folder.path());
    if (promised.run != kNobody && next_run_number(folder.path()) <= promised.run)
        throw Error{fmt::format("run number {} is given again", promised.run)};
}

/// What is seen of many power cuts.
struct Tally {
    std::size_t moments = 0, outcomes = 0, failures = 0;
    std::map<std::string, std::string> told;  ///< what was broken, and where first

    void check(const std::string& where, const FolderContent& disk, const Promised& promised,
               const std::vector<Sent>& frames, std::uint64_t run, Then then) {
        ++outcomes;
        try {
            check_recovery(disk, promised, frames, run, then);
        } catch (const std::exception& e) {
            fail(where + (then == Then::goes_on ? ", the run goes on" : ", another run"), e.what());
        }
    }
    void fail(const std::string& where, const std::string& what) {
        ++failures;
        told.try_emplace(what, where);
    }
};

/// The power fails at every `stride`th moment of a recording, from the `first` on.
struct Moments {
    std::size_t stride = 1, first = 0;
};

/// At each moment: by kill -9, with nothing unsynced left, and `subsets` times with some of it.
void cut_everywhere(Tally& tally, const FolderContent& before, Promised promised,
                    const std::vector<DiskChange>& changes, const std::vector<Sent>& frames, std::uint64_t run,
                    Moments moments, unsigned subsets, std::uint64_t seed) {
    SimulatedDisk disk{before};
    for (std::size_t moment = 0; moment <= changes.size(); ++moment) {
        if (moment > 0) {
            disk.apply(changes[moment - 1]);
            promised.hear(changes[moment - 1]);
        }
        if (moment % moments.stride != moments.first % moments.stride) continue;
        ++tally.moments;
        const std::string where = fmt::format("seed {}, moment {} of {}", seed, moment, changes.size());
        const auto then = [&](std::size_t n) {
            return (moment / moments.stride + n) % 2 == 0 ? Then::goes_on : Then::another_run;
        };
        tally.check(where + ", killed", disk.after_kill(), promised, frames, run, then(0));
        tally.check(where + ", only what was synced", disk.after_power_cut(), promised, frames, run, then(1));
        for (unsigned subset = 0; subset < subsets; ++subset) {
            std::mt19937_64 chance{seed * 1'000'003 + moment * 101 + subset};
            tally.check(fmt::format("{}, subset {}", where, subset), disk.after_power_cut(chance), promised, frames,
                        run, then(subset));
        }
    }
}

void cut_a_run_everywhere(std::uint64_t seed, Moments moments, unsigned subsets, unsigned second_cuts) {
    std::mt19937_64 chance{seed};
    const TemporaryFolder folder;
    const std::vector<Sent> frames = small_run(1);
    const std::vector<DiskChange> changes = record_run(folder.path(), frames, true, chance);
    check_files(folder.path(), 1, frames, frames.size() - 1);
    std::map<DiskChange::Kind, std::size_t> kinds;
    for (const DiskChange& change : changes) ++kinds[change.kind];
    REQUIRE(kinds[DiskChange::Kind::note] > 10);
    REQUIRE(kinds[DiskChange::Kind::rename] >= 4);  // three parts and the run number
    REQUIRE(kinds[DiskChange::Kind::sync_folder] >= 4);
    // The record is complete: played onto an empty disk it gives the folder.
    SimulatedDisk whole{{}};
    for (const DiskChange& change : changes) whole.apply(change);
    REQUIRE((whole.after_kill() == read_folder(folder.path())));

    Tally tally;
    cut_everywhere(tally, {}, {}, changes, frames, 1, moments, subsets, seed);

    // The power fails again while the writer recovers from such a cut: at a third of the moments.
    for (unsigned second = 0; second < second_cuts; ++second) {
        SimulatedDisk disk{{}};
        Promised promised;
        const std::size_t moment = chance() % changes.size();
        for (std::size_t i = 0; i < moment; ++i) disk.apply(changes[i]), promised.hear(changes[i]);
        const FolderContent before = disk.after_power_cut(chance);
        const TemporaryFolder again;
        write_folder(again.path(), before);
        std::vector<DiskChange> recovery;
        try {
            recovery = record_run(again.path(), frames, false, chance);
        } catch (const std::exception& e) {
            tally.fail(fmt::format("seed {}, recovery from moment {}", seed, moment), e.what());
            continue;
        }
        const Moments third{3 * moments.stride, moments.first + second * moments.stride};
        cut_everywhere(tally, before, promised, recovery, frames, 1, third, subsets, seed + second + 1);
    }
    std::cout << fmt::format("{} changes, {} power cuts at {} moments, {} broke a promise\n", changes.size(),
                             tally.outcomes, tally.moments, tally.failures)
              << std::flush;
    REQUIRE(tally.outcomes > 100);
    for (const auto& [what, where] : tally.told) FAIL_CHECK(where << ": " << what);
    CHECK(tally.failures == 0);
}

/// A thousand starts after a crash would fill the screen.
const bool quiet = ::setenv("ALLEYCAT_LOG", "off", 1) == 0;

}  // namespace

TEST_CASE("the power fails anywhere in a small run: what was acknowledged comes back, nothing comes back wrong",
          "[store][crash]") {
    REQUIRE(quiet);
    cut_a_run_everywhere(20151002, {.stride = 17}, 1, 1);
}

TEST_CASE("a writer that acknowledges what it did not sync is found out by these power cuts", "[store][crash]") {
    REQUIRE(quiet);
    std::mt19937_64 chance{1};
    const TemporaryFolder folder;
    const std::vector<Sent> frames = small_run(1);
    const std::vector<DiskChange> changes = record_run(folder.path(), frames, true, chance);
    const auto without = [&](DiskChange::Kind kind) {
        std::vector<DiskChange> rest = changes;
        std::erase_if(rest, [&](const DiskChange& change) { return change.kind == kind; });
        Tally tally;
        cut_everywhere(tally, {}, {}, rest, frames, 1, {.stride = 101, .first = 100}, 0, 1);
        return tally.failures;
    };
    REQUIRE(without(DiskChange::Kind::sync) > 0);
    REQUIRE(without(DiskChange::Kind::sync_folder) > 0);
}

// Every moment of one recording; in quarters, which run side by side.
TEST_CASE("the power fails everywhere, with several ways to lose what was not synced: moments 0, 4, 8",
          "[store][long]") {
    REQUIRE(quiet);
    cut_a_run_everywhere(1, {.stride = 4, .first = 0}, 2, 3);
}

TEST_CASE("the power fails everywhere, with several ways to lose what was not synced: moments 1, 5, 9",
          "[store][long]") {
    REQUIRE(quiet);
    cut_a_run_everywhere(1, {.stride = 4, .first = 1}, 2, 3);
}

TEST_CASE("the power fails everywhere, with several ways to lose what was not synced: moments 2, 6, 10",
          "[store][long]") {
    REQUIRE(quiet);
    cut_a_run_everywhere(1, {.stride = 4, .first = 2}, 2, 3);
}

TEST_CASE("the power fails everywhere, with several ways to lose what was not synced: moments 3, 7, 11",
          "[store][long]") {
    REQUIRE(quiet);
    cut_a_run_everywhere(1, {.stride = 4, .first = 3}, 2, 3);
}
