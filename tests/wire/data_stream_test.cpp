#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <vector>
#include <zmq.hpp>

#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/worker.hpp"
#include "daq/wire/data_client.hpp"
#include "daq/wire/data_server.hpp"
#include "proto/data.pb.h"
#include "samples.hpp"

using namespace alleycat;
using namespace alleycat::test;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::byte>;

/// A trigger's frame with `samples` samples that depend on run and ordinal.
Bytes trigger_frame(FramePosition at, std::size_t samples) {
    RecordHeader header;
    header.counter = at.ordinal;
    header.channels = 1;
    header.samples_per_channel = static_cast<std::uint32_t>(samples);
    Bytes payload(payload_bytes(header));
    for (std::size_t i = 0; i < payload.size(); ++i)
        payload[i] = static_cast<std::byte>(at.run * 31 + at.ordinal * 7 + i);
    Trigger trigger;
    trigger.sequence = at.ordinal;
    trigger.add({header, payload});
    Event event;
    event.sequence = at.ordinal;
    Bytes frame(trigger_frame_bytes(trigger, event));
    frame.resize(encode_trigger(frame, at.run, at.ordinal, trigger, event));
    return frame;
}

/// The writing side of a retransmit ring, as the daemon has it: runs of frames with ordinals from 0.
class Frames {
  public:
    explicit Frames(std::size_t bytes = 1u << 20) : ring{bytes} {}

    /// Appends a frame if there is space.
    bool push(FramePosition at, std::size_t samples) {
        const Bytes frame = at.ordinal == 0 ? encode_run_start(sample_run(at.run), 0) : trigger_frame(at, samples);
        return push_bytes(frame);
    }
    bool push_bytes(const Bytes& frame) {
        const std::span<std::byte> space = ring.reserve(frame.size());
        if (space.empty()) return false;
        std::memcpy(space.data(), frame.data(), frame.size());
        ring.commit();
        return true;
    }

    Ring ring;
};

/// A data server in its own thread.
class Served {
  public:
    explicit Served(Ring& ring, DataServer::Config config = {.endpoint = "tcp://127.0.0.1:*", .security = {}})
        : server{std::move(config), ring, counters}, thread_{"data", [this](std::stop_token stop) {
                                                                 server.run(std::move(stop));
                                                             }} {}
    ~Served() { stop(); }
    void stop() {
        thread_.request_stop();
        thread_.finish();
    }
    [[nodiscard]] std::uint64_t count(std::string_view name) { return counters.get(name).value(); }

    CounterRegistry counters;
    DataServer server;

  private:
    Worker thread_;
};

/// What a writer has: a journal that ends somewhere after a kill, and the frames it holds.
struct Journal {
    std::vector<std::pair<FramePosition, Bytes>> frames;

    [[nodiscard]] std::optional<FramePosition> last() const {
        if (frames.empty()) return std::nullopt;
        return frames.back().first;
    }
    void append(const FrameView& view) {
        frames.emplace_back(FramePosition{view.header.run, view.header.ordinal},
                            Bytes(view.bytes.begin(), view.bytes.end()));
    }
};

DataClient::Config client_config(const std::string& endpoint) {
    return {.endpoint = endpoint, .security = {}, .name = "test", .heartbeat = 100ms};
}

/// A peer that says what the test wants.
class RawWriter {
  public:
    explicit RawWriter(const std::string& endpoint) : socket_{context_, zmq::socket_type::dealer} {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::rcvtimeo, 10'000);
        socket_.connect(endpoint);
    }
    void send(const v1::DataRequest& request) { send(request.SerializeAsString()); }
    void send(const std::string& bytes) { socket_.send(zmq::buffer(bytes), zmq::send_flags::none); }
    void hello(std::uint64_t identity, std::uint32_t version = 2) {
        v1::DataRequest request;
        request.mutable_hello()->set_version(version);
        request.mutable_hello()->set_identity(identity);
        request.mutable_hello()->set_writer("raw");
        request.mutable_hello()->set_credit_bytes(1000);
        send(request);
    }
    /// The next answer of this kind, an empty one after 10 s; frames and heartbeats between are skipped.
    v1::DataReply answer(v1::DataReply::BodyCase kind) {
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (std::chrono::steady_clock::now() < deadline) {
            zmq::message_t part;
            if (!socket_.recv(part)) return {};
            v1::DataReply reply;
            std::uint32_t length = 0;  // of the reply, which follows
            if (part.size() < sizeof length) continue;
            std::memcpy(&length, part.data(), sizeof length);
            const bool parsed = sizeof length + length <= part.size() &&
                                reply.ParseFromArray(static_cast<const std::byte*>(part.data()) + sizeof length,
                                                     static_cast<int>(length));
            if (parsed && reply.body_case() == kind) return reply;
        }
        return {};
    }

