#pragma once
// Private to daq/wire: core structs to Protobuf messages and back. Exact for NaN and for every 64-bit integer.
//
// from_proto returns false for what a daemon never sends (a value outside its enumeration, more windows than there can
// be): then `to` is of no use and the message is refused. Fields that are not known are ignored by Protobuf.

#include <span>
#include <string>
#include <string_view>

#include "daq/core/event_sink.hpp"
#include "proto/monitor.pb.h"

namespace alleycat::wire {

void to_proto(const RunDescription& from, v1::Run& to);
void to_proto(const Event& from, v1::Event& to);
void to_proto(std::span<const BeamResolution> from, v1::Beam& to);
void to_proto(std::span<const TickRecord> from, v1::Ticks& to);
void to_proto(const DeadTime& from, v1::DeadTime& to);
void to_proto(const Calibration& from, v1::Calibration& to);
void to_proto(const Waveform& from, v1::Waveform& to);
void to_proto(const Status& from, v1::Status& to);
void to_proto(const WriterStatus& from, v1::WriterStatus& to);
void to_proto(const Alarm& from, v1::Alarm& to);

[[nodiscard]] bool from_proto(const v1::Run& from, RunDescription& to);
[[nodiscard]] bool from_proto(const v1::Event& from, Event& to);
[[nodiscard]] bool from_proto(const v1::Beam& from, std::vector<BeamResolution>& to);
[[nodiscard]] bool from_proto(const v1::Ticks& from, std::vector<TickRecord>& to);
[[nodiscard]] bool from_proto(const v1::DeadTime& from, DeadTime& to);
[[nodiscard]] bool from_proto(const v1::Calibration& from, Calibration& to);
[[nodiscard]] bool from_proto(const v1::Waveform& from, Waveform& to);
[[nodiscard]] bool from_proto(const v1::Status& from, Status& to);
[[nodiscard]] bool from_proto(const v1::WriterStatus& from, WriterStatus& to);
[[nodiscard]] bool from_proto(const v1::Alarm& from, Alarm& to);

/// `text` with every byte that is not part of valid UTF-8 replaced by '?'. A file's name can hold any bytes, but a
/// Protobuf receiver refuses a whole message for one of them.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace alleycat::wire
