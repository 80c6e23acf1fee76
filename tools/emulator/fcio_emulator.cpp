#include "tools/emulator/fcio_emulator.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "daq/core/time.hpp"
#include "readout/asio.hpp"
#include "readout/fcio.hpp"
#include "tools/emulator/trigger_pace.hpp"

namespace alleycat {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using boost::asio::ip::tcp;
using Bytes = std::vector<std::byte>;

constexpr std::int64_t kSecond = 1'000'000'000'000;  // [ps]
constexpr std::int64_t kTick = 4'000;                // [ps]
constexpr std::int32_t kMaxTicks = 249'999'999;
constexpr std::size_t kSendBytes = 256 * 1024;
constexpr auto kLongestUnsent = 10ms;

// ---- the stream's words

template <class T>
void put(Bytes& out, const T& value) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span{&value, 1});
    out.insert(out.end(), bytes.begin(), bytes.end());
}
void put_tag(Bytes& out, fcio::Tag tag) { put(out, -static_cast<std::int32_t>(tag)); }
void put_numbers(Bytes& out, std::initializer_list<std::int32_t> numbers) {
    put(out, static_cast<std::int32_t>(4 * numbers.size()));
    for (const std::int32_t number : numbers) put(out, number);
}

void put_start(Bytes& out) {
    put(out, fcio::kProtocolTag);
    std::array<char, fcio::kProtocolBytes> name{"FlashCamV1"};
    put(out, name);
}

void put_config(Bytes& out, const BoardInfo& board, std::uint32_t samples) {
    put_tag(out, fcio::Tag::config);
    const auto channels = static_cast<std::int32_t>(board.channels.size());
    for (const std::int32_t number : {channels, 0, static_cast<std::int32_t>(samples), 1, 1, 16, 1, 0, 1, 0})
        put_numbers(out, {number});
    put(out, 4 * channels);
    for (std::int32_t c = 0; c < channels; ++c) put(out, 1 << 16 | c);
}

