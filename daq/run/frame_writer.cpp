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

    const auto sync = [&] {
        sink.sync();
        for (; unreleased > 0; --unreleased) frames.release();
        unreleased_bytes = 0;
        durable_triggers = appended_triggers;
        auto now = std::make_shared<WriterStatus>(sink.status());
        now->connected = true;
        now->durable_triggers = durable_triggers;
        now->unacknowledged_bytes = frames.stats().used_bytes;
        status.put(std::move(now));
    };

    for (;;) {
        const std::uint32_t seen = buffers.writer_bell.value();
        const bool ending = stop.stop_requested();
        const std::span<const std::byte> bytes = frames.next();
        if (bytes.empty()) {
            if (ending) break;
            if (ticker.ticked()) sync();
            buffers.writer_bell.wait(seen, stop);
            continue;
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
    }
    sync();
}

}  // namespace alleycat
