#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "daq/core/error.hpp"
#include "daq/run/spill.hpp"
#include "tests/temporary_folder.hpp"

using namespace alleycat;
using alleycat::testing::TemporaryFolder;

namespace {

using Bytes = std::vector<std::byte>;

/// Frame `ordinal` of a run: its start, then triggers without records but with so many samples' worth of truth-free
/// body.
Bytes frame_of(std::uint64_t run, std::uint64_t ordinal, std::size_t samples = 4'000) {
    if (ordinal == 0) {
        RunDescription description;
        description.run = run;
        description.profile = "csi";
        return encode_run_start(description, 0);
    }
    Event event;
    event.sequence = ordinal - 1;
    event.utc_ns = static_cast<std::int64_t>(1'000 * run + ordinal);
    static std::vector<std::byte> payload;
    payload.assign(samples, static_cast<std::byte>(ordinal));
    RecordHeader header;
    header.sequence = event.sequence;
    header.channels = 1;
    header.channel_mask = 1;
    header.samples_per_channel = static_cast<std::uint32_t>(samples);
    payload.resize(payload_bytes(header));
    Trigger trigger;
    trigger.sequence = event.sequence;
    trigger.add(RecordView{header, payload});
    Bytes frame(trigger_frame_bytes(trigger, event));
    frame.resize(encode_trigger(frame, run, ordinal, trigger, event));
    return frame;
}

struct Put {
    std::uint64_t run = 0, ordinal = 0;
};

/// A daemon's buffer with a spill behind it, in one thread.
struct Buffer {
    explicit Buffer(const std::filesystem::path& folder, std::uint64_t max_bytes = 16'000'000,
                    std::size_t ring_bytes = 1u << 17)
        : ring{ring_bytes}, queue{{.folder = folder, .max_bytes = max_bytes}, ring, registry} {}

    /// false: no room, the trigger would be refused.
    bool put(std::uint64_t run, std::uint64_t ordinal, std::size_t samples = 4'000) {
        const Bytes frame = frame_of(run, ordinal, samples);
        const std::span<std::byte> room = ring.reserve(frame.size());
        if (room.data() == nullptr) return false;
        std::memcpy(room.data(), frame.data(), frame.size());
        ring.commit();
        return true;
    }
    /// The next frame that is sent, checked.
    std::optional<FrameHeader> send() {
        const std::span<const std::byte> peeked = queue.peek();
        const std::span<const std::byte> bytes = queue.next();
        REQUIRE((bytes.data() == nullptr) == (peeked.data() == nullptr));
        if (bytes.data() == nullptr) return std::nullopt;
        FrameView frame;
        REQUIRE(read_frame(bytes, frame) == FrameError::none);
        const Bytes expected = frame_of(frame.header.run, frame.header.ordinal, samples_of(frame));
        REQUIRE(std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()));
        return frame.header;
    }
    static std::size_t samples_of(const FrameView& frame) {
        TriggerFrame trigger;
        return decode_trigger(frame, trigger) ? trigger.trigger.record[0].header().samples_per_channel : 0;
    }

    CounterRegistry registry;
    Ring ring;
    SpillingQueue queue;
};

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder, const std::string& ending) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (entry.path().filename().string().ends_with(ending)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void flip_byte(const std::filesystem::path& path, std::uint64_t at) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekg(static_cast<std::streamoff>(at));
    const char old = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(old ^ 0x40));
}

}  // namespace

