#pragma once
// The live Struck SIS3316, read over its Ethernet interface. SIS3316.md: parameters, wiring, what was tried.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/sis3316_setup.hpp"

namespace alleycat {

/// Who the board says it is.
struct Sis3316Identity {
    std::uint32_t module_id = 0;     ///< 0x3316 << 16 | VME FPGA version
    std::uint32_t serial = 0;        ///< valid when bit 16 is not set
    std::uint32_t adc_firmware = 0;  ///< type (0x0250, 0x0125), version, revision
    double temperature_c = 0;

    [[nodiscard]] bool sixteen_bit() const noexcept { return adc_firmware >> 16 == 0x0125; }
    [[nodiscard]] std::string model() const;
    [[nodiscard]] std::string serial_text() const;
    [[nodiscard]] std::string firmware() const;
};

/// Opens the link, reads who answers and hands access back. Throws Error as Sis3316Source does.
[[nodiscard]] Sis3316Identity identify_sis3316(const BoardInfo& board, const Sis3316Config& config);

/// Records of one board. While one of its two memory banks is written, the other is read: they are swapped as soon as
/// something stands in the one that is written. All channels of a trigger are joined by their time stamp
/// (sis3316::RecordMaker); a self-triggered board's hits are records of their own.
///
/// Every step can be repeated, and is, until the board answers. A board that is silent for a second is lost: it is
/// looked for, for ever, without next() taking longer than its 100 ms. When it answers again as it was left (access
/// granted, armed, set up), reading goes on where it stopped and nothing is missing. Otherwise it is set up anew, what
/// stood in its memory is gone, and the first record after that says clock_restarted. Counted, besides
/// sis3316::LinkCount and what RecordMaker counts:
///
///     board_lost            times it fell silent, lost access or was found disarmed
///     reconnects            times it answered again
///     resumed               of those: as it was left
///     found_disarmed        times it answered but was not armed as it was told: somebody else's hand, or a reboot
///     readback_differences  registers that did not read back as written after a reconnection
///     events_damaged        events that cannot be decoded (the channel is then missing in the record)
class Sis3316Source final : public RecordSource {
  public:
    /// Opens and sets up the board. Throws Error naming the board, its address and what it did not do within 5 s.
    Sis3316Source(const BoardInfo& board, std::uint16_t board_index, const Sis3316Config& config);
    ~Sis3316Source() override;

    [[nodiscard]] const BoardInfo& board() const noexcept override;
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override;
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override;
    [[nodiscard]] std::vector<BoardReading> readings() const override;

  private:
    friend Sis3316Identity identify_sis3316(const BoardInfo& board, const Sis3316Config& config);
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat
