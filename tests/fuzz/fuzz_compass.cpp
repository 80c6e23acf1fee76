// A CoMPASS list.

#include "readout/compass.hpp"
#include "tests/fuzz/fuzz_file.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::MemoryFile file{{data, size}};
    try {
        std::string why_not;
        (void)compass::is_list_file(file.path(), why_not);
        CompassSource source{{file.path()}, fuzz::board(SampleType::uint16, 2, true), 0, {}};
        fuzz::drain(source);
    } catch (const Error&) {
    }
    return 0;
}
