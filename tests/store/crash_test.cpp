// A real process, really killed, at moments drawn from a seed.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <random>

#include "builders.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/verify.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

constexpr unsigned kSeed = 20260614;
constexpr std::uint64_t kTriggers = 400;

StoreConfig config_in(const std::filesystem::path& folder) {
    StoreConfig config;
    config.folder = folder;
    config.compression = Compression::blosc;
    config.disk_warning_mb = 0;
    config.disk_stop_mb = 0;
    config.part_minutes = std::chrono::minutes{1};  // 60 triggers, one a second
    return config;
}

/// Every frame of the run: beam states come 20 triggers late, 100 to 102 are refused.
std::vector<RunFrames::Frame> whole_run() {
    RunFrames frames{make_run(77)};
    std::vector<RunFrames::Frame> all{frames.start(), frames.calibration(0, 70)};
    for (std::uint64_t s = 0; s < kTriggers; ++s) {
        if (s == 100) all.push_back(frames.dead_time(100, 102));
        if (s < 100 || s > 102) all.push_back(frames.trigger(s));
        if (s % 10 == 9 && s >= 29) all.push_back(frames.beam_states(s - 29, s - 20, BeamState::on, 1e6f));
    }
    all.push_back(frames.beam_states(kTriggers - 20, kTriggers - 1, BeamState::on, 1e6f));
    all.push_back(frames.end(kTriggers, 3));
    return all;
}

/// The writer's process: goes on behind what is durable and says what it may acknowledge. Never returns.
[[noreturn]] void write_on(const std::filesystem::path& folder, const std::vector<RunFrames::Frame>& frames,
                           int acknowledge, unsigned sync_every) {
    try {
        RunWriter writer{config_in(folder)};
        const std::uint64_t from = writer.durable() ? writer.durable()->ordinal + 1 : 0;
        // What the writer resumes at is an acknowledgement too; the kill may have come between the disk and the word.
        const auto acknowledge_up_to = [&](std::uint64_t ordinal) {
            if (::write(acknowledge, &ordinal, sizeof ordinal) != sizeof ordinal) _exit(4);
        };
        if (from > 0) acknowledge_up_to(from - 1);
        for (std::size_t i = from; i < frames.size(); ++i) {
            FrameView frame;
            if (read_frame(frames[i], frame) != FrameError::none) _exit(3);
            writer.append(frame);
            if (i % sync_every == 0 || i + 1 == frames.size()) acknowledge_up_to(writer.sync()->ordinal);
        }
        _exit(0);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        _exit(2);
    }
}

}  // namespace

TEST_CASE("a writer killed again and again loses nothing it acknowledged and doubles nothing", "[store][crash]") {
    const TemporaryFolder folder;
    const std::vector<RunFrames::Frame> frames = whole_run();
    std::mt19937 random{kSeed};
    std::uint64_t acknowledged = 0;
    bool any = false, done = false;
    int kills = 0;
    for (int round = 0; round < 200 && !done; ++round) {
        std::array<int, 2> pipe{};
        REQUIRE(::pipe(pipe.data()) == 0);
        const auto sync_every = static_cast<unsigned>(1 + random() % 7);
        const auto acknowledgements_before_the_kill = static_cast<unsigned>(2 + random() % 12);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(pipe[0]);
            write_on(folder.path(), frames, pipe[1], sync_every);
        }
        ::close(pipe[1]);
        std::uint64_t ordinal = 0;
        unsigned heard = 0;
        while (heard < acknowledgements_before_the_kill &&
               ::read(pipe[0], &ordinal, sizeof ordinal) == sizeof ordinal) {
            if (any && ordinal < acknowledged)
                FAIL("seed " << kSeed << ", round " << round << ": " << acknowledged
                             << " was acknowledged, it went on at " << ordinal);
            acknowledged = ordinal;
            any = true;
            ++heard;
        }
        if (heard == acknowledgements_before_the_kill) ::kill(child, SIGKILL);
        while (::read(pipe[0], &ordinal, sizeof ordinal) == sizeof ordinal)
            acknowledged = std::max(acknowledged, ordinal);
        ::close(pipe[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        if (WIFSIGNALED(status))
            ++kills;
        else if (WEXITSTATUS(status) != 0)
            FAIL("seed " << kSeed << ", round " << round << ": exit status " << WEXITSTATUS(status));
        else
            done = acknowledged + 1 == frames.size();
    }
    REQUIRE(done);
    REQUIRE(kills > 5);

    std::vector<std::uint64_t> sequences;
    std::uint64_t unknown = 0;
    std::uint32_t part = 1;
    for (;; ++part) {
        char name[64];
        std::snprintf(name, sizeof name, "run_000077_part_%04u.h5", part);
        if (!std::filesystem::exists(folder / name)) break;
        const AlleycatFile file{folder / name};
        std::vector<Event> events;
        std::vector<BeamResolution> states;
        file.read_events(0, file.triggers(), events, states);
        for (const Event& e : events) {
            REQUIRE(identical(e, make_event(file.run(), e.sequence)));
            sequences.push_back(e.sequence);
        }
        for (const BeamResolution& r : states) unknown += r.state != BeamState::on ? 1 : 0;
    }
    std::vector<std::uint64_t> expected;
    for (std::uint64_t s = 0; s < kTriggers; ++s) {
        if (s < 100 || s > 102) expected.push_back(s);
    }
    REQUIRE(sequences == expected);
    REQUIRE(part == 8);  // seven parts
    REQUIRE(unknown == 0);
    const VerifyReport report = verify(folder.path());
    for (const auto& file : report.files) {
        for (const std::string& problem : file.problems) FAIL_CHECK(problem);
    }
    REQUIRE(report.ok());
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
        REQUIRE(entry.path().extension() != ".journal");
        REQUIRE(entry.path().extension() != ".part");
    }
}
