#include "daq/run/writer_process.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/store/run_writer.hpp"
#include "daq/wire/data_client.hpp"

namespace alleycat {
namespace {

std::optional<FramePosition> position_of(const std::optional<Durable>& durable) {
    if (!durable) return std::nullopt;
    return FramePosition{durable->run, durable->ordinal};
}

}  // namespace

std::optional<DurablePosition> last_on_disk(const std::optional<Durable>& durable) {
    if (!durable) return std::nullopt;
    return DurablePosition{{durable->run, durable->ordinal}, durable->sequence, durable->utc_ns};
}

void store_or_pass_over(FrameSink& store, const FrameView& frame, PassedOver& passed_over) {
    try {
        store.append(frame);
    } catch (const DiskRefused&) {
        throw;
    } catch (const Error& e) {
        if (passed_over.frames == 0 || passed_over.run != frame.header.run)
            log::store().error("cannot be stored, passed over: {}", e.what());
        if (passed_over.frames++ == 0) passed_over.first = e.what();
        passed_over.run = frame.header.run;
    }
}

int serve_writer(const StationSetup& setup, ShutdownSignals& signals) {
    using std::chrono::steady_clock;
    RunWriter writer{setup.store};
    // What came is put there first: a daemon that begins anew would tell a gap of it, and then it stands in the file.
    const auto on_disk = [&writer] {
        try {
            if (writer.ready()) return last_on_disk(writer.sync());
        } catch (const DiskRefused&) {  // the next to be stored is refused too
        }
        return last_on_disk(writer.durable());
    };
    DataClient client{{.endpoint = setup.wire.data_endpoint,
                       .security = setup.wire.load_security(),
                       .name = "",
                       .heartbeat = setup.wire.heartbeat,
                       .dead_after = setup.wire.dead_after},
                      on_disk};
    log::store().info("writing into {}, data from {}", setup.store.folder.string(), setup.wire.data_endpoint);

    bool connected = false, paused = false;
    std::string refused;
    auto next_sync = steady_clock::now();
    PassedOver passed_over;
    const auto report = [&](const std::optional<FramePosition>& durable) {
        WriterStatus status = writer.status();
        if (passed_over.frames > 0 && status.problem.empty()) {
            status.problem =
                fmt::format("{} frame(s) cannot be stored, the first: {}", passed_over.frames, passed_over.first);
        }
        if (durable) {
            client.acknowledge(*durable, status);
        } else {
            client.report(status);
        }
        next_sync = steady_clock::now() + setup.store.sync_interval;
    };
    // The disk refuses: the daemon keeps what is not acknowledged, and sends it again when the disk is there again.
    const auto hold = [&] {
        paused = true;
        client.pause();
        report(position_of(writer.durable()));
    };
    const auto store = [&](const std::optional<FrameView>& frame) {
        if (frame) store_or_pass_over(writer, *frame, passed_over);
        const bool run_ended = frame && frame->header.kind == FrameKind::run_end;
        if (run_ended || steady_clock::now() >= next_sync) report(position_of(writer.sync()));
    };
    while (!signals.stop().stop_requested()) {
        if (!writer.ready()) {
            if (!paused || steady_clock::now() >= next_sync) hold();
        } else if (paused) {
            paused = false;
            client.resume();
        }
        const std::optional<FrameView> frame = client.receive(std::chrono::milliseconds{50});
        try {
            if (!paused) store(frame);
        } catch (const DiskRefused&) {  // the store has said why
            hold();
        }
        if (client.connected() != connected) {
            connected = client.connected();
            log::store().info("{} {}", connected ? "connected to" : "lost", setup.wire.data_endpoint);
        }
        if (client.refused() != refused) {
            refused = client.refused();
            if (!refused.empty()) log::store().warn("the daemon refuses this writer: {}", refused);
        }
    }
    try {
        if (!paused) report(position_of(writer.sync()));
        writer.finish();
    } catch (const DiskRefused&) {
        paused = true;
    }
    if (paused) log::store().warn("ended while the disk refused: the daemon keeps what was not acknowledged");
    const DataClient::Counts& counts = client.counts();
    log::store().info("ended: {} frames taken, {} came twice and were dropped, {} were damaged on the way, {} missing",
                      counts.frames, counts.duplicates, counts.bad_frames, counts.missing);
    return 0;
}

}  // namespace alleycat
