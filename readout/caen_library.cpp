#include "readout/caen_library.hpp"

#include <fmt/format.h>

#include "daq/core/error.hpp"

namespace alleycat::caen {
namespace {

SharedLibrary load(const std::string& name) {
    try {
        return SharedLibrary{name};
    } catch (const Error& e) {
        throw Error{
            fmt::format("{}: install CAEN's packages CAENVMELib, CAENComm and CAENDigitizer, or set library = "
                        "... in [board.caen]",
                        e.what())};
    }
}

}  // namespace

Library::Library(const std::string& name) : library_{load(name)} {
#define ALLEYCAT_CAEN_FIND(member, call, ...) member = library_.get<Code(__VA_ARGS__)>("CAEN_DGTZ_" #call);
    ALLEYCAT_CAEN_CALLS(ALLEYCAT_CAEN_FIND)
#undef ALLEYCAT_CAEN_FIND
}

std::string_view to_text(Code code) noexcept {
    switch (code) {
        case 0: return "success";
        case -1: return "communication error";
        case -2: return "unspecified error";
        case -3: return "invalid parameter";
        case -4: return "invalid link type";
        case -5: return "invalid handle";
        case -6: return "too many devices are open";
        case -7: return "not possible with this type of board";
        case -8: return "bad interrupt level";
        case -9: return "bad event number";
        case -10: return "a register cannot be read";
        case -11: return "a register cannot be written";
        case -13: return "invalid channel";
        case -14: return "the channel is busy";
        case -15: return "invalid mode of the front panel";
        case -16: return "wrong acquisition mode";
        case -17: return "function not allowed";
        case -18: return "time-out";
        case -19: return "invalid buffer";
        case -20: return "event not found";
        case -21: return "invalid event";
        case -22: return "out of memory";
        case -23: return "the calibration failed";
        case -24: return "the digitizer was not found";
        case -25: return "the digitizer is open already";
        case -26: return "the digitizer is not ready";
        case -27: return "the interrupt is not configured";
        case -28: return "the digitizer's flash memory is damaged";
        case -29: return "this firmware is not supported";
        case -30: return "invalid licence of the firmware";
        case -31: return "the digitizer is in a corrupted state";
        case -32: return "unsupported trace";
        case -33: return "invalid probe";
        case -34: return "unsupported base address";
        case -99: return "not implemented";
        default: return "unknown error";
    }
}

}  // namespace alleycat::caen
