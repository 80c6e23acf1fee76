#pragma once
// The calls of the vendor's NI-SCOPE library that we need, in our own declarations; NISCOPE.md says where each is
// documented. Types, attributes and codes are those of the vendor's niScope.h (NI-SCOPE 2.0 to 22.5), IviScope.h, ivi.h
// and visatype.h.

#include <cstddef>
#include <cstdint>
#include <string>

#include "readout/shared_library.hpp"

namespace alleycat::niscope {

using Status = std::int32_t;   ///< ViStatus: 0 success, below 0 an error, above 0 a warning
using Handle = std::uint32_t;  ///< ViSession
using Boolean = std::uint16_t;
using Attribute = std::uint32_t;

inline constexpr Boolean kFalse = 0, kTrue = 1;

/// Timing and scale of one waveform that was fetched: struct niScope_wfmInfo.
struct WfmInfo {
    double absolute_initial_x;  ///< time of the first sample, comparable between records [s]; 0: the board has no clock
    double relative_initial_x;  ///< from the trigger to the first sample, below 0 before it [s]
    double x_increment;         ///< [s]
    std::int32_t actual_samples;
    double offset, gain;  ///< volts = code x gain + offset
    double reserved1, reserved2;
};
static_assert(sizeof(WfmInfo) == 64 && offsetof(WfmInfo, offset) == 32);

namespace attribute {
inline constexpr Attribute instrument_firmware_revision = 1'050'510;    // IVI, text
inline constexpr Attribute instrument_model = 1'050'512;                // IVI, text
inline constexpr Attribute specific_driver_revision = 1'050'551;        // IVI, text
inline constexpr Attribute channel_count = 1'050'203;                   // IVI, int32
inline constexpr Attribute horizontal_records = 1'150'001;              // int32
inline constexpr Attribute allow_more_records_than_memory = 1'150'068;  // boolean
inline constexpr Attribute onboard_memory_size = 1'150'069;             // int32, bytes of all channels
inline constexpr Attribute fetch_relative_to = 1'150'077;               // int32
inline constexpr Attribute fetch_offset = 1'150'078;                    // int32, samples
inline constexpr Attribute fetch_record_number = 1'150'079;             // int32, from 0
inline constexpr Attribute fetch_num_records = 1'150'080;               // int32
inline constexpr Attribute records_done = 1'150'083;                    // int32
inline constexpr Attribute device_temperature = 1'150'086;              // real64, degC
inline constexpr Attribute resolution = 1'150'102;                      // int32, bits
inline constexpr Attribute serial_number = 1'150'104;                   // text
inline constexpr Attribute vertical_range = 1'250'001;                  // real64 per channel, V peak to peak
inline constexpr Attribute vertical_offset = 1'250'002;                 // real64 per channel, V
inline constexpr Attribute vertical_coupling = 1'250'003;               // int32 per channel
inline constexpr Attribute probe_attenuation = 1'250'004;               // real64 per channel
inline constexpr Attribute channel_enabled = 1'250'005;                 // boolean per channel
inline constexpr Attribute max_input_frequency = 1'250'006;             // real64 per channel, Hz
inline constexpr Attribute reference_position = 1'250'011;              // real64, % of the record
inline constexpr Attribute trigger_coupling = 1'250'014;                // int32
inline constexpr Attribute trigger_level = 1'250'017;                   // real64, V
inline constexpr Attribute trigger_slope = 1'250'018;                   // int32
inline constexpr Attribute input_impedance = 1'250'103;                 // real64 per channel, ohm
}  // namespace attribute

inline constexpr std::int32_t kCouplingAc = 0, kCouplingDc = 1, kCouplingGround = 2;
inline constexpr std::int32_t kCouplingHfReject = 3, kCouplingLfReject = 4;  // of the trigger
inline constexpr std::int32_t kSlopeNegative = 0, kSlopePositive = 1;
inline constexpr std::int32_t kFetchFromPretrigger = 477;  // the first sample that was asked for
inline constexpr double kFullBandwidth = -1;

namespace status {
// "Not yet": the record is not there, which is no error of the board.
inline constexpr Status max_time_exceeded = -1'074'126'845;         // 0xBFFA2003, IviScope
inline constexpr Status acquisition_in_progress = -1'074'118'647;   // 0xBFFA4009; so does a time-out of a fetch read
inline constexpr Status data_not_available = -1'074'118'646;        // 0xBFFA400A
inline constexpr Status buffer_not_acquired = -1'074'118'635;       // 0xBFFA4015
inline constexpr Status trigger_has_not_occurred = -1'074'118'634;  // 0xBFFA4016
inline constexpr Status samples_not_yet_available = -200'284;       // the driver below, which passes some through
// "No longer": the board has written over the record.
inline constexpr Status data_overwritten = -1'074'118'632;       // 0xBFFA4018
inline constexpr Status samples_no_longer_available = -200'279;  // the driver below
inline constexpr Status hardware_failure = -1'074'118'654;       // 0xBFFA4002
inline constexpr Status invalid_session = -1'074'130'544;        // 0xBFFA1190
inline constexpr Status warning_invalid_data = 0x3FFA'4002;
inline constexpr Status warning_timestamp_rollover = 0x3FFA'4007;
}  // namespace status

[[nodiscard]] constexpr bool means_not_yet(Status s) noexcept {
    return s == status::max_time_exceeded || s == status::acquisition_in_progress || s == status::data_not_available ||
           s == status::buffer_not_acquired || s == status::trigger_has_not_occurred ||
           s == status::samples_not_yet_available;
}
[[nodiscard]] constexpr bool means_overwritten(Status s) noexcept {
    return s == status::data_overwritten || s == status::samples_no_longer_available;
}

namespace call {
using Init = Status(const char* resource, Boolean id_query, Boolean reset, Handle* vi);
using OfSession = Status(Handle vi);  // close, InitiateAcquisition, Abort
using ConfigureVertical = Status(Handle vi, const char* channels, double range_v, double offset_v,
                                 std::int32_t coupling, double probe_attenuation, Boolean enabled);
using ConfigureChanCharacteristics = Status(Handle vi, const char* channels, double impedance_ohm, double max_hz);
using ConfigureHorizontalTiming = Status(Handle vi, double min_sample_rate_hz, std::int32_t min_samples,
                                         double reference_percent, std::int32_t records, Boolean enforce_realtime);
using ConfigureTriggerDigital = Status(Handle vi, const char* source, std::int32_t slope, double holdoff_s,
                                       double delay_s);
using ConfigureTriggerEdge = Status(Handle vi, const char* source, double level_v, std::int32_t slope,
                                    std::int32_t coupling, double holdoff_s, double delay_s);
using ActualRecordLength = Status(Handle vi, std::int32_t* samples);
using SampleRate = Status(Handle vi, double* hz);
using ActualNumWfms = Status(Handle vi, const char* channels, std::int32_t* waveforms);
using FetchBinary8 = Status(Handle vi, const char* channels, double timeout_s, std::int32_t samples,
                            std::int8_t* waveforms, WfmInfo* infos);
using GetInt32 = Status(Handle vi, const char* channel, Attribute attribute, std::int32_t* value);
using SetInt32 = Status(Handle vi, const char* channel, Attribute attribute, std::int32_t value);
using GetReal64 = Status(Handle vi, const char* channel, Attribute attribute, double* value);
using SetBoolean = Status(Handle vi, const char* channel, Attribute attribute, Boolean value);
using GetString = Status(Handle vi, const char* channel, Attribute attribute, std::int32_t bytes, char* value);
using GetError = Status(Handle vi, Status* code, std::int32_t bytes, char* description);
using GetErrorMessage = Status(Handle vi, Status code, std::int32_t bytes, char* message);
}  // namespace call

/// The library, loaded, and the functions of it.
struct Library {
    /// Throws Error naming the library, or the function that it does not have.
    explicit Library(const std::string& name) : file{name} {}