  private:
    zmq::context_t context_;
    zmq::socket_t socket_;
};

}  // namespace

TEST_CASE("every frame stands in the journal exactly once though the writer is killed and comes back at random points",
          "[wire][data]") {
    const auto seed = GENERATE(1u, 2u, 3u);
    std::mt19937_64 random{seed};
    Frames frames{1u << 18};  // much less than what goes through: the ring is full again and again
    Served served{frames.ring};
    constexpr std::uint64_t kRuns = 3;
    constexpr std::uint64_t kFramesPerRun = 700;
    constexpr std::size_t kMaxSamples = 3000;

    FramePosition next{1, 0};
    std::uint64_t full = 0;
    const auto feed = [&] {
        while (next.run <= kRuns) {
            if (!frames.push(next, (next.run * 131 + next.ordinal * 17) % kMaxSamples)) {
                ++full;
                return;
            }
            next = next.ordinal + 1 < kFramesPerRun ? FramePosition{next.run, next.ordinal + 1}
                                                    : FramePosition{next.run + 1, 0};
        }
    };

    Journal journal;
    std::size_t on_disk = 0;  // frames that a kill cannot take away
    int kills = 0;
    const auto start_writer = [&] {
        DataClient::Config config = client_config(served.server.endpoint());
        config.credit_bytes = 50'000;
        return std::make_unique<DataClient>(std::move(config), [&] { return journal.last(); });
    };
    auto writer = start_writer();
    const bool finished = eventually(
        [&] { return journal.frames.size() == kRuns * kFramesPerRun && frames.ring.stats().used_bytes == 0; },
        [&] {
            feed();
            if (const std::optional<FrameView> frame = writer->receive(10ms)) journal.append(*frame);
            if (random() % 20 == 0 || journal.frames.size() == kRuns * kFramesPerRun) {
                on_disk = journal.frames.size();
                if (on_disk > 0) writer->acknowledge(*journal.last(), {});
            }
            if (kills < 25 && random() % 60 == 0) {
                ++kills;
                writer.reset();
                // Of what was not synced any part may have reached the disk.
                journal.frames.resize(on_disk + random() % (journal.frames.size() - on_disk + 1));
                on_disk = journal.frames.size();
                writer = start_writer();
            }
        });
    REQUIRE(finished);
    CHECK(kills >= 10);
    CHECK(full > 0);
    CHECK(writer->counts().missing == 0);
    CHECK(writer->counts().bad_frames == 0);
    CHECK(served.count("data.bad_messages") == 0);
    CHECK(served.server.durable() == FramePosition{kRuns, kFramesPerRun - 1});
    std::size_t i = 0;
    for (std::uint64_t run = 1; run <= kRuns; ++run) {
        for (std::uint64_t ordinal = 0; ordinal < kFramesPerRun; ++ordinal, ++i) {
            const FramePosition at{run, ordinal};
            REQUIRE(journal.frames[i].first == at);
            const Bytes expected = ordinal == 0 ? encode_run_start(sample_run(run), 0)
                                                : trigger_frame(at, (run * 131 + ordinal * 17) % kMaxSamples);
            REQUIRE(journal.frames[i].second == expected);
        }
    }
}

