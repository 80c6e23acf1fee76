#pragma once
// A FlashCam read live: its FCIO stream over TCP.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/source.hpp"

namespace alleycat {

/// [board.fcio] of a station file.
struct FcioConfig {
    std::string host{};
    std::uint16_t port = 0;
    std::vector<std::uint16_t> traces{};    ///< number of each channel's trace; empty: 0, 1, 2, ...
    std::chrono::seconds silent_after{10};  ///< without a byte the connection is given up and made anew
};

/// Reads [board.fcio]; problems are reported, not thrown. `channels`: of the board.
[[nodiscard]] FcioConfig parse_fcio(ConfigSection& board, std::size_t channels);

struct BoardIdentity;
/// Connects, reads the configuration and hangs up. Throws Error naming board and address.
[[nodiscard]] BoardIdentity identify_fcio(const BoardInfo& board, const FcioConfig& config);

/// Connects when it is made; later it comes back by itself, once a second, as often as it takes. Counted besides what
/// FcioRecords and the decoder count: connection_lost, and reconnected. What came whole is delivered, the rest of a
/// message that was under way when a connection broke is truncated_record. readings(): the highest temperature of each
/// card, its errors so far.
class FcioBoard final : public RecordSource {
  public:
    /// Throws Error naming board and address when nothing answers, or what answers is no FlashCam with these channels.
    FcioBoard(const BoardInfo& board, std::uint16_t board_index, const FcioConfig& config);
    ~FcioBoard() override;

    [[nodiscard]] const BoardInfo& board() const noexcept override;
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::vector<BoardReading> readings() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override;

    /// "6 traces of 1836 samples, 16 bit, ..."
    [[nodiscard]] std::string describe_config() const;

  private:
    class Link;
    [[nodiscard]] bool take_items(RecordHeader& header);
    void watch_link();
    void lose(std::string why);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
