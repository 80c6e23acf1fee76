#pragma once
// Names and places of the SIS3316's registers, as the driver writes and the emulator reads them. Names are those of the
// vendor's header. Registers of an ADC FPGA (inputs 1-4, 5-8, 9-12, 13-16) are given for the first; see of_group().

#include <cstdint>

namespace alleycat::sis3316 {

inline constexpr unsigned kInputs = 16, kGroups = 4, kInputsPerGroup = 4;
inline constexpr std::uint16_t kDefaultPort = 0xE000;

namespace reg {
// Of the link interface: read and written by commands 0x10 and 0x11.
inline constexpr std::uint32_t control_status = 0x0, modid = 0x4, access_arbitration = 0x10, hardware_version = 0x1C;
inline constexpr std::uint32_t end_of_link = 0x20;  ///< from here on: commands 0x20 and 0x21

inline constexpr std::uint32_t internal_temperature = 0x20, serial_number = 0x28, adc_clk_osc_i2c = 0x40;
inline constexpr std::uint32_t sample_clock_distribution = 0x50, nim_input_control = 0x5C, acquisition_control = 0x60;
inline constexpr std::uint32_t data_transfer_ctrl = 0x80;  ///< + 4 x group
inline constexpr std::uint32_t key_reset = 0x400, key_disarm = 0x414, key_trigger = 0x418, key_timestamp_clear = 0x41C;
inline constexpr std::uint32_t key_arm_bank1 = 0x420, key_arm_bank2 = 0x424, key_adc_clock_dcm_reset = 0x438;

inline constexpr std::uint32_t input_tap_delay = 0x1000, analog_ctrl = 0x1004, dac_offset_ctrl = 0x1008;
inline constexpr std::uint32_t spi_ctrl = 0x100C, event_config = 0x1010, channel_header = 0x1014;
inline constexpr std::uint32_t trigger_gate_window = 0x101C, raw_data_buffer = 0x1020, pre_trigger_delay = 0x1028;
inline constexpr std::uint32_t dataformat_config = 0x1030, maw_test_buffer = 0x1034;
inline constexpr std::uint32_t fir_trigger_setup = 0x1040, fir_trigger_threshold = 0x1044;  ///< + 0x10 x input of group
inline constexpr std::uint32_t extended_raw_data_buffer = 0x1098, adc_firmware = 0x1100, adc_status = 0x1104;
inline constexpr std::uint32_t actual_sample_address = 0x1110;         ///< + 4 x input of the group
inline constexpr std::uint32_t previous_bank_sample_address = 0x1120;  ///< + 4 x input of the group
inline constexpr std::uint32_t end_of_registers = 0x5000;

inline constexpr std::uint32_t fifo = 0x10'0000;  ///< + fifo x group: memory as the transfer logic delivers it

[[nodiscard]] constexpr std::uint32_t of_group(std::uint32_t first, unsigned group) noexcept {
    return first + 0x1000 * group;
}
/// A register that there is for each input, `step` bytes apart; input: 0 to 15.
[[nodiscard]] constexpr std::uint32_t of_input(std::uint32_t first, unsigned input, unsigned step = 4) noexcept {
    return of_group(first, input / kInputsPerGroup) + step * (input % kInputsPerGroup);
}
}  // namespace reg

namespace bits {
inline constexpr std::uint32_t own_access_request = 1u << 0, own_access_granted = 1u << 20, take_access = 1u << 31;
inline constexpr std::uint32_t external_trigger = 1u << 8, external_timestamp_clear = 1u << 10;  // acquisition_control
inline constexpr std::uint32_t armed = 1u << 16, armed_on_bank2 = 1u << 17;                      // the same
inline constexpr std::uint32_t ti_is_trigger = 1u << 4, ui_clears_timestamp = 1u << 8;           // nim_input_control
inline constexpr std::uint32_t input_invert = 1u << 0, internal_trigger_of_input = 1u << 2;      // event_config
inline constexpr std::uint32_t external_trigger_of_input = 1u << 3;                              // the same
inline constexpr std::uint32_t termination_off = 1u << 2;                                        // analog_ctrl
inline constexpr std::uint32_t trigger_enable = 1u << 31, threshold_zero = 0x800'0000;  // fir_trigger_threshold
inline constexpr std::uint32_t previous_bank2 = 1u << 24, sample_address = 0xFF'FFFF;   // previous_bank_sample_address
inline constexpr std::uint32_t transfer_read = 1u << 31, transfer_memory2 = 1u << 28;   // data_transfer_ctrl
inline constexpr std::uint32_t transfer_odd_input = 1u << 25, transfer_bank2 = 1u << 24;  // the same
}  // namespace bits

/// Commands, first byte of a packet.
namespace command {
inline constexpr std::uint8_t read_link = 0x10, write_link = 0x11, read = 0x20, write = 0x21, read_fifo = 0x30;
inline constexpr std::uint8_t reset = 0xFF;
}  // namespace command

/// Of the status byte in a reply; its low four bits count the packets of a FIFO read.
namespace status {
inline constexpr std::uint8_t no_grant = 1u << 4, fifo_timeout = 1u << 5, protocol_error = 1u << 6, packet = 0x0F;
}  // namespace status

inline constexpr std::size_t kMostRegisters = 64;     ///< in one packet
inline constexpr std::size_t kMostFifoWords = 65536;  ///< in one request

}  // namespace alleycat::sis3316
