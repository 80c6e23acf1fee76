// A minute of 2015-17: the zip and what is in it.

#include "readout/labview.hpp"
#include "tests/fuzz/fuzz_file.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::MemoryFile file{{data, size}};
    BoardInfo board = fuzz::board(SampleType::int8, 2);
    board.samples = labview::kSamples;
    board.clock_period_ps = labview::kHundredthPs;
    try {
        std::string why_not;
        (void)labview::is_minute(file.path(), why_not);
        LabviewSource source{{file.path()}, board, 0, {}, 1};
        fuzz::drain(source);
    } catch (const Error&) {
    }
    return 0;
}