TEST_CASE("below half the ring nothing touches the disk, above it the oldest frames do and nothing is refused",
          "[run][spill]") {
    const TemporaryFolder folder;
    Buffer buffer{folder.path()};
    for (std::uint64_t i = 0; i < 10; ++i) REQUIRE(buffer.put(1, i));
    CHECK_FALSE(buffer.queue.keep_room());
    CHECK(files_in(folder.path(), ".journal").empty());
    // 4 MB through a ring of 128 kB while no writer is there.
    for (std::uint64_t i = 10; i < 1'000; ++i) {
        REQUIRE(buffer.put(1, i));
        while (buffer.queue.keep_room()) {
        }
    }
    CHECK(buffer.queue.waiting_bytes() > 4'000'000);
    CHECK(buffer.queue.status().used_bytes > 3'900'000);
    CHECK(files_in(folder.path(), ".journal").size() >= 2);
    for (std::uint64_t i = 0; i < 1'000; ++i) {
        const auto sent = buffer.send();
        REQUIRE(sent);
        REQUIRE(sent->ordinal == i);
    }
    CHECK_FALSE(buffer.send());
    for (int i = 0; i < 1'000; ++i) buffer.queue.release();
    CHECK(buffer.queue.waiting_bytes() == 0);
    CHECK(buffer.queue.status().used_bytes == 0);
    CHECK(files_in(folder.path(), ".journal").empty());
    CHECK(buffer.registry.get("spill.frames").value() > 900);
}

TEST_CASE("whatever the order of putting, spilling, sending, acknowledging and reconnecting, frames keep theirs",
          "[run][spill]") {
    std::mt19937_64 random{42};
    const auto pick = [&](int n) { return std::uniform_int_distribution<int>{0, n - 1}(random); };
    for (int round = 0; round < 20; ++round) {
        const TemporaryFolder folder;
        Buffer buffer{folder.path(), 5'000'000};
        std::vector<Put> put;
        std::uint64_t run = 1, ordinal = 0;
        std::size_t released = 0, sent = 0;
        for (int step = 0; step < 3'000; ++step) {
            const int what = pick(100);
            if (what < 45) {
                if (pick(200) == 0) ++run, ordinal = 0;
                if (buffer.put(run, ordinal, static_cast<std::size_t>(pick(8'000)))) put.push_back({run, ordinal++});
            } else if (what < 60) {
                (void)buffer.queue.keep_room();
            } else if (what < 80) {
                const auto header = buffer.send();
                REQUIRE(header.has_value() == (sent < put.size()));
                if (!header) continue;
                REQUIRE(header->run == put[sent].run);
                REQUIRE(header->ordinal == put[sent].ordinal);
                ++sent;
            } else if (what < 99) {
                if (released == sent) continue;
                buffer.queue.release();
                ++released;
            } else {
                buffer.queue.rewind();  // another writer: all that is not acknowledged again
                sent = released;
            }
        }
        while (buffer.send()) ++sent;
        CHECK(sent == put.size());
        for (; released < sent; ++released) buffer.queue.release();
        CHECK(buffer.queue.waiting_bytes() == 0);
        CHECK(files_in(folder.path(), ".journal").empty());
    }
}

TEST_CASE("a full spill leaves the frames in the ring and says so", "[run][spill]") {
    const TemporaryFolder folder;
    Buffer buffer{folder.path(), 200'000};
    std::uint64_t ordinal = 0;
    for (; buffer.put(1, ordinal); ++ordinal) (void)buffer.queue.keep_room();
    (void)buffer.queue.keep_room();
    CHECK_THAT(buffer.queue.problem(), Catch::Contains("the spill is full"));
    CHECK(buffer.queue.status().used_bytes <= 200'000);
    CHECK(ordinal > 70);  // 200 kB and 128 kB in frames of 4.3 kB
    for (std::uint64_t i = 0; i < ordinal; ++i) REQUIRE(buffer.send()->ordinal == i);
    for (std::uint64_t i = 0; i < ordinal; ++i) buffer.queue.release();
    (void)buffer.queue.keep_room();
    CHECK(buffer.queue.problem().empty());
}

TEST_CASE("what a killed daemon had spilled is sent first by the next, what a clean one had left is all of it",
          "[run][spill]") {
    const TemporaryFolder folder;
    const bool clean = GENERATE(false, true);
    constexpr std::uint64_t kFrames = 200;
    std::uint64_t in_files = kFrames;
    {
        Buffer buffer{folder.path()};
        for (std::uint64_t i = 0; i < kFrames; ++i) {
            REQUIRE(buffer.put(7, i));
            (void)buffer.queue.keep_room();
        }
        if (clean) {
            buffer.queue.spill_all();
            CHECK(buffer.ring.stats().used_bytes == 0);
        } else {
            in_files = buffer.registry.get("spill.frames").value();
        }
    }
    Buffer next{folder.path()};
    REQUIRE(next.queue.found());
    CHECK(next.queue.found()->run == 7);
    CHECK(next.queue.found()->triggers == in_files - 1);
    CHECK(next.queue.found()->last_sequence == in_files - 2);
    CHECK(next.queue.found()->last_utc_ns == static_cast<std::int64_t>(7'000 + in_files - 1));
    CHECK(next.queue.found()->lost_triggers == 0);
    REQUIRE(next.put(8, 0));
    for (std::uint64_t i = 0; i < in_files; ++i) {
        const auto sent = next.send();
        REQUIRE(sent);
        CHECK(sent->run == 7);
        CHECK(sent->ordinal == i);
    }
    CHECK(next.send()->run == 8);
}

TEST_CASE("of a damaged spill what stands before the damage is sent, the rest is counted and kept", "[run][spill]") {
    const TemporaryFolder folder;
    {
        Buffer buffer{folder.path()};
        for (std::uint64_t i = 0; i < 600; ++i) {  // two files and more
            REQUIRE(buffer.put(7, i));
            (void)buffer.queue.keep_room();
        }
        buffer.queue.spill_all();
        REQUIRE(buffer.put(8, 0));  // another run, a file of its own
        REQUIRE(buffer.put(8, 1));
        buffer.queue.spill_all();
    }
    const std::vector<std::filesystem::path> files = files_in(folder.path(), ".journal");
    REQUIRE(files.size() == 4);
    // In the 11th frame of the first file: ten whole ones before it (the run's start and nine triggers).
    std::uint64_t at = sizeof(JournalHeader);
    for (std::uint64_t i = 0; i < 10; ++i) at += frame_of(7, i).size();
    flip_byte(files[0], at + 100);

    Buffer next{folder.path()};
    REQUIRE(next.queue.found());
    CHECK(next.registry.get("spill.lost_triggers").value() ==
          599 - 9 - 1);  // one is no trigger any more, its bytes count
    CHECK(next.registry.get("spill.lost_bytes").value() > 2'000'000);
    for (std::uint64_t i = 0; i < 10; ++i) {
        const auto sent = next.send();
        REQUIRE(sent);
        CHECK(sent->run == 7);
        CHECK(sent->ordinal == i);
    }
    for (std::uint64_t i = 0; i < 2; ++i) {  // the run behind is whole
        const auto sent = next.send();
        REQUIRE(sent);
        CHECK(sent->run == 8);
        CHECK(sent->ordinal == i);
    }
    CHECK_FALSE(next.send());
    for (int i = 0; i < 12; ++i) next.queue.release();
    CHECK(next.queue.waiting_bytes() == 0);
    CHECK(files_in(folder.path(), ".journal").empty());
    CHECK(files_in(folder.path(), ".damaged").size() == 3);
}

TEST_CASE("a torn end is what a kill leaves, and no damage", "[run][spill]") {
    struct Cut {
        std::uint64_t bytes_left;  // 0: all but one
        std::uint64_t frames_left;
    };
    const Cut cut = GENERATE(Cut{0, 19}, Cut{sizeof(JournalHeader) + 10, 0}, Cut{30, 0});
    const TemporaryFolder folder;
    {
        Buffer buffer{folder.path()};
        for (std::uint64_t i = 0; i < 20; ++i) REQUIRE(buffer.put(7, i));
        buffer.queue.spill_all();
    }
    const std::filesystem::path file = files_in(folder.path(), ".journal").at(0);
    std::filesystem::resize_file(file, cut.bytes_left == 0 ? std::filesystem::file_size(file) - 1 : cut.bytes_left);
    Buffer next{folder.path()};
    CHECK(next.registry.get("spill.lost_bytes").value() == 0);
    std::uint64_t sent = 0;
    while (next.send()) ++sent;
    CHECK(sent == cut.frames_left);
    CHECK(files_in(folder.path(), ".damaged").empty());
}

TEST_CASE("two daemons do not spill into one folder", "[run][spill]") {
    const TemporaryFolder folder;
    Buffer buffer{folder.path()};
    CHECK_THROWS_WITH(Buffer{folder.path()}, Catch::Contains("another daemon"));
}
