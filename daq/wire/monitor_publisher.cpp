#include "daq/wire/monitor_publisher.hpp"

#include <array>
#include <optional>

#include "daq/wire/monitor_codec.hpp"
#include "daq/wire/socket.hpp"

namespace alleycat {

struct MonitorPublisher::Impl {
    wire::Socket socket;
    std::string endpoint;
    MonitorEncoder encoder;
    MonitorMessageId last;
    std::optional<RunDescription> run;

    explicit Impl(const Config& config)
        : socket{wire::Socket::listen(zmq::socket_type::pub, config.endpoint, config.security,
                                      {.send_high_water = config.high_water_messages})},
          endpoint{socket.endpoint()},
          last{wire::draw_identity(), 0} {}

    template <class... Body>
    void send(std::string_view topic, const Body&... body) {
        ++last.number;
        const std::span<const std::byte> bytes = encoder.encode(last, body...);
        std::array<zmq::message_t, 3> parts{
            zmq::message_t{topic.data(), topic.size()},
            zmq::message_t{&kMonitorSchemaVersion, sizeof kMonitorSchemaVersion},
            zmq::message_t{bytes.data(), bytes.size()},
        };
        // A PUB socket takes everything; where a monitor's queue is full it leaves that monitor out.
        (void)socket.send(parts);
    }
};

MonitorPublisher::MonitorPublisher(Config config) : impl_{std::make_unique<Impl>(config)} {}
MonitorPublisher::~MonitorPublisher() = default;

void MonitorPublisher::on_run(const RunDescription& run) {
    impl_->run = run;
    impl_->send(monitor_topic::run, run, false);
}
void MonitorPublisher::on_event(const Event& event) { impl_->send(monitor_topic::event, event); }
void MonitorPublisher::on_beam(const BeamResolution& resolution) { on_beams({&resolution, 1}); }
void MonitorPublisher::on_ticks(std::span<const TickRecord> ticks) { impl_->send(monitor_topic::beam, ticks); }
void MonitorPublisher::on_dead_time(const DeadTime& interval) { impl_->send(monitor_topic::status, interval); }
void MonitorPublisher::on_calibration(const Calibration& c) { impl_->send(monitor_topic::calibration, c); }
void MonitorPublisher::on_waveform(const Waveform& waveform) { impl_->send(monitor_topic::waveform, waveform); }
void MonitorPublisher::on_status(const Status& status) { impl_->send(monitor_topic::status, status); }
void MonitorPublisher::on_alarm(const Alarm& alarm) { impl_->send(monitor_topic::alarm, alarm); }

void MonitorPublisher::on_beams(std::span<const BeamResolution> resolutions) {
    impl_->send(monitor_topic::beam, resolutions);
}
void MonitorPublisher::repeat_run() {
    if (impl_->run) impl_->send(monitor_topic::run, *impl_->run, true);
}

void MonitorPublisher::leave_hole() noexcept { ++impl_->last.number; }

std::uint64_t MonitorPublisher::message_number() const noexcept { return impl_->last.number; }
std::uint64_t MonitorPublisher::identity() const noexcept { return impl_->last.publisher; }
const std::string& MonitorPublisher::endpoint() const noexcept { return impl_->endpoint; }

}  // namespace alleycat
