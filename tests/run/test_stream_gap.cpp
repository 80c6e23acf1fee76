#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <vector>

#include "daq/core/worker.hpp"
#include "daq/run/spill.hpp"
#include "daq/run/writer_process.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/verify.hpp"
#include "daq/wire/data_client.hpp"
#include "daq/wire/data_server.hpp"
#include "station.hpp"

using namespace run_test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::byte>;
constexpr std::uint64_t kTriggers = 40;

/// The frames of a whole run.
std::vector<Bytes> frames_of_a_run() {
    const StationSetup setup = csi_station();
    RunBuffers buffers{32u << 20, 32u << 20};
    CounterRegistry registry;
    auto pipeline =
        make_pipeline(setup, kTriggers, WhenFull::wait, make_live_sources(setup, kTriggers), buffers, registry);
    pipeline->start();
    pipeline->finish();
    std::vector<Bytes> frames;
    for (auto bytes = buffers.frames.next(); bytes.data() != nullptr; bytes = buffers.frames.next())
        frames.emplace_back(bytes.begin(), bytes.end());
    return frames;
}

FrameView view_of_frame(const Bytes& bytes) {
    FrameView frame;
    REQUIRE(read_frame(bytes, frame) == FrameError::none);
    return frame;
}

/// Sequence of a trigger's frame; kNoSequence: it is another.
std::uint64_t sequence_of(const Bytes& bytes) {
    TriggerFrame trigger;
    return decode_trigger(view_of_frame(bytes), trigger) ? trigger.event.sequence : kNoSequence;
}

/// What the writer's process does, until the run's end is on the disk.
void write_run(const std::string& endpoint, const std::filesystem::path& folder) {
    StoreConfig config;
    config.folder = folder;
    config.disk_warning_mb = config.disk_stop_mb = 0;
    RunWriter writer{config};
    DataClient client{{.endpoint = endpoint, .security = {}, .name = "test", .heartbeat = 100ms},
                      [&writer] { return last_on_disk(writer.durable()); }};
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    for (bool ended = false; !ended && std::chrono::steady_clock::now() < deadline;) {
        const std::optional<FrameView> frame = client.receive(10ms);
        if (!frame) continue;
        writer.append(*frame);
        ended = frame->header.kind == FrameKind::run_end;
        if (const auto durable = writer.sync()) client.acknowledge({durable->run, durable->ordinal}, writer.status());
    }
    writer.finish();
}

}  // namespace

TEST_CASE("a frame damaged in the daemon's memory or spill is a gap in the file, and the run goes on", "[run][gap]") {
    const bool in_spill = GENERATE(false, true);
    const TemporaryFolder folder;
    std::vector<Bytes> frames = frames_of_a_run();
    const auto bad = std::find_if(frames.begin(), frames.end(), [](const Bytes& f) { return sequence_of(f) == 7; });
    REQUIRE(bad != frames.end());
    Bytes damaged = *bad;
    damaged[100] ^= std::byte{4};

    Ring ring{32u << 20};
    for (const Bytes& frame : frames) {
        const Bytes& bytes = !in_spill && &frame == &*bad ? damaged : frame;
        const std::span<std::byte> space = ring.reserve(bytes.size());
        std::memcpy(space.data(), bytes.data(), bytes.size());
        ring.commit();
    }
    CounterRegistry counters;
    SpillingQueue spill{
        {.folder = folder / "spill", .max_bytes = 16'000'000, .segment_bytes = 1u << 20}, ring, counters};
    RingQueue memory{ring};
    if (in_spill) {
        spill.spill_all();
        std::uint64_t offset = sizeof(JournalHeader);
        for (auto f = frames.begin(); f != bad; ++f) offset += f->size();
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator{folder / "spill"}) {
            if (entry.path().extension() == ".journal") files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
        REQUIRE(files.size() > 1);
        REQUIRE(offset + bad->size() <= std::filesystem::file_size(files[0]));
        std::fstream file{files[0], std::ios::binary | std::ios::in | std::ios::out};
        file.seekp(static_cast<std::streamoff>(offset + 100));
        file.put(static_cast<char>(damaged[100]));
    }
    FrameQueue& queue = in_spill ? static_cast<FrameQueue&>(spill) : memory;
    DataServer server{{.endpoint = "tcp://127.0.0.1:*", .security = {}, .heartbeat = 100ms}, queue, counters};
    Worker serving{"data", [&](std::stop_token stop) { server.run(std::move(stop)); }};
    write_run(server.endpoint(), folder / "data");
    serving.request_stop();
    serving.finish();

    const std::filesystem::path path = folder / "data" / "run_000001_part_0001.h5";
    REQUIRE(std::filesystem::exists(path));
    const AlleycatFile file{path};
    const std::vector<StreamGap> gaps = file.stream_gaps();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].last_sequence == 6);
    CHECK(gaps[0].frames >= 1);
    if (in_spill) {  // what stands behind the damage in that file goes with it
        CHECK(gaps[0].triggers > 1);
    } else {
        CHECK(gaps[0].triggers == 1);
        CHECK(gaps[0].frames == 1);
    }
    CHECK(file.triggers() + gaps[0].triggers == kTriggers);
    CHECK(file.summary()->ledger.recorded == kTriggers);
    CHECK(file.summary()->lost_in_stream == gaps[0].triggers);
    CHECK(file.summary()->run_ended);
    CHECK_THAT(file.summary()->quality.flags, Catch::Contains("degraded"));
    CHECK_THAT(file.summary()->quality.flags, !Catch::Contains("incomplete"));
    CHECK_THAT(file.summary()->quality.reasons, Catch::Contains("frame(s) of its data stream are missing"));
    const VerifyReport report = verify(folder / "data");
    for (const auto& of_file : report.files) {
        for (const std::string& problem : of_file.problems) FAIL_CHECK(problem);
    }
    for (const std::string& problem : report.problems) FAIL_CHECK(problem);
}

TEST_CASE("a frame that no store can take is passed over and counted, and what follows is stored", "[run][gap]") {
    const TemporaryFolder folder;
    StoreConfig config;
    config.folder = folder.path();
    config.disk_warning_mb = config.disk_stop_mb = 0;
    RunWriter writer{config};
    const std::vector<Bytes> whole = frames_of_a_run();
    const std::vector<Bytes> headless{whole.begin() + 1, whole.end()};  // nobody can read a run that nobody described
    PassedOver passed_over;
    for (const Bytes& bytes : headless) store_or_pass_over(writer, view_of_frame(bytes), passed_over);
    REQUIRE(passed_over.frames == headless.size());
    REQUIRE_THAT(passed_over.first, Catch::Contains("frame 1 came first"));
    REQUIRE_FALSE(writer.sync());

    for (const Bytes& bytes : whole) store_or_pass_over(writer, view_of_frame(bytes), passed_over);
    REQUIRE(passed_over.frames == headless.size());
    REQUIRE(writer.sync()->ordinal == view_of_frame(whole.back()).header.ordinal);
}
