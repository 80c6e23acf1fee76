#include <catch2/catch.hpp>
#include <fstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/journal.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

std::vector<std::byte> content_of(const std::filesystem::path& path) {
    std::vector<std::byte> bytes(std::filesystem::file_size(path));
    std::ifstream{path, std::ios::binary}.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("a journal gives back the frames byte for byte and in order", "[store][journal]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(7)};
    std::vector<RunFrames::Frame> written{frames.start(), frames.trigger(0), frames.calibration(0, 70), frames.trigger(1)};
    {
        JournalWriter journal = JournalWriter::create(folder / "j", {7, 3}, 0);
        for (const auto& frame : written) journal.append(frame);
        journal.sync();
        REQUIRE(journal.bytes() == std::filesystem::file_size(folder / "j"));
    }
    JournalReader reader{folder / "j"};
    REQUIRE(reader.name() == PartName{7, 3});
    FrameView frame;
    for (const auto& expected : written) {
        REQUIRE(reader.next(frame));
        REQUIRE(std::equal(frame.bytes.begin(), frame.bytes.end(), expected.begin(), expected.end()));
    }
    REQUIRE_FALSE(reader.next(frame));
    REQUIRE(reader.complete());
    REQUIRE(reader.why().empty());
}

TEST_CASE("a journal cut at any byte gives exactly the whole frames before the cut", "[store][journal]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(7)};
    std::vector<std::size_t> ends{64};
    {
        JournalWriter journal = JournalWriter::create(folder / "whole", {7, 1}, 0);
        for (const auto& frame : {frames.start(), frames.trigger(0), frames.dead_time(1, 2), frames.trigger(3)}) {
            journal.append(frame);
            ends.push_back(ends.back() + frame.size());
        }
        journal.sync();
    }
    const std::vector<std::byte> bytes = content_of(folder / "whole");
    REQUIRE(bytes.size() == ends.back());
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        write_file(folder / "cut", std::span{bytes}.first(cut));
        if (cut < 64) {
            REQUIRE_THROWS_WITH(JournalReader{folder / "cut"}, Catch::Contains("cut short within its header"));
            continue;
        }
        JournalReader reader{folder / "cut"};
        FrameView frame;
        std::size_t n = 0;
        while (reader.next(frame)) ++n;
        const auto whole = static_cast<std::size_t>(std::count_if(ends.begin(), ends.end(), [&](std::size_t e) { return e <= cut; })) - 1;
        if (n != whole) FAIL("cut at " << cut << ": " << n << " frames instead of " << whole);
        if (reader.whole_bytes() != ends[whole]) FAIL("cut at " << cut << ": " << reader.whole_bytes() << " whole bytes");
        if (reader.complete() != (cut == ends[whole])) FAIL("cut at " << cut << ": complete is wrong");
    }
}

TEST_CASE("a byte changed anywhere in a journal ends it before the frame it is in", "[store][journal]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(7)};
    const RunFrames::Frame first = frames.start(), second = frames.trigger(0), third = frames.trigger(1);
    {
        JournalWriter journal = JournalWriter::create(folder / "j", {7, 1}, 0);
        for (const auto* frame : {&first, &second, &third}) journal.append(*frame);
        journal.sync();
    }
    const std::vector<std::byte> bytes = content_of(folder / "j");
    const std::size_t begin = 64 + first.size(), end = begin + second.size();
    for (std::size_t at = begin; at < end; ++at) {
        std::vector<std::byte> damaged = bytes;
        damaged[at] ^= std::byte{0x10};
        write_file(folder / "damaged", damaged);
        JournalReader reader{folder / "damaged"};
        FrameView frame;
        std::size_t n = 0;
        while (reader.next(frame)) ++n;
        if (n != 1) FAIL("changed at " << at << ": " << n << " frames");
    }
    std::vector<std::byte> damaged = bytes;
    damaged[begin + 40] ^= std::byte{1};
    write_file(folder / "damaged", damaged);
    JournalReader reader{folder / "damaged"};
    FrameView frame;
    while (reader.next(frame)) {}
    REQUIRE_THAT(reader.why(), Catch::Contains("checksum") && Catch::Contains("behind frame 0"));
    REQUIRE(reader.frames_behind_the_tear());
}

TEST_CASE("a torn journal goes on behind its last whole frame", "[store][journal]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(7)};
    const RunFrames::Frame start = frames.start(), torn = frames.trigger(0), next = frames.trigger(1);
    {
        JournalWriter journal = JournalWriter::create(folder / "j", {7, 1}, 0);
        journal.append(start);
        journal.append(torn);
        journal.sync();
    }
    std::filesystem::resize_file(folder / "j", std::filesystem::file_size(folder / "j") - 9);
    std::uint64_t whole = 0;
    {
        JournalReader reader{folder / "j"};
        FrameView frame;
        while (reader.next(frame)) {}
        whole = reader.whole_bytes();
        REQUIRE_THAT(reader.why(), Catch::Contains("cut short"));
        REQUIRE_FALSE(reader.frames_behind_the_tear());
    }
    JournalWriter journal = JournalWriter::reopen(folder / "j", whole);
    journal.append(next);
    journal.sync();
    JournalReader reader{folder / "j"};
    FrameView frame;
    REQUIRE(reader.next(frame));
    REQUIRE(reader.next(frame));
    REQUIRE(frame.header.ordinal == 2);
    REQUIRE_FALSE(reader.next(frame));
    REQUIRE(reader.complete());
}

TEST_CASE("a journal of another run's frames, or with a frame twice, stops there", "[store][journal]") {
    const TemporaryFolder folder;
    RunFrames ours{make_run(7)}, others{make_run(8)};
    const RunFrames::Frame start = ours.start(), stranger = others.start();
    for (const RunFrames::Frame* second : {&stranger, &start}) {
        const std::filesystem::path path = folder / (second == &start ? "twice" : "stranger");
        {
            JournalWriter journal = JournalWriter::create(path, {7, 1}, 0);
            journal.append(start);
            journal.append(*second);
            journal.sync();
        }
        JournalReader reader{path};
        FrameView frame;
        REQUIRE(reader.next(frame));
        REQUIRE_FALSE(reader.next(frame));
        REQUIRE_FALSE(reader.complete());
        REQUIRE_THAT(reader.why(), Catch::Contains(second == &start ? "frame 0 again" : "a frame of run 8"));
    }
}

TEST_CASE("a journal is never overwritten, and what is no journal is refused by name", "[store][journal]") {
    const TemporaryFolder folder;
    { (void)JournalWriter::create(folder / "j", {1, 1}, 0); }
    REQUIRE_THROWS_AS(JournalWriter::create(folder / "j", {1, 1}, 0), Error);
    std::ofstream{folder / "text"} << std::string(200, 'x');
    REQUIRE_THROWS_WITH(JournalReader{folder / "text"}, Catch::Contains("text: is not a journal"));
    REQUIRE_THROWS_WITH(JournalReader{folder / "absent"}, Catch::Contains("absent"));
}
