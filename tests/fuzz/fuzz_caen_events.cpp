// First byte: the family and what else is chosen. Rest: words of event blocks, through the decoder and as a file.

#include <cstring>

#include "readout/caen_block.hpp"
#include "tests/fuzz/fuzz_file.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto family = static_cast<caen::Family>(data[0] % 7);
    std::vector<std::uint32_t> words((size - 1) / 4);
    if (!words.empty()) std::memcpy(words.data(), data + 1, 4 * words.size());
    std::size_t seen = 0;
    for (const caen::Event& event : caen::Events{words, family}) {
        if (event.words.empty()) __builtin_trap();  // it would never end
        seen += event.words.size();
        if (event.status != caen::Status::ok) continue;
        const caen::Layout layout = caen::lay_out(event, family);
        if (layout.status != caen::Status::ok || layout.samples > 1'000'000) continue;
        std::vector<std::byte> samples(layout.samples * bytes_per_sample(caen::sample_type(family)));
        for (unsigned c = 0; c < layout.channels; ++c) caen::unpack(event, family, c, samples, 1);
    }
    if (seen != words.size()) __builtin_trap();

    const fuzz::MemoryFile file{{data + 1, size - 1}};
    CaenConfig config;
    config.family = family;
    config.extended_time_tag = (data[0] & 0x40) != 0;
    if ((data[0] & 0x80) != 0) config.suppressed_code = std::uint16_t{0};
    try {
        CaenBlockSource source{{file.path()}, fuzz::board(caen::sample_type(family), 2), 0, config};
        fuzz::drain(source);
    } catch (const Error&) {
    }
    return 0;
}
