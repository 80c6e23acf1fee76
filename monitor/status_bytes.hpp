#pragma once
// Status, alarms and configuration as bytes, for the accumulated state.

#include "daq/core/bytes.hpp"
#include "daq/core/event_sink.hpp"
#include "daq/core/status.hpp"
#include "monitor/monitor_config.hpp"

namespace alleycat {

void put_status(ByteWriter& out, const Status& status);
[[nodiscard]] Status get_status(ByteReader& in);

void put_calibration(ByteWriter& out, const Calibration& calibration);
[[nodiscard]] Calibration get_calibration(ByteReader& in);

void put_alarm(ByteWriter& out, const Alarm& alarm);
[[nodiscard]] Alarm get_alarm(ByteReader& in);

void put_config(ByteWriter& out, const MonitorConfig& config);
/// A configuration that is not plausible() fails the reader.
[[nodiscard]] MonitorConfig get_config(ByteReader& in);

}  // namespace alleycat
