#include "daq/run/frame_writer.hpp"

#include <fmt/format.h>

#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/run/ticker.hpp"

namespace alleycat {

void write_frames(RunBuffers& buffers, FrameSink& sink, std::chrono::milliseconds sync_interval,
                  SnapshotBox<WriterStatus>& status, const std::stop_token& stop) {
    Ring& frames = buffers.frames;
    Ticker ticker{buffers.writer_bell, sync_interval};
    std::uint64_t unreleased = 0;
    std::size_t unreleased_bytes = 0;
    std::uint64_t durable_triggers = 0;
    std::uint64_t appended_triggers = 0;

    const auto report = [&] {
        auto now = std::make_shared<WriterStatus>(sink.status());
        now->connected = true;
        now->durable_triggers = durable_triggers;
        now->unacknowledged_bytes = frames.stats().used_bytes;
        status.put(std::move(now));
    };
    const auto sync = [&] {
        sink.sync();
        for (; unreleased > 0; --unreleased) frames.release();
        unreleased_bytes = 0;
        durable_triggers = appended_triggers;
        report();
    };
    // What was not synced is brought again, from the oldest on; the sink knows what it has.
    const auto start_again = [&] {
        frames.rewind();
        unreleased = unreleased_bytes = 0;
        appended_triggers = durable_triggers;
        report();
    };
    /// One frame, or what is to be done without one. false: there is nothing.
    const auto step = [&] {
        const std::span<const std::byte> bytes = frames.next();
        if (bytes.empty()) {
            if (ticker.ticked()) sync();
            return false;
        }
        FrameView frame;
        if (const FrameError error = read_frame(bytes, frame); error != FrameError::none) {
            throw Error{fmt::format("a frame in the retransmit buffer is damaged: {}", to_text(error))};
        }
        sink.append(frame);
        ++unreleased;
        unreleased_bytes += bytes.size();
        if (frame.header.kind == FrameKind::trigger) ++appended_triggers;
        const bool run_ended = frame.header.kind == FrameKind::run_end;
        if (run_ended || unreleased_bytes > frames.capacity() / 4 || ticker.ticked()) sync();
        return true;
    };

    for (;;) {
        const std::uint32_t seen = buffers.writer_bell.value();
        const bool ending = stop.stop_requested();
        try {
            const bool ready = sink.ready();
            if (ready && step()) continue;
            if (ending) {
                if (ready) sync();
                return;
            }
            if (!ready && ticker.ticked()) report();
        } catch (const DiskRefused&) {
            start_again();
            if (ending) return;
        }
        buffers.writer_bell.wait(seen, stop);
    }
}

}  // namespace alleycat