    SharedLibrary file;
    call::Init* init = file.get<call::Init>("niScope_init");
    call::OfSession* close = file.get<call::OfSession>("niScope_close");
    call::ConfigureVertical* configure_vertical = file.get<call::ConfigureVertical>("niScope_ConfigureVertical");
    call::ConfigureChanCharacteristics* configure_characteristics =
        file.get<call::ConfigureChanCharacteristics>("niScope_ConfigureChanCharacteristics");
    call::ConfigureHorizontalTiming* configure_horizontal =
        file.get<call::ConfigureHorizontalTiming>("niScope_ConfigureHorizontalTiming");
    call::ConfigureTriggerDigital* configure_trigger_digital =
        file.get<call::ConfigureTriggerDigital>("niScope_ConfigureTriggerDigital");
    call::ConfigureTriggerEdge* configure_trigger_edge =
        file.get<call::ConfigureTriggerEdge>("niScope_ConfigureTriggerEdge");
    call::OfSession* initiate = file.get<call::OfSession>("niScope_InitiateAcquisition");
    call::OfSession* abort = file.get<call::OfSession>("niScope_Abort");
    call::ActualRecordLength* actual_record_length = file.get<call::ActualRecordLength>("niScope_ActualRecordLength");
    call::SampleRate* sample_rate = file.get<call::SampleRate>("niScope_SampleRate");
    call::ActualNumWfms* actual_waveforms = file.get<call::ActualNumWfms>("niScope_ActualNumWfms");
    call::FetchBinary8* fetch = file.get<call::FetchBinary8>("niScope_FetchBinary8");
    call::GetInt32* get_int32 = file.get<call::GetInt32>("niScope_GetAttributeViInt32");
    call::SetInt32* set_int32 = file.get<call::SetInt32>("niScope_SetAttributeViInt32");
    call::GetReal64* get_real64 = file.get<call::GetReal64>("niScope_GetAttributeViReal64");
    call::SetBoolean* set_boolean = file.get<call::SetBoolean>("niScope_SetAttributeViBoolean");
    call::GetString* get_string = file.get<call::GetString>("niScope_GetAttributeViString");
    call::GetError* get_error = file.get<call::GetError>("niScope_GetError");
    call::GetErrorMessage* get_error_message = file.get<call::GetErrorMessage>("niScope_GetErrorMessage");
};

}  // namespace alleycat::niscope