TEST_CASE("a writer that lives through a restart of the server gets every frame once", "[wire][data]") {
    const TemporaryFolder folder;
    const DataServer::Config config{
        .endpoint = "ipc://" + (folder / "data").string(), .security = {}, .heartbeat = 50ms};
    Frames frames;
    auto served = std::make_unique<Served>(frames.ring, config);
    Journal journal;
    std::optional<FramePosition> durable;
    DataClient::Config few_under_way = client_config(config.endpoint);
    few_under_way.credit_bytes = 10'000;
    DataClient writer{few_under_way, [&] { return durable; }};
    constexpr std::uint64_t kFrames = 300;
    for (std::uint64_t ordinal = 0; ordinal < kFrames; ++ordinal) REQUIRE(frames.push({5, ordinal}, 100));
    int restarts = 0;
    REQUIRE(eventually([&] { return journal.frames.size() == kFrames && frames.ring.stats().used_bytes == 0; },
                       [&] {
                           if (const auto frame = writer.receive(10ms)) journal.append(*frame);
                           const std::size_t have = journal.frames.size();
                           if (have % 50 == 49) {
                               durable = journal.frames[have - 20].first;  // the disk is behind
                               writer.acknowledge(*durable, {});
                           }
                           if (have == 70 * static_cast<std::size_t>(restarts + 1) && restarts < 3) {
                               ++restarts;
                               served.reset();
                               served = std::make_unique<Served>(frames.ring, config);
                           }
                           if (have == kFrames) {
                               durable = journal.last();
                               writer.acknowledge(*durable, {});
                           }
                       }));
    CHECK(restarts == 3);
    CHECK(writer.counts().hellos >= 4);
    CHECK(writer.counts().duplicates > 0);
    CHECK(writer.counts().missing == 0);
    CHECK(served->count("data.bad_messages") == 0);
    for (std::uint64_t ordinal = 0; ordinal < kFrames; ++ordinal) {
        REQUIRE(journal.frames[ordinal].first == FramePosition{5, ordinal});
    }
}

TEST_CASE("frames wait for a writer that comes late, and a full ring takes more when it has caught up",
          "[wire][data]") {
    Frames frames{1u << 16};
    Served served{frames.ring};
    std::uint64_t pushed = 0;
    while (frames.push({1, pushed}, 1000)) ++pushed;
    REQUIRE(pushed > 10);
    CHECK_FALSE(served.server.writer_connected());
    CHECK(served.server.unacknowledged_bytes() == frames.ring.stats().used_bytes);
    CHECK_FALSE(served.server.durable().has_value());

    DataClient writer{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    std::uint64_t got = 0;
    REQUIRE(eventually([&] { return got == pushed; }, [&] { got += writer.receive(10ms).has_value() ? 1 : 0; }));
    CHECK_FALSE(frames.push({1, pushed}, 1000));  // received is not on disk
    CHECK(served.server.writer_connected());

    const WriterStatus status{.state = WriterState::disk_low,
                              .file = "run_1.part",
                              .file_bytes = 123,
                              .disk_free_bytes = 456,
                              .problem = "slow disk"};
    writer.acknowledge({1, pushed - 1}, status);
    REQUIRE(eventually([&] { return frames.ring.stats().used_bytes == 0; }, [&] { (void)writer.receive(5ms); }));
    CHECK(frames.push({1, pushed}, 1000));
    REQUIRE(
        eventually([&] { return served.server.durable_ordinal() == pushed - 1; }, [&] { (void)writer.receive(5ms); }));
    const WriterStatus seen = served.server.status();
    CHECK(seen.connected);
    CHECK(seen.state == WriterState::disk_low);
    CHECK(seen.durable_triggers == pushed - 1);  // the first frame is the run's start
    CHECK(seen.file == "run_1.part");
    CHECK(seen.file_bytes == 123);
    CHECK(seen.disk_free_bytes == 456);
    CHECK(seen.problem == "slow disk");
    CHECK(seen.unacknowledged_bytes == frames.ring.stats().used_bytes);
}

TEST_CASE("what is under way never exceeds the credit, except for one frame", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 200; ++ordinal)
        REQUIRE(frames.push({1, ordinal}, ordinal == 100 ? 60'000 : 1000));
    DataClient::Config config = client_config(served.server.endpoint());
    config.credit_bytes = 10'000;
    DataClient writer{config, [] { return std::nullopt; }};
    std::uint64_t got = 0;
    std::uint64_t most_ahead = 0;
    REQUIRE(eventually([&] { return got == 200; },
                       [&] {
                           got += writer.receive(10ms).has_value() ? 1 : 0;
                           const std::uint64_t sent = served.count("data.frames_sent");
                           most_ahead = std::max(most_ahead, sent - std::min(sent, got));
                       }));
    CHECK(most_ahead <= 10);  // of 1000 bytes and more each
}

TEST_CASE("a second writer is refused with a reason while the first is there, and let in when it has left",
          "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    REQUIRE(frames.push({1, 0}, 0));
    auto first = std::make_unique<DataClient>(client_config(served.server.endpoint()), [] { return std::nullopt; });
    REQUIRE(eventually([&] { return first->receive(10ms).has_value(); }, [] {}));
    DataClient second{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return !second.refused().empty(); },
                       [&] {
                           (void)first->receive(1ms);
                           CHECK_FALSE(second.receive(10ms).has_value());
                       }));
    CHECK(second.refused() == "test is writing");
    CHECK_FALSE(second.connected());
    CHECK(served.count("data.refused_hellos") > 0);

    first.reset();
    REQUIRE(eventually([&] { return second.receive(10ms).has_value(); }, [] {}));
    CHECK(second.refused().empty());
}

TEST_CASE("the successor of a killed writer is let in because the connection is closed", "[wire][data]") {
    Frames frames;
    // Silence alone would not do within this test's patience.
    Served served{frames.ring, {.endpoint = "tcp://127.0.0.1:*", .security = {}, .heartbeat = 1s, .dead_after = 1h}};
    REQUIRE(frames.push({1, 0}, 0));
    auto killed = std::make_unique<RawWriter>(served.server.endpoint());
    killed->hello(1);
    REQUIRE(killed->answer(v1::DataReply::kWelcome).welcome().session() != 0);
    killed.reset();  // says nothing: its host closes the connection
    DataClient successor{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return successor.receive(10ms).has_value(); }, [] {}));
}

TEST_CASE("a writer that hangs with its connection open is replaced when it was silent for long enough",
          "[wire][data]") {
    Frames frames;
    Served served{frames.ring,
                  {.endpoint = "tcp://127.0.0.1:*", .security = {}, .heartbeat = 50ms, .dead_after = 200ms}};
    REQUIRE(frames.push({1, 0}, 0));
    RawWriter hanging{served.server.endpoint()};
    hanging.hello(1);
    REQUIRE(hanging.answer(v1::DataReply::kWelcome).welcome().session() != 0);
    DataClient successor{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return successor.receive(10ms).has_value(); }, [] {}));
    // The one that hung is told that its session is over when it wakes.
    v1::DataRequest request;
    request.mutable_progress()->set_session(77);
    hanging.send(request);
    CHECK(hanging.answer(v1::DataReply::kUnknownSession).unknown_session().session() == 77);
}

TEST_CASE("the same process on a new connection replaces itself at once", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    RawWriter old_connection{served.server.endpoint()};
    old_connection.hello(99);
    const std::uint64_t session = old_connection.answer(v1::DataReply::kWelcome).welcome().session();
    RawWriter new_connection{served.server.endpoint()};
    new_connection.hello(99);
    const v1::DataReply reply = new_connection.answer(v1::DataReply::kWelcome);
    CHECK(reply.welcome().session() != 0);
    CHECK(reply.welcome().session() != session);
}

TEST_CASE("a writer of another data stream version is refused, and told who has to be updated", "[wire][data]") {
    Frames frames;
    REQUIRE(frames.push({3, 0}, 10));
    const std::uint64_t used = frames.ring.stats().used_bytes;
    Served served{frames.ring};
    RawWriter newer{served.server.endpoint()};
    newer.hello(1, 3);
    CHECK(newer.answer(v1::DataReply::kRefusal).refusal().reason() ==
          "it speaks version 3 of the data stream, this daemon 2: update the daemon");
    RawWriter older{served.server.endpoint()};  // knows no frames of gaps and notes
    older.hello(2, 1);
    CHECK(older.answer(v1::DataReply::kRefusal).refusal().reason() ==
          "it speaks version 1 of the data stream, this daemon 2: update the writer");
    CHECK_FALSE(served.server.writer_connected());
    CHECK(frames.ring.stats().used_bytes == used);
    CHECK(served.count("data.refused_hellos") == 2);
}

TEST_CASE("a writer that claims frames the run never had is refused and nothing is given up", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 5; ++ordinal) REQUIRE(frames.push({3, ordinal}, 10));
    const std::uint64_t used = frames.ring.stats().used_bytes;
    DataClient writer{client_config(served.server.endpoint()), [] { return FramePosition{3, 5}; }};
    REQUIRE(eventually([&] { return !writer.refused().empty(); }, [&] { (void)writer.receive(10ms); }));
    CHECK(writer.refused() ==
          "the writer has frame 5 of run 3 on disk, which has 5 frames only: another run of the same number?");
    CHECK(frames.ring.stats().used_bytes == used);
}

