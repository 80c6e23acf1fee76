// A disk that refuses at any call: through the probe every change of journal, part and folder goes by.

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/disk_room.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/journal.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/store/single_file_writer.hpp"
#include "daq/store/verify.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

using Kind = DiskCall::Kind;

/// Refuses the calls from `first` on, `length` of them.
class BadDisk final : public DiskProbe {
  public:
    BadDisk(std::uint64_t first, std::uint64_t length, int error) : first_{first}, end_{first + length}, error_{error} {
        before_ = install_disk_probe(this);
    }
    ~BadDisk() override { install_disk_probe(before_); }
    BadDisk(const BadDisk&) = delete;
    BadDisk& operator=(const BadDisk&) = delete;

    int before(const DiskCall& call, std::size_t& written) override {
        const std::uint64_t n = calls_++;
        if (n < first_ || n >= end_) return 0;
        ++refused_;
        written = call.bytes.size() / 2;  // a full disk takes what there is room for
        return error_;
    }
    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

  private:
    std::uint64_t first_, end_;
    std::atomic<std::uint64_t> calls_{0}, refused_{0};
    int error_;
    DiskProbe* before_ = nullptr;
};

/// A disk whose failed syncs lose what was written since the last good one, although memory still shows it.
class ForgetfulDisk final : public DiskProbe {
  public:
    explicit ForgetfulDisk(std::uint64_t failing_sync) : failing_sync_{failing_sync} {
        before_ = install_disk_probe(this);
    }
    ~ForgetfulDisk() override { install_disk_probe(before_); }
    ForgetfulDisk(const ForgetfulDisk&) = delete;
    ForgetfulDisk& operator=(const ForgetfulDisk&) = delete;

    int before(const DiskCall& call, std::size_t&) override {
        if (call.kind != Kind::sync || call.path.extension() != ".journal") return 0;  // by the thread that writes
        if (syncs_++ != failing_sync_) return 0;
        failed_journal_ = call.path;
        return EIO;
    }
    [[nodiscard]] const std::filesystem::path& failed_journal() const noexcept { return failed_journal_; }

  private:
    std::uint64_t failing_sync_, syncs_ = 0;
    std::filesystem::path failed_journal_;
    DiskProbe* before_ = nullptr;
};

/// A disk that takes its time to make parts durable: until it is told to.
class SlowPartDisk final : public DiskProbe {
  public:
    SlowPartDisk() { before_ = install_disk_probe(this); }
    ~SlowPartDisk() override { install_disk_probe(before_); }
    SlowPartDisk(const SlowPartDisk&) = delete;
    SlowPartDisk& operator=(const SlowPartDisk&) = delete;

    int before(const DiskCall& call, std::size_t&) override {
        if (call.kind == Kind::sync && call.path.extension() == ".part") released_.wait(false);
        return 0;
    }
    void release() {
        released_ = true;
        released_.notify_all();
    }

  private:
    std::atomic<bool> released_{false};
    DiskProbe* before_ = nullptr;
};

StoreConfig config_in(const TemporaryFolder& folder) {
    StoreConfig config;
    config.folder = folder.path();
    config.compression = Compression::blosc;
    config.disk_warning_mb = 0;
    config.disk_stop_mb = 0;
    config.part_minutes = std::chrono::minutes{1};  // 60 triggers, one a second
    config.retry_interval = std::chrono::milliseconds{0};
    return config;
}

constexpr std::uint64_t kTriggers = 150;

/// Three parts; beam states come 20 triggers late.
std::vector<RunFrames::Frame> whole_run() {
    RunFrames frames{make_run(77)};
    std::vector<RunFrames::Frame> all{frames.start(), frames.calibration(0, 70)};
    for (std::uint64_t s = 0; s < kTriggers; ++s) {
        all.push_back(frames.trigger(s));
        if (s % 10 == 9 && s >= 29) all.push_back(frames.beam_states(s - 29, s - 20, BeamState::on, 1e6f));
    }
    all.push_back(frames.beam_states(kTriggers - 20, kTriggers - 1, BeamState::on, 1e6f));
    all.push_back(frames.end(kTriggers));
    return all;
}

