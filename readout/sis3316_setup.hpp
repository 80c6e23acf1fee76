#pragma once
// What a SIS3316 is told before it takes data: [board.sis3316] of the station file, and the registers it becomes.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/run_description.hpp"
#include "readout/sis3316_link.hpp"

namespace alleycat {

enum class TimestampClear : std::uint8_t { start, input, never };
enum class Sis3316Clock : std::uint8_t { internal = 0, fp_bus = 2 };  // as the register counts

/// [board.sis3316] of a station file. Lists hold one value per channel of the board.
struct Sis3316Config {
    std::string host;
    std::uint16_t port = 0xE000, local_port = 0;
    sis3316::Protocol protocol = sis3316::Protocol::automatic;
    std::chrono::milliseconds timeout{50};
    std::vector<unsigned> inputs{};                              ///< 0 to 15, in the order of the board's channels
    std::vector<std::uint32_t> gains{};                          ///< as the register counts: 0: 5 V, 1: 2 V, 2: 1.9 V
    std::vector<std::uint32_t> dac_offsets{}, thresholds_adc{};  ///< thresholds: of boards that trigger themselves
    bool termination_50ohm = true;
    std::uint32_t pretrigger_samples = 0, gate_samples = 0;
    std::uint32_t peaking_samples = 0, gap_samples = 0;  ///< of the trigger's filter
    TimestampClear clear_timestamp = TimestampClear::start;
    Sis3316Clock clock = Sis3316Clock::internal;

    friend bool operator==(const Sis3316Config&, const Sis3316Config&) = default;
};

/// Reads [board.sis3316]; problems, also those of `board` itself with this driver, are reported, not thrown.
[[nodiscard]] Sis3316Config parse_sis3316(ConfigSection& board_section, const BoardInfo& board);

[[nodiscard]] sis3316::LinkConfig link_config(const Sis3316Config& config);

namespace sis3316 {

/// One thing to do on the way to a configured board. Doing it twice does no harm.
struct SetupStep {
    enum class Kind : std::uint8_t {
        write,
        verify,       ///< `mask`: the bits that must read back as `value`
        await_clear,  ///< until none of `mask` is set in the register
        wait,
    };
    Kind kind = Kind::write;
    std::string_view name{};  ///< of the register
    std::uint32_t address = 0, value = 0, mask = 0xFFFF'FFFF;
    std::chrono::milliseconds pause{0};
};

/// Everything from a reset to a board that only has to be armed.
/// sixteen_bit  the ADCs are those of 16 bit and 125 MS/s
[[nodiscard]] std::vector<SetupStep> setup_steps(const BoardInfo& board, const Sis3316Config& config, bool sixteen_bit);

}  // namespace sis3316
}  // namespace alleycat
