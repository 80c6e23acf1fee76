#pragma once
// What the tests of the SIS3316 share: triggers that can be told apart, and an emulated board that serves them.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "daq/core/source.hpp"
#include "readout/sis3316_setup.hpp"
#include "tools/emulator/sis3316_emulator.hpp"

namespace alleycat::testing {

inline constexpr std::int64_t kTriggerPeriodPs = 16'666'666'000 / 4000 * 4000;

inline BoardInfo struck_board(std::size_t channels, std::uint32_t samples, bool self_triggered = false) {
    BoardInfo board{.name = "struck",
                    .source = "sis3316",
                    .model = "",
                    .serial = "",
                    .firmware = "",
                    .sample_type = SampleType::uint16,
                    .sample_period_ps = 4000,
                    .samples = samples,
                    .clock_period_ps = 4000,
                    .self_triggered = self_triggered,
                    .channels = {}};
    for (std::size_t i = 0; i < channels; ++i) board.channels.push_back({"ch" + std::to_string(i), true, "plain"});
    return board;
}

/// Triggers whose samples tell which they are: their number in the first two, channel and position in the others.
class NumberedTriggers final : public RecordSource {
  public:
    NumberedTriggers(const BoardInfo& board, std::uint64_t triggers) : board_{board}, triggers_{triggers} {}

    const BoardInfo& board() const noexcept override { return board_; }
    Next next(RecordHeader& header, std::stop_token) override {
        if (given_ == triggers_) return Next::end;
        header = RecordHeader{.counter = given_,
                              .time_ps = 1'000'000 + static_cast<std::int64_t>(given_) * kTriggerPeriodPs,
                              .channel_mask = (std::uint64_t{1} << board_.channels.size()) - 1,
                              .samples_per_channel = board_.samples,
                              .channels = static_cast<std::uint16_t>(board_.channels.size()),
                              .sample_type = SampleType::uint16};
        if (board_.self_triggered) {
            header.channel_mask = std::uint64_t{1} << given_ % board_.channels.size();
            header.channels = 1;
            header.trigger_class = TriggerClass::hit;
        }
        ++given_;
        return Next::record;
    }
    void fill(std::span<std::byte> payload) override {
        auto* sample = reinterpret_cast<std::uint16_t*>(payload.data());
        for (std::size_t c = 0; c < board_.channels.size(); ++c) {
            if (board_.self_triggered && c != (given_ - 1) % board_.channels.size()) continue;
            for (std::uint32_t i = 0; i < board_.samples; ++i) *sample++ = expected(given_ - 1, c, i);
        }
    }
    static std::uint16_t expected(std::uint64_t trigger, std::size_t channel, std::uint32_t i) {
        if (i == 0) return static_cast<std::uint16_t>(trigger);
        if (i == 1) return static_cast<std::uint16_t>(trigger >> 16);
        return static_cast<std::uint16_t>((trigger * 31 + channel * 1000 + i) & 0x3FFF);
    }

  private:
    BoardInfo board_;
    std::uint64_t triggers_, given_ = 0;
};

/// The emulator in a thread of its own. Ends when all was taken, or with this object.
class Board {
  public:
    Board(std::unique_ptr<RecordSource> source, const EmulatorConfig& config, const Sis3316Emulation& emulation)
        : emulator_{std::move(source), config, emulation}, thread_{[this](std::stop_token stop) {
              emulator_.serve(stop);
              done_ = true;
          }} {}

    [[nodiscard]] std::uint16_t port() const { return emulator_.port(); }
    [[nodiscard]] bool done() const { return done_; }
    std::map<std::string, std::uint64_t> stop_and_count() {
        thread_.request_stop();
        thread_.join();
        std::map<std::string, std::uint64_t> counts;
        for (const auto& [name, count] : emulator_.counts()) counts[name] = count;
        return counts;
    }

  private:
    Sis3316Emulator emulator_;
    std::atomic<bool> done_{false};
    std::jthread thread_;
};

inline Sis3316Config driver_config(const BoardInfo& board, std::uint16_t port) {
    Sis3316Config config{.host = "127.0.0.1", .port = port};
    config.timeout = std::chrono::milliseconds{20};
    for (unsigned c = 0; c < board.channels.size(); ++c) config.inputs.push_back(c);
    config.gains.assign(board.channels.size(), 1);
    config.dac_offsets.assign(board.channels.size(), 32768);
    config.thresholds_adc.assign(board.channels.size(), 50);
    config.gate_samples = board.samples;
    config.peaking_samples = config.gap_samples = 8;
    return config;
}

}  // namespace alleycat::testing
