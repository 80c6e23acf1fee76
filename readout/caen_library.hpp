#pragma once
// The calls of CAEN's library `CAENDigitizer` that the driver makes, as functions of our own declaration: the library
// is loaded at run time, its headers are not needed.
//
// source  CAEN UM1935, "CAENDigitizer Library", chapters 2 to 4: prototypes, enumerators, order of the calls.
// Enumerators
//         are 32 bits to the C interface, and 32-bit numbers here.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "readout/shared_library.hpp"

namespace alleycat::caen {

/// A negative number that a call returns; 0: it did what it was asked for.
using Code = int;
inline constexpr Code kSuccess = 0;
inline constexpr Code kCommError = -1;
inline constexpr Code kInvalidParam = -3;
inline constexpr Code kInvalidHandle = -5;
inline constexpr Code kBadBoardType = -7;

/// CAEN_DGTZ_ConnectionType, those of them that CAEN_DGTZ_OpenDigitizer takes.
enum class Link : std::uint32_t {
    usb = 0,
    optical = 1,
    usb_a4818_v2718 = 2,
    usb_a4818_v3718 = 3,
    usb_a4818_v4718 = 4,
    usb_a4818 = 5,
    usb_v4718 = 7,
};
/// CAEN_DGTZ_TriggerMode_t: what a source of triggers does.
enum class TriggerMode : std::uint32_t { off = 0, acquire = 1, acquire_and_output = 3 };
/// CAEN_DGTZ_AcqMode_t: what starts the board.
enum class Start : std::uint32_t { software = 0, s_in = 1, first_trigger = 2 };
/// CAEN_DGTZ_IOLevel_t
enum class IoLevel : std::uint32_t { nim = 0, ttl = 1 };
/// CAEN_DGTZ_TriggerPolarity_t
enum class Edge : std::uint32_t { rising = 0, falling = 1 };
/// CAEN_DGTZ_ReadMode_t: SLAVE_TERMINATED_READOUT_MBLT
inline constexpr std::uint32_t kReadMode = 0;

/// CAEN_DGTZ_BoardInfo_t as far as all versions of the library agree about it; what follows differs between them and is
/// not looked at: they write up to a few hundred bytes into `rest`.
struct Info {
    std::array<char, 12> model_name;
    std::uint32_t model;
    std::uint32_t channels;
    std::uint32_t form_factor;
    std::uint32_t family;  ///< CAEN_DGTZ_BoardFamilyCode_t
    std::array<char, 20> roc_firmware;
    std::array<char, 40> amc_firmware;
    std::uint32_t serial;
    std::array<char, 1024> rest;
};

// Registers that no call of the library stands for.
// source  CAEN's register descriptions of the families, waveform recording firmware
inline constexpr std::uint32_t kAcquisitionControl = 0x8100;
inline constexpr std::uint32_t kCountAllTriggers = 1u << 3;  ///< else those that became events
inline constexpr std::uint32_t kAcquisitionStatus = 0x8104;
inline constexpr std::uint32_t kRunning = 1u << 2;
inline constexpr std::uint32_t kMemoryFull = 1u << 4;
inline constexpr std::uint32_t kClockKept = 1u << 7;  ///< clear: the clock was lost since register 0xEF04 was read
inline constexpr std::uint32_t kFrontPanel = 0x811C;
inline constexpr std::uint32_t kPatternShift =
    21;  ///< two bits: what an event's pattern holds; 2: bits of the time tag
inline constexpr std::uint32_t kReadoutStatus = 0xEF04;

/// name of the member, name of the call without CAEN_DGTZ_, parameters
#define ALLEYCAT_CAEN_CALLS(CALL)                                                                               \
    CALL(open, OpenDigitizer, std::uint32_t link, int number, int node, std::uint32_t vme_address, int* handle) \
    CALL(close, CloseDigitizer, int handle)                                                                     \
    CALL(get_info, GetInfo, int handle, Info* info)                                                             \
    CALL(reset, Reset, int handle)                                                                              \
    CALL(write_register, WriteRegister, int handle, std::uint32_t address, std::uint32_t value)                 \
    CALL(read_register, ReadRegister, int handle, std::uint32_t address, std::uint32_t* value)                  \
    CALL(set_record_length, SetRecordLength, int handle, std::uint32_t samples, ...)                            \
    CALL(get_record_length, GetRecordLength, int handle, std::uint32_t* samples, ...)                           \
    CALL(set_post_trigger, SetPostTriggerSize, int handle, std::uint32_t percent)                               \
    CALL(get_post_trigger, GetPostTriggerSize, int handle, std::uint32_t* percent)                              \
    CALL(set_inputs, SetChannelEnableMask, int handle, std::uint32_t mask)                                      \
    CALL(get_inputs, GetChannelEnableMask, int handle, std::uint32_t* mask)                                     \
    CALL(set_offset, SetChannelDCOffset, int handle, std::uint32_t input, std::uint32_t steps)                  \
    CALL(get_offset, GetChannelDCOffset, int handle, std::uint32_t input, std::uint32_t* steps)                 \
    CALL(set_threshold, SetChannelTriggerThreshold, int handle, std::uint32_t input, std::uint32_t code)        \
    CALL(get_threshold, GetChannelTriggerThreshold, int handle, std::uint32_t input, std::uint32_t* code)       \
    CALL(set_edge, SetTriggerPolarity, int handle, std::uint32_t input, std::uint32_t edge)                     \
    CALL(get_edge, GetTriggerPolarity, int handle, std::uint32_t input, std::uint32_t* edge)                    \
    CALL(set_self_trigger, SetChannelSelfTrigger, int handle, std::uint32_t mode, std::uint32_t mask)           \
    CALL(get_self_trigger, GetChannelSelfTrigger, int handle, std::uint32_t input, std::uint32_t* mode)         \
    CALL(set_external_trigger, SetExtTriggerInputMode, int handle, std::uint32_t mode)                          \
    CALL(get_external_trigger, GetExtTriggerInputMode, int handle, std::uint32_t* mode)                         \
    CALL(set_software_trigger, SetSWTriggerMode, int handle, std::uint32_t mode)                                \
    CALL(get_software_trigger, GetSWTriggerMode, int handle, std::uint32_t* mode)                               \
    CALL(set_io_level, SetIOLevel, int handle, std::uint32_t level)                                             \
    CALL(get_io_level, GetIOLevel, int handle, std::uint32_t* level)                                            \
    CALL(set_start, SetAcquisitionMode, int handle, std::uint32_t mode)                                         \
    CALL(get_start, GetAcquisitionMode, int handle, std::uint32_t* mode)                                        \
    CALL(set_events_per_read, SetMaxNumEventsBLT, int handle, std::uint32_t events)                             \
    CALL(get_events_per_read, GetMaxNumEventsBLT, int handle, std::uint32_t* events)                            \
    CALL(calibrate, Calibrate, int handle)                                                                      \
    CALL(make_buffer, MallocReadoutBuffer, int handle, char** buffer, std::uint32_t* bytes)                     \
    CALL(free_buffer, FreeReadoutBuffer, char** buffer)                                                         \
    CALL(clear, ClearData, int handle)                                                                          \
    CALL(start, SWStartAcquisition, int handle)                                                                 \
    CALL(stop, SWStopAcquisition, int handle)                                                                   \
    CALL(trigger, SendSWtrigger, int handle)                                                                    \
    CALL(read, ReadData, int handle, std::uint32_t mode, char* buffer, std::uint32_t* bytes)                    \
    CALL(read_temperature, ReadTemperature, int handle, std::int32_t input, std::uint32_t* degrees_c)

/// The library and its calls: library.reset(handle) is CAEN_DGTZ_Reset.
class Library {
  public:
    /// Throws Error naming the library, what is missing, and what to do about it.
    explicit Library(const std::string& name);

#define ALLEYCAT_CAEN_MEMBER(member, call, ...) Code (*member)(__VA_ARGS__) = nullptr;
    ALLEYCAT_CAEN_CALLS(ALLEYCAT_CAEN_MEMBER)
#undef ALLEYCAT_CAEN_MEMBER

  private:
    SharedLibrary library_;
};

/// What a negative code means, in words; "unknown error" of a code that is none of the library's.
[[nodiscard]] std::string_view to_text(Code code) noexcept;

}  // namespace alleycat::caen
