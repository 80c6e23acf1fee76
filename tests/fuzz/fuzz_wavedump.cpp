// First byte: the board. Rest: a file of WaveDump.

#include "readout/wavedump.hpp"
#include "tests/fuzz/fuzz_file.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const fuzz::MemoryFile file{{data + 1, size - 1}};
    BoardInfo board = fuzz::board((data[0] & 1) != 0 ? SampleType::uint8 : SampleType::uint16, 1);
    WaveDumpConfig config;
    config.header = (data[0] & 2) == 0;
    if (!config.header) board.samples = 16;
    try {
        std::string why_not;
        (void)wavedump::has_headers(file.path(), why_not);
        WaveDumpSource source{{file.path()}, board, 0, config};
        fuzz::drain(source);
    } catch (const Error&) {
    }
    return 0;
}
