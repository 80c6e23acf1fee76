// A settings file of CoMPASS.

#include "daq/core/error.hpp"
#include "readout/compass_settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        (void)alleycat::compass::parse_settings({reinterpret_cast<const char*>(data), size}, "settings.xml");
    } catch (const alleycat::Error&) {
    }
    return 0;
}
