#pragma once
// From an address to a board that waits to be armed.

#include <stop_token>
#include <string>

#include "daq/core/run_description.hpp"
#include "readout/dig2_config.hpp"
#include "readout/dig2_link.hpp"

namespace alleycat::dig2 {

/// What a board says of itself.
struct Identity {
    std::string model, serial, firmware;
    std::string firmware_type;  ///< "Scope", "DPP_PHA"
    unsigned inputs = 0;
    unsigned bits = 0;
    double megasamples_per_s = 0;
};

/// A board that is configured and not armed.
struct Session {
    Control control;
    DataLink data;
    Identity identity;
};

/// "board adc (10.0.0.12)", for sentences.
[[nodiscard]] std::string name_board(const BoardInfo& board, const Dig2Config& config);

/// Connects and asks; the board stays as it is. Throws Error.
[[nodiscard]] Identity ask_identity(const BoardInfo& board, const Dig2Config& config);

/// Connects, resets, writes all parameters and reads them back. Throws Error naming board, address, parameter, what was
/// wanted and what it is.
[[nodiscard]] Session open_session(const BoardInfo& board, const Dig2Config& config, std::stop_token stop);

/// Arms, and starts where that is for software to do.
void start_acquisition(Session& session, const Dig2Config& config);

/// `got` means what was written as `wanted`: the same word or words, or the same number.
[[nodiscard]] bool same_value(std::string_view wanted, std::string_view got, double tolerance = 0);

}  // namespace alleycat::dig2