/// What a daemon does: keeps what is not acknowledged and sends it again when the writer is ready. Returns how often
/// the disk refused.
int write_all(RunWriter& writer, const std::vector<RunFrames::Frame>& frames, std::string& problem) {
    int refusals = 0, tries = 0;
    std::optional<Durable> acknowledged;
    std::size_t next = 0;
    while (next < frames.size() || !acknowledged || acknowledged->ordinal + 1 < frames.size()) {
        REQUIRE(++tries < 5000);
        if (!writer.ready()) {
            REQUIRE_FALSE(writer.status().problem.empty());
            continue;
        }
        try {
            if (next < frames.size()) writer.append(view(frames[next++]));
            if (next % 7 == 0 || next == frames.size()) acknowledged = writer.sync();
        } catch (const DiskRefused& e) {
            ++refusals;
            problem = e.what();
            const std::optional<Durable> durable = writer.durable();
            if (acknowledged) {
                REQUIRE(durable);
                REQUIRE(durable->ordinal >= acknowledged->ordinal);
            }
            next = durable ? durable->ordinal + 1 : 0;
        }
    }
    return refusals;
}

void require_whole_run(const TemporaryFolder& folder) {
    std::vector<std::uint64_t> sequences;
    for (const char* name :
         {"run_000077_part_0001.h5", "run_000077_part_0002.h5", "run_000077_part_0003.h5", "run_000077_part_0004.h5"}) {
        if (!std::filesystem::exists(folder / name)) continue;
        const AlleycatFile part{folder / name};
        std::vector<Event> events;
        std::vector<BeamResolution> states;
        part.read_events(0, part.triggers(), events, states);
        for (const Event& e : events) sequences.push_back(e.sequence);
        for (const BeamResolution& state : states) REQUIRE(state.state == BeamState::on);
    }
    REQUIRE(sequences.size() == kTriggers);
    for (std::uint64_t s = 0; s < kTriggers; ++s) REQUIRE(sequences[s] == s);
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
        REQUIRE(entry.path().extension() != ".journal");
        REQUIRE(entry.path().extension() != ".part");
    }
    const VerifyReport report = verify(folder.path());
    for (const auto& file : report.files) {
        for (const std::string& p : file.problems) FAIL_CHECK(file.path.filename().string() << ": " << p);
    }
    for (const std::string& p : report.problems) FAIL_CHECK(p);
}

/// Calls of a run that nothing disturbs.
std::uint64_t calls_of(const std::vector<RunFrames::Frame>& frames) {
    const TemporaryFolder folder;
    const BadDisk good{~std::uint64_t{0} >> 1, 0, 0};
    RunWriter writer{config_in(folder)};
    std::string problem;
    REQUIRE(write_all(writer, frames, problem) == 0);
    require_whole_run(folder);
    return good.calls();
}

}  // namespace

TEST_CASE("while a full part is made durable, triggers are taken and acknowledged", "[store][disk]") {
    const TemporaryFolder folder;
    SlowPartDisk disk;
    RunFrames frames{make_run(7)};
    RunWriter writer{config_in(folder)};
    writer.append(view(frames.start()));
    const auto second = [&](std::uint64_t s) {
        writer.append(view(frames.trigger(s)));
        writer.append(view(frames.beam_states(s, s, BeamState::on, 5)));
    };
    for (std::uint64_t s = 0; s < 100; ++s) second(s);  // the first 60 fill a part
    REQUIRE(writer.sync()->sequence == 99);
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000007_part_0001.h5"));
    REQUIRE(std::filesystem::exists(folder / "run_000007_part_0001.journal"));

    disk.release();
    writer.finish();
    REQUIRE(std::filesystem::exists(folder / "run_000007_part_0001.h5"));
    REQUIRE_FALSE(std::filesystem::exists(folder / "run_000007_part_0001.journal"));
    writer.append(view(frames.end(100)));
    REQUIRE(verify(folder.path()).problems.empty());
}

TEST_CASE("a disk that refuses once, at any call, costs nothing", "[store][disk]") {
    const std::vector<RunFrames::Frame> frames = whole_run();
    const std::uint64_t calls = calls_of(frames);
    REQUIRE(calls > 300);
    // Each of the first calls, then more and more apart up to the end. Call 0 makes the lock: without it no writer.
    for (std::uint64_t n = 1; n < calls; n += 1 + n / 10) {
        const TemporaryFolder folder;
        const BadDisk disk{n, 1, n % 2 == 0 ? ENOSPC : EIO};
        RunWriter writer{config_in(folder)};
        std::string problem;
        INFO("call " << n << " of " << calls << ": " << problem);
        const int refusals = write_all(writer, frames, problem);
        REQUIRE(disk.refused() == 1);
        REQUIRE(refusals <= 1);
        require_whole_run(folder);
        if (refusals == 1) {
            const std::string reason = n % 2 == 0 ? "No space left on device" : "Input/output error";
            REQUIRE_THAT(problem, Catch::StartsWith(folder.path().string()) && Catch::Contains(reason));
        }
    }
}