TEST_CASE("a writer whose last run is not in the ring gets everything", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 5; ++ordinal) REQUIRE(frames.push({3, ordinal}, 10));
    DataClient writer{client_config(served.server.endpoint()), [] { return FramePosition{2, 1000}; }};
    std::uint64_t got = 0;
    REQUIRE(eventually([&] { return got == 5; }, [&] { got += writer.receive(10ms).has_value() ? 1 : 0; }));
    CHECK(writer.counts().missing == 0);
    CHECK(writer.counts().duplicates == 0);
}

TEST_CASE("frames that no daemon has any more are counted as missing", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 10; ++ordinal) REQUIRE(frames.push({3, ordinal}, 10));
    {
        DataClient first{client_config(served.server.endpoint()), [] { return FramePosition{3, 5}; }};
        REQUIRE(eventually([&] { return first.receive(10ms).has_value(); }, [] {}));
    }
    // Another writer, which does not have what the first one acknowledged.
    DataClient second{client_config(served.server.endpoint()), [] { return FramePosition{3, 1}; }};
    std::optional<std::uint64_t> got;
    REQUIRE(eventually([&] { return got.has_value(); },
                       [&] {
                           if (const auto frame = second.receive(10ms)) got = frame->header.ordinal;
                       }));
    CHECK(got == 6);
    CHECK(second.counts().missing == 4);  // frames 2 to 5
}

TEST_CASE("a frame damaged in the ring is asked for again, then counted as missing, and the others arrive",
          "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 6; ++ordinal) {
        Bytes frame = trigger_frame({1, ordinal}, 100);
        if (ordinal == 3) frame[60] ^= std::byte{1};
        REQUIRE(frames.push_bytes(frame));
    }
    std::vector<std::uint64_t> got;
    DataClient writer{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return got.size() == 5; },
                       [&] {
                           if (const auto frame = writer.receive(10ms)) got.push_back(frame->header.ordinal);
                       }));
    CHECK(got == std::vector<std::uint64_t>{0, 1, 2, 4, 5});
    CHECK(writer.counts().bad_frames == 3);
    CHECK(writer.counts().missing == 1);
}

TEST_CASE("frames of a newer format are not acknowledged away", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    Bytes frame = trigger_frame({1, 0}, 100);
    const std::uint16_t newer = kFrameVersion + 1;
    std::memcpy(frame.data() + offsetof(FrameHeader, version), &newer, sizeof newer);
    REQUIRE(frames.push_bytes(frame));
    DataClient writer{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return !writer.refused().empty(); }, [&] { (void)writer.receive(10ms); }));
    CHECK(writer.refused() == "its frames are of a newer format version: update this writer");
    CHECK(frames.ring.stats().used_bytes > 0);
}

