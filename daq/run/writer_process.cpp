#include "daq/run/writer_process.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

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

int serve_writer(const StationSetup& setup, ShutdownSignals& signals) {
    using std::chrono::steady_clock;
    RunWriter writer{setup.store};
    DataClient client{{.endpoint = setup.wire.data_endpoint,
                       .security = setup.wire.load_security(),
                       .name = "",
                       .heartbeat = setup.wire.heartbeat,
                       .dead_after = setup.wire.dead_after},
                      [&writer] { return last_on_disk(writer.durable()); }};
    log::store().info("writing into {}, data from {}", setup.store.folder.string(), setup.wire.data_endpoint);

    bool connected = false;
    std::string refused;
    auto next_sync = steady_clock::now() + setup.store.sync_interval;
    const auto sync = [&] {
        const std::optional<FramePosition> durable = position_of(writer.sync());
        if (durable) {
            client.acknowledge(*durable, writer.status());
        } else {
            client.report(writer.status());
        }
        next_sync = steady_clock::now() + setup.store.sync_interval;
    };
    while (!signals.stop().stop_requested()) {
        const std::optional<FrameView> frame = client.receive(std::chrono::milliseconds{50});
        bool run_ended = false;
        if (frame) {
            writer.append(*frame);
            run_ended = frame->header.kind == FrameKind::run_end;
        }
        if (run_ended || steady_clock::now() >= next_sync) sync();
        if (client.connected() != connected) {
            connected = client.connected();
            log::store().info("{} {}", connected ? "connected to" : "lost", setup.wire.data_endpoint);
        }
        if (client.refused() != refused) {
            refused = client.refused();
            if (!refused.empty()) log::store().warn("the daemon refuses this writer: {}", refused);
        }
    }
    sync();
    writer.finish();
    const DataClient::Counts& counts = client.counts();
    log::store().info("ended: {} frames taken, {} came twice and were dropped, {} were damaged on the way, {} missing",
                      counts.frames, counts.duplicates, counts.bad_frames, counts.missing);
    return 0;
}

}  // namespace alleycat