TEST_CASE("of a part that cannot be begun on a full disk nothing stays", "[store][disk]") {
    RunFrames frames{make_run(77)};
    const RunFrames::Frame start = frames.start();
    bool begun = false;
    for (std::uint64_t n = 0; !begun; ++n) {
        const TemporaryFolder folder;
        const BadDisk disk{n, 1'000'000, ENOSPC};
        INFO("call " << n);
        try {
            const PartWriter part{folder / "part.h5", view(start), 1, Compression::none, RawSelection{}, 1};
            begun = true;
        } catch (const DiskError& e) {
            REQUIRE(e.disk_full());
            REQUIRE(std::filesystem::is_empty(folder.path()));
        }
        REQUIRE((n > 0 || !begun));
    }
}

TEST_CASE("of a small file that cannot be replaced on a full disk the old one stays, and nothing beside it",
          "[store][disk]") {
    const TemporaryFolder folder;
    const std::filesystem::path file = folder / "csi.campaign";
    const std::string before = "before", after = "after";
    const auto put = [&](const std::string& text) { replace_file(file, std::as_bytes(std::span{text})); };
    put(before);
    for (std::uint64_t n = 0; n < 4; ++n) {  // create, write, sync, rename
        const BadDisk disk{n, 1, ENOSPC};
        REQUIRE_THROWS_AS(put(after), DiskError);
        REQUIRE_FALSE(std::filesystem::exists(folder / "csi.campaign.new"));
        REQUIRE(std::filesystem::file_size(file) == before.size());
    }
    put(after);
    REQUIRE(std::filesystem::file_size(file) == after.size());
}

TEST_CASE("a disk that refuses for a while is tried again until it takes everything", "[store][disk]") {
    const std::vector<RunFrames::Frame> frames = whole_run();
    for (const std::uint64_t first : {40, 111, 205, 290, 333}) {
        const TemporaryFolder folder;
        const BadDisk disk{first, 25, ENOSPC};
        RunWriter writer{config_in(folder)};
        std::string problem;
        REQUIRE(write_all(writer, frames, problem) >= 1);
        REQUIRE(disk.refused() == 25);
        require_whole_run(folder);
    }
}

TEST_CASE("a writer whose disk refuses for ever ends in order, and its successor has all that was acknowledged",
          "[store][disk]") {
    const std::vector<RunFrames::Frame> frames = whole_run();
    const std::uint64_t calls = calls_of(frames);
    for (std::uint64_t n = 30; n < calls; n += 1 + n / 6) {
        const TemporaryFolder folder;
        std::optional<Durable> acknowledged;
        {
            const BadDisk disk{n, 1'000'000, EIO};
            RunWriter writer{config_in(folder)};
            try {
                for (std::size_t i = 0; i < frames.size(); ++i) {
                    writer.append(view(frames[i]));
                    if (i % 5 == 0) acknowledged = writer.sync();
                }
            } catch (const DiskRefused&) {
            }
            if (disk.refused() == 0) break;  // it had written everything before
            for (int i = 0; i < 3; ++i) REQUIRE_FALSE(writer.ready());
            REQUIRE(writer.status().state == WriterState::failed);
            REQUIRE_NOTHROW(writer.finish());
        }
        RunWriter next{config_in(folder)};
        REQUIRE(next.ready());
        if (acknowledged) REQUIRE(next.durable()->ordinal >= acknowledged->ordinal);
        std::string problem;
        REQUIRE(write_all(next, frames, problem) == 0);
        require_whole_run(folder);
    }
}

