// First byte: in what pieces the bytes come. Rest: an FCIO stream, through the decoder and as a file.

#include <cstring>

#include "readout/fcio_file.hpp"
#include "tests/fuzz/fuzz_file.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::span<const std::uint8_t> bytes{data + 1, size - 1};
    const std::size_t step = 1 + data[0];
    fcio::Decoder decoder;
    std::size_t items = 0;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const std::size_t n = std::min(step, bytes.size() - at);
        std::memcpy(decoder.space(n).data(), bytes.data() + at, n);
        decoder.add(n);
        for (fcio::Item item = decoder.next(); item != fcio::Item::need_more && item != fcio::Item::lost;
             item = decoder.next()) {
            if (++items > size) __builtin_trap();  // more messages than tags fit
            if (item != fcio::Item::event) continue;
            unsigned sum = 0;
            for (std::uint32_t trace = 0; trace < decoder.config().traces(); ++trace) {
                for (const std::byte one : decoder.trace(trace)) sum += static_cast<unsigned>(one);
            }
            volatile unsigned seen = sum;
            (void)seen;
        }
    }
    (void)decoder.finish();

    const fuzz::MemoryFile file{bytes};
    try {
        FcioFileSource source{{file.path()}, fuzz::board(SampleType::uint16, 2), 0, {}};
        fuzz::drain(source);
    } catch (const Error&) {
    }
    return 0;
}