TEST_CASE("the writer hears when the daemon ends", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    DataClient writer{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    REQUIRE(eventually([&] { return writer.connected(); }, [&] { (void)writer.receive(10ms); }));
    served.stop();
    REQUIRE(eventually([&] { return !writer.connected(); }, [&] { (void)writer.receive(10ms); }));
    CHECK_FALSE(served.server.writer_connected());
}

TEST_CASE("every frame is aligned as its reader needs it", "[wire][data]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 100; ++ordinal) REQUIRE(frames.push({1, ordinal}, ordinal * 37 % 500));
    DataClient writer{client_config(served.server.endpoint()), [] { return std::nullopt; }};
    int got = 0;
    int misaligned = 0;
    REQUIRE(eventually([&] { return got == 100; },
                       [&] {
                           const auto frame = writer.receive(10ms);
                           if (!frame) return;
                           ++got;
                           if (reinterpret_cast<std::uintptr_t>(frame->bytes.data()) % 8 != 0) ++misaligned;
                       }));
    CHECK(misaligned == 0);
}

TEST_CASE("no hostile request stops the data server or frees what is not on disk", "[wire][hostile]") {
    Frames frames;
    Served served{frames.ring};
    for (std::uint64_t ordinal = 0; ordinal < 50; ++ordinal) REQUIRE(frames.push({1, ordinal}, 10));
    const std::uint64_t used = frames.ring.stats().used_bytes;
    RawWriter hostile{served.server.endpoint()};
    hostile.hello(1);
    const std::uint64_t session = hostile.answer(v1::DataReply::kWelcome).welcome().session();
    const auto claim = [&](std::uint64_t consumed, FramePosition at) {
        v1::DataRequest request;
        request.mutable_progress()->set_session(session);
        request.mutable_progress()->set_consumed_bytes(consumed);
        request.mutable_progress()->mutable_durable()->set_run(at.run);
        request.mutable_progress()->mutable_durable()->set_ordinal(at.ordinal);
        hostile.send(request);
    };
    claim(0, {1, 1'000'000});  // never sent
    claim(0, {9, 0});          // a run that is not there
    claim(1u << 30, {1, 0});   // consumed more than was sent
    std::mt19937_64 random{99};
    v1::DataRequest good;
    good.mutable_progress()->set_session(~session);  // no one-byte damage makes it the right one
    good.mutable_progress()->mutable_durable()->set_run(1);
    good.mutable_progress()->mutable_status()->set_file("x");
    for (int i = 0; i < 2000; ++i) {
        std::string bytes = good.SerializeAsString();
        bytes[random() % bytes.size()] = static_cast<char>(random());
        if (random() % 3 == 0) bytes.resize(random() % bytes.size());
        if (random() % 3 == 0) bytes = std::string(random() % 50, static_cast<char>(random()));
        hostile.send(bytes);
    }
    REQUIRE(eventually([&] { return served.count("data.bad_messages") > 100; },
                       [&] { (void)hostile.answer(v1::DataReply::kUnknownSession); }));
    CHECK(frames.ring.stats().used_bytes == used);
    hostile.hello(1);
    CHECK(hostile.answer(v1::DataReply::kWelcome).welcome().session() != 0);
}

TEST_CASE("no hostile reply crashes the writer or makes it take what is not a frame", "[wire][hostile]") {
    zmq::context_t context;
    zmq::socket_t daemon{context, zmq::socket_type::router};
    daemon.set(zmq::sockopt::linger, 0);
    daemon.set(zmq::sockopt::rcvtimeo, 10);
    daemon.bind("tcp://127.0.0.1:*");
    DataClient writer{client_config(daemon.get(zmq::sockopt::last_endpoint)), [] { return std::nullopt; }};

    zmq::message_t peer;
    REQUIRE(eventually([&] { return daemon.recv(peer).has_value(); }, [&] { (void)writer.receive(10ms); }));
    std::mt19937_64 random{7};
    const Bytes frame = trigger_frame({1, 0}, 50);
    const auto send = [&](const std::string& reply, const Bytes* body) {
        daemon.send(zmq::buffer(peer.data(), peer.size()), zmq::send_flags::sndmore);
        const auto length = static_cast<std::uint32_t>(reply.size());
        std::string message(sizeof length, '\0');
        std::memcpy(message.data(), &length, sizeof length);
        message += reply;
        message.resize((message.size() + 7) / 8 * 8);
        if (body != nullptr) message.append(reinterpret_cast<const char*>(body->data()), body->size());
        if (random() % 10 == 0) message[random() % 4] = static_cast<char>(random());
        if (random() % 10 == 0) message.resize(random() % message.size());
        daemon.send(zmq::buffer(message), zmq::send_flags::none);
    };
    int taken = 0;
    int wrong = 0;
    for (int i = 0; i < 3000; ++i) {
        v1::DataReply welcome;
        welcome.mutable_welcome()->set_version(2);
        welcome.mutable_welcome()->set_session(5);
        send(welcome.SerializeAsString(), nullptr);
        v1::DataReply reply;
        reply.mutable_frame()->set_session(5);
        reply.mutable_frame()->set_run(1);
        std::string bytes = reply.SerializeAsString();
        Bytes body = frame;
        if (random() % 2 == 0) bytes[random() % bytes.size()] = static_cast<char>(random());
        body[random() % body.size()] ^= static_cast<std::byte>(1 + random() % 255);
        if (random() % 4 == 0) body.resize(random() % body.size());
        send(bytes, &body);
        for (auto got = writer.receive(0ms); got; got = writer.receive(0ms)) {
            ++taken;
            if (!std::equal(got->bytes.begin(), got->bytes.end(), frame.begin(), frame.end())) ++wrong;
        }
    }
    REQUIRE(eventually([&] { return writer.counts().bad_frames > 100; }, [&] { (void)writer.receive(10ms); }));
    CHECK(taken == 0);
    CHECK(wrong == 0);
}