TEST_CASE("what a failed sync left in memory is written again, not believed", "[store][disk]") {
    const std::vector<RunFrames::Frame> frames = whole_run();
    for (const std::uint64_t sync : {5, 6, 9}) {
        const TemporaryFolder folder;
        const ForgetfulDisk disk{sync};
        RunWriter writer{config_in(folder)};
        std::optional<Durable> synced;
        std::size_t next = 0;
        try {
            for (; next < frames.size(); ++next) {
                writer.append(view(frames[next]));
                if (next % 3 == 0) synced = writer.sync();
            }
        } catch (const DiskRefused&) {
        }
        REQUIRE(synced);
        REQUIRE(std::filesystem::exists(disk.failed_journal()));
        // The frames behind the last good sync stand whole in the file as memory shows it. They are not durable.
        JournalReader reader{disk.failed_journal()};
        std::uint64_t seen = 0;
        for (FrameView frame; reader.next(frame);) seen = frame.header.ordinal;
        REQUIRE(seen > synced->ordinal);
        REQUIRE(writer.ready());
        REQUIRE(writer.durable() == synced);
        std::string problem;
        REQUIRE(write_all(writer, frames, problem) == 0);
        require_whole_run(folder);
    }
}

TEST_CASE("a journal that was refused takes nothing more", "[store][disk][journal]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(7)};
    JournalWriter journal = JournalWriter::create(folder / "j", {7, 1}, 0);
    journal.append(frames.start());
    journal.sync();
    const std::uint64_t synced = journal.synced_bytes();
    REQUIRE(synced == std::filesystem::file_size(folder / "j"));
    journal.append(frames.trigger(0));
    {
        const BadDisk disk{1, 1, EIO};  // the write passes, the sync does not
        REQUIRE_THROWS_WITH(journal.sync(), Catch::Contains("j: cannot be made durable: Input/output error"));
    }
    REQUIRE_THROWS_WITH(journal.sync(), Catch::Contains("has refused this journal before"));
    REQUIRE(journal.synced_bytes() == synced);
    JournalReader reader{folder / "j", synced};
    FrameView frame;
    REQUIRE(reader.next(frame));
    REQUIRE_FALSE(reader.next(frame));
    REQUIRE(reader.complete());
}

TEST_CASE("a single file that the disk refuses is a sentence, at any call", "[store][disk]") {
    RunFrames frames{make_run(5)};
    std::vector<RunFrames::Frame> all{frames.start()};
    for (std::uint64_t s = 0; s < 5; ++s) all.push_back(frames.trigger(s));
    all.push_back(frames.end(5));
    for (std::uint64_t n = 0;; n += 1 + n / 10) {
        const TemporaryFolder folder;
        const BadDisk disk{n, 1, ENOSPC};
        std::string said;
        try {
            SingleFileWriter writer{folder / "out.h5", Compression::deflate, RawData::all};
            for (const auto& frame : all) writer.append(view(frame));
            (void)writer.sync();
            writer.finish();
        } catch (const Error& e) {
            said = e.what();
        }
        if (disk.refused() == 0) break;
        INFO("call " << n);
        REQUIRE_THAT(said, Catch::Contains("out.h5") || Catch::StartsWith(folder.path().string()));
        REQUIRE_THAT(said, Catch::EndsWith("No space left on device"));
    }
}

TEST_CASE("room on the disk: a warning, a stop, and a tenth more before it goes on", "[store][disk]") {
    StoreConfig config;
    config.disk_warning_mb = 500;
    config.disk_stop_mb = 100;
    using Verdict = DiskRoom::Verdict;
    DiskRoom room{config};
    REQUIRE(room.look(500'000'000) == Verdict::plenty);
    REQUIRE(room.look(499'999'999) == Verdict::low);
    REQUIRE(room.look(100'000'000) == Verdict::low);
    REQUIRE(room.look(99'999'999) == Verdict::full);
    REQUIRE(room.look(std::nullopt) == Verdict::full);
    REQUIRE(room.look(109'999'999) == Verdict::full);
    REQUIRE(room.look(110'000'000) == Verdict::low);
    room.refused();
    REQUIRE(room.look(109'000'000) == Verdict::full);
    REQUIRE(room.look(600'000'000) == Verdict::plenty);
}

TEST_CASE("below disk_stop_mb everything is synced and nothing more is taken", "[store][disk]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(4)};
    StoreConfig config = config_in(folder);
    config.disk_stop_mb = free_bytes(folder.path()).value() / 1'000'000 + 1'000'000;  // a terabyte more than there is
    RunWriter writer{config};
    REQUIRE_FALSE(writer.ready());
    REQUIRE(writer.status().state == WriterState::stopped_disk_full);
    REQUIRE_THAT(writer.status().problem, Catch::Contains("are free (disk_stop_mb): nothing is written until"));
    REQUIRE_THROWS_AS(writer.append(view(frames.start())), DiskRefused);
    REQUIRE_NOTHROW(writer.finish());
}