/// One master card, at a temperature that drifts with its uptime.
void put_status(Bytes& out, std::int32_t pps) {
    constexpr std::size_t kCardWords = 10 + 9 + 16 + 4 + 256;
    std::array<std::int32_t, kCardWords> card{};
    card[3] = pps;
    card[6] = 16;  // readings
    for (std::size_t i = 19; i < 24; ++i) card[i] = 38'000 + pps % 100 * 20;
    put_tag(out, fcio::Tag::status);
    put_numbers(out, {1});
    put_numbers(out, {pps, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    put_numbers(out, {1});
    put_numbers(out, {static_cast<std::int32_t>(sizeof card)});
    put(out, static_cast<std::int32_t>(sizeof card));
    put(out, card);
}

/// Whether `wanted` passed before `stop`.
bool wait(std::stop_token stop, Clock::duration wanted) {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock{mutex};
    return !woken.wait_for(lock, stop, wanted, [&] { return stop.stop_requested(); });
}

class FcioEmulator final : public Emulator {
  public:
    FcioEmulator(std::unique_ptr<RecordSource> waveforms, const EmulatorConfig& config)
        : source_{std::move(waveforms)},
          config_{config},
          acceptor_{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), config.port}} {
        const BoardInfo& board = source_->board();
        if (bytes_per_sample(board.sample_type) != 2) {
            throw UsageError{fmt::format("board {}: a FlashCam has 16-bit samples, these waveforms {}", board.name,
                                         to_text(board.sample_type))};
        }
    }

    [[nodiscard]] std::uint16_t port() const noexcept override { return acceptor_.local_endpoint().port(); }

    void serve(std::stop_token stop) override {
        while (!stop.stop_requested() && !(ended_ && !held_)) {
            tcp::socket client{io_};
            if (!accept(client)) continue;
            ++clients_;
            serve_client(client, stop);
        }
    }

    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> counts() const override {
        std::vector<std::pair<std::string, std::uint64_t>> all{{"clients", clients_}, {"events_served", served_}};
        for (std::size_t f = 0; f < kFaultNames.size(); ++f) {
            if (const std::uint64_t n = config_.faults.struck(static_cast<Fault>(f)); n != 0)
                all.emplace_back(kFaultNames[f], n);
        }
        return all;
    }

  private:
    struct Next {
        RecordHeader header;
        Bytes payload;
    };

    /// Waits a tenth of a second.
    bool accept(tcp::socket& client) {
        bool accepted = false;
        acceptor_.async_accept(client, [&](boost::system::error_code error) { accepted = !error; });
        io_.restart();
        io_.run_for(100ms);
        if (!accepted) {
            boost::system::error_code ignored;
            acceptor_.cancel(ignored);
            io_.restart();
            io_.run();
        }
        return accepted;
    }

    [[nodiscard]] std::optional<Next> take_record(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            Next next;
            switch (source_->next(next.header, stop)) {
                case RecordSource::Next::idle: continue;
                case RecordSource::Next::end: ended_ = true; return std::nullopt;
                case RecordSource::Next::record: break;
            }
            if (next.header.truth_count != 0) {
                // Truth is no part of what a board knows.
                Bytes all(payload_bytes(next.header));
                source_->fill(all);
                next.header.truth_count = 0;
                all.resize(payload_bytes(next.header));
                next.payload = std::move(all);
            } else {
                next.payload.resize(payload_bytes(next.header));
                source_->fill(next.payload);
            }
            return next;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::int64_t clock_ps(const RecordHeader& header) {
        if (!first_record_ps_) first_record_ps_ = header.time_ps;
        const std::int64_t since = header.time_ps - *first_record_ps_;
        const auto drift =
            static_cast<std::int64_t>(std::llround(static_cast<double>(since) * config_.clock_drift_ppm * 1e-6));
        return header.time_ps + drift + static_cast<std::int64_t>(config_.first_clock) * kTick + clock_step_ps_;
    }

    void put_event(Bytes& out, const Next& next, std::int32_t number, bool whole) {
        const RecordHeader& header = next.header;
        const std::int64_t time_ps = clock_ps(header);
        const std::int64_t utc_us = header.utc_ns / 1000 - time_ps / 1'000'000;
        put_tag(out, header.channels == source_->board().channels.size() ? fcio::Tag::event : fcio::Tag::sparse_event);
        put_numbers(out, {1});
        put_numbers(out, {0});
        put_numbers(out, {static_cast<std::int32_t>(utc_us / 1'000'000), static_cast<std::int32_t>(utc_us % 1'000'000),
                          0, 0, 0, 0, 0, 0, 0, 0});
        put_numbers(out, {number, static_cast<std::int32_t>(time_ps / kSecond),
                          static_cast<std::int32_t>(time_ps % kSecond / kTick), kMaxTicks, 0, 0, 0, 0, 0, 0});
        if (!whole) return;
        const bool sparse = header.channels < source_->board().channels.size();
        if (sparse) {
            put_numbers(out, {0, 0, 0, 0, kMaxTicks});
            put_numbers(out, {header.channels});
            put(out, 2 * std::int32_t{header.channels});
            for (std::uint16_t c = 0; c < kMaxChannels; ++c) {
                if ((header.channel_mask >> c & 1) != 0) put(out, c);
            }
        }
        const std::size_t trace_bytes = 2 * std::size_t{header.samples_per_channel};
        const auto frame_bytes = static_cast<std::int32_t>(trace_bytes + 4);
        if (!sparse) put(out, header.channels * frame_bytes);
        for (std::size_t c = 0; c < header.channels; ++c) {
            const std::span<const std::byte> samples = std::span{next.payload}.subspan(c * trace_bytes, trace_bytes);
            if (sparse) put(out, frame_bytes);
            out.insert(out.end(), samples.begin(), samples.begin() + 2);
            put(out, std::uint16_t{0});
            out.insert(out.end(), samples.begin(), samples.end());
        }
        if (!sparse) put_numbers(out, {0, 0, 0, 0, kMaxTicks, 0, 0, 0, 0, 0});
    }

    /// False: the client is gone.
    bool send(tcp::socket& client, Bytes& bytes, const std::stop_token& stop) {
        bool done = false, good = false;
        boost::asio::async_write(client, boost::asio::buffer(bytes), [&](boost::system::error_code error, std::size_t) {
            done = true;
            good = !error;
        });
        io_.restart();
        while (!done && !stop.stop_requested()) io_.run_one_for(100ms);
        if (!done) {
            boost::system::error_code ignored;
            client.close(ignored);
            io_.restart();
            io_.run();
        }
        bytes.clear();
        sent_ = Clock::now();
        return good;
    }

    void reboot() {
        number_ = 0;
        first_record_ps_.reset();
        clock_step_ps_ = 0;
        rebooted_ = true;
    }

    void serve_client(tcp::socket& client, const std::stop_token& stop) {
        Bytes out;
        std::int32_t last_pps = -1;
        std::optional<std::uint32_t> samples;
        put_start(out);
        if (const std::uint64_t missed = pace_.begin(); missed > 0) {
            pass_over(*source_, missed - (held_ ? 1 : 0), stop);
            held_.reset();
        }
        while (!stop.stop_requested()) {
            if (!pace_.is_due() && !(send(client, out, stop) && wait(stop, pace_.due() - Clock::now()))) return;
            std::optional<Next> next = held_ ? std::exchange(held_, std::nullopt) : take_record(stop);
            if (!next) break;
            if (config_.faults.strikes(Fault::reboot)) {
                (void)send(client, out, stop);
                reboot();
                held_ = std::move(next);
                return;  // hangs up
            }
            pace_.took_one();
            // The board's time begins anew with a reboot, the source's does not.
            if (rebooted_) {
                rebooted_ = false;
                clock_step_ps_ = -next->header.time_ps;
            }
            if (config_.faults.strikes(Fault::clock_change)) clock_step_ps_ += 10 * kSecond;
            if (samples != next->header.samples_per_channel) {
                samples = next->header.samples_per_channel;
                put_config(out, source_->board(), *samples);
            }
            const auto pps = static_cast<std::int32_t>(clock_ps(next->header) / kSecond);
            if (pps != std::exchange(last_pps, pps)) put_status(out, pps);
            if (!put_with_faults(out, *next, client, stop)) return;
            if ((out.size() >= kSendBytes || Clock::now() - sent_ > kLongestUnsent) && !send(client, out, stop)) return;
        }
        out.insert(out.end(), delayed_.begin(), delayed_.end());
        delayed_.clear();
        (void)send(client, out, stop);
    }

    /// False: the connection is to be given up.
    bool put_with_faults(Bytes& out, const Next& next, tcp::socket& client, const std::stop_token& stop) {
        FaultPlan& faults = config_.faults;
        if (faults.strikes(Fault::stall) && !(send(client, out, stop) && wait(stop, 3s))) return false;
        if (faults.strikes(Fault::late) && !(send(client, out, stop) && wait(stop, 500ms))) return false;
        if (faults.strikes(Fault::garbage)) {
            for (int i = 0; i < 100; ++i) put(out, 0x6A6A'6A6A);
            (void)send(client, out, stop);
            return false;
        }
        std::int32_t number = number_++;
        if (faults.strikes(Fault::lost)) return true;
        if (faults.strikes(Fault::wrong_counter)) number += 1000;
        Bytes event;
        put_event(event, next, number, !faults.strikes(Fault::short_reply));
        ++served_;
        if (faults.strikes(Fault::reordered) && delayed_.empty()) {
            delayed_ = std::move(event);
            return true;
        }
        out.insert(out.end(), event.begin(), event.end());
        if (faults.strikes(Fault::repeated)) out.insert(out.end(), event.begin(), event.end());
        out.insert(out.end(), delayed_.begin(), delayed_.end());
        delayed_.clear();
        return true;
    }

    std::unique_ptr<RecordSource> source_;
    EmulatorConfig config_;
    TriggerPace pace_{config_};
    boost::asio::io_context io_;
    tcp::acceptor acceptor_;
    bool ended_ = false;
    std::optional<Next> held_;  ///< taken from the source, not served yet
    Clock::time_point sent_ = Clock::now();
    Bytes delayed_;  ///< an event that comes after the next
    std::int32_t number_ = 0;
    std::optional<std::int64_t> first_record_ps_;
    std::int64_t clock_step_ps_ = 0;
    bool rebooted_ = false;
    std::uint64_t clients_ = 0, served_ = 0;
};

}  // namespace

std::unique_ptr<Emulator> make_fcio_emulator(std::unique_ptr<RecordSource> waveforms, const EmulatorConfig& config) {
    return std::make_unique<FcioEmulator>(std::move(waveforms), config);
}

}  // namespace alleycat
