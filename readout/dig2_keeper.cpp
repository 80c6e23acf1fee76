#include "readout/dig2_keeper.hpp"

#include <charconv>
#include <exception>
#include <utility>

#include "daq/core/log.hpp"

namespace alleycat::dig2 {
namespace {

constexpr std::chrono::milliseconds kTimeToDisarm{500};

std::optional<double> to_number(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

}  // namespace

Keeper::Keeper(const BoardInfo& board, const Dig2Config& config, Session session)
    : board_{board}, config_{config}, who_{name_board(board, config)}, session_{std::move(session)} {
    board_.serial = session_->identity.serial;  // another board on this address is not the one that went away
}

void Keeper::begin() {
    worker_.emplace("dig2-" + board_.name, [this](const std::stop_token& stop) { keep(stop); });
}

std::optional<Keeper::Started> Keeper::take_link(std::chrono::steady_clock::time_point until, std::stop_token stop) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_until(lock, stop, until, [&] { return started_.has_value(); })) return std::nullopt;
    return std::exchange(started_, std::nullopt);
}

void Keeper::link_is_lost(std::uint64_t generation) {
    const std::lock_guard lock{mutex_};
    lost_generation_ = generation;
    changed_.notify_all();
}

std::vector<BoardReading> Keeper::readings() const {
    const std::lock_guard lock{mutex_};
    return readings_;
}

void Keeper::keep(const std::stop_token& stop) {
    bool was_running = false;
    bool said = false;  // why it does not come back
    while (!stop.stop_requested()) {
        try {
            open_and_start(stop);
            if (std::exchange(was_running, true)) {
                reconnects_.fetch_add(1, std::memory_order_relaxed);
                log::readout().info("{}: is back", who_);
            }
            said = false;
        } catch (const std::exception& e) {  // whatever it is: the board may be all right the next time
            session_.reset();
            if (stop.stop_requested()) break;
            failed_attempts_.fetch_add(1, std::memory_order_relaxed);
            if (!std::exchange(said, true)) log::readout().warn("{}; it is tried again until it works", e.what());
            rest(stop);
            continue;
        }
        const auto began = std::chrono::steady_clock::now();
        watch(stop);
        if (stop.stop_requested()) break;
        session_.reset();
        forget_readings();
        disconnects_.fetch_add(1, std::memory_order_relaxed);
        // One that comes and goes is not asked more often than one that is away.
        if (std::chrono::steady_clock::now() - began < config_.retry_interval) rest(stop);
    }
    disarm();
}

/// What a board said that is away now is no longer true.
void Keeper::forget_readings() {
    const std::lock_guard lock{mutex_};
    readings_.clear();
}

void Keeper::rest(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    (void)changed_.wait_for(lock, stop, config_.retry_interval, [] { return false; });
}

void Keeper::open_and_start(const std::stop_token& stop) {
    if (!session_) session_ = open_session(board_, config_, stop);
    session_->control.set_options(config_.timeout, stop);
    start_acquisition(*session_, config_);
    const std::lock_guard lock{mutex_};
    started_ = Started{std::move(session_->data), ++generations_};
    generation_.store(generations_, std::memory_order_release);
    changed_.notify_all();
}

/// Until the board or its data connection is lost, or stop.
void Keeper::watch(const std::stop_token& stop) {
    try {
        for (;;) {
            read_sensors();
            std::unique_lock lock{mutex_};
            const bool lost = changed_.wait_for(lock, stop, config_.readings_interval,
                                                [&] { return lost_generation_ == generations_; });
            if (stop.stop_requested()) return;
            if (!lost) continue;
            log::readout().warn("{}: its data connection is lost; it is opened again", who_);
            return;
        }
    } catch (const std::exception& e) {
        if (stop.stop_requested()) return;
        log::readout().warn("{}; it is opened again", e.what());
        generation_.store(0, std::memory_order_release);
    }
}

void Keeper::disarm() {
    if (!session_) return;
    try {
        session_->control.set_options(kTimeToDisarm, std::stop_token{});
        session_->control.command("/cmd/DisarmAcquisition");
    } catch (const std::exception&) {  // it went away meanwhile: there is nothing to disarm
    }
}

/// Also the sign that the board is there. A sensor that a firmware does not have is left out.
void Keeper::read_sensors() {
    std::vector<BoardReading> readings;
    const auto ask = [&](const char* path) -> std::optional<double> {
        try {
            return to_number(session_->control.get(path));
        } catch (const Refused&) {
            return std::nullopt;
        }
    };
    for (const auto& [name, path] :
         {std::pair{"temperature_in", "/par/TempSensAirIn"}, std::pair{"temperature_out", "/par/TempSensAirOut"},
          std::pair{"temperature_core", "/par/TempSensCore"},
          std::pair{"temperature_adc", "/par/TempSensHottestADC"}}) {
        if (const std::optional<double> value = ask(path)) readings.push_back({name, *value, "degC"});
    }
    const std::optional<double> real = ask("/par/RealtimeMonitor"), dead = ask("/par/DeadtimeMonitor");
    if (real && dead && *real > 0) readings.push_back({"busy", *dead / *real, ""});
    const std::lock_guard lock{mutex_};
    readings_ = std::move(readings);
}

}  // namespace alleycat::dig2
