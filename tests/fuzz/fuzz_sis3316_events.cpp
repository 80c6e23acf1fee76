// Any bytes as event words of a SIS3316: every word belongs to exactly one event, and what an event says it holds is
// there.

#include <cstdlib>
#include <cstring>
#include <vector>

#include "readout/sis3316_events.hpp"

using namespace alleycat::sis3316;

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

/// Reads every sample, so that a span that leaves the words is seen.
std::uint64_t touched(std::span<const std::uint32_t> words) {
    std::uint64_t sum = 0;
    for (const std::uint32_t word : words) sum += word;
    return sum;
}

void decode_all(std::span<const std::uint32_t> words, const EventLayout& layout) {
    std::size_t accounted_for = 0;
    volatile std::uint64_t sum = 0;
    for (const DecodedEvent& one : Events{words, layout}) {
        expect(!one.words.empty());
        expect(one.words.data() == words.data() + accounted_for);
        accounted_for += one.words.size();
        const Event& event = one.event;
        sum = sum + touched(event.gate_sums) + touched(event.raw) + touched(event.averaged) + touched(event.maw);
        if (one.damage == EventDamage::none) {
            expect(event.raw.size() + event.averaged.size() + event.maw.size() < one.words.size());
            expect(event.timestamp < std::uint64_t{1} << kClockBits);
        }
    }
    expect(accounted_for == words.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    // The first byte: is the length of a moving average known, and the channel?
    const std::uint8_t choice = data[0];
    std::vector<std::uint32_t> words((size - 1) / 4);
    if (!words.empty()) std::memcpy(words.data(), data + 1, words.size() * 4);
    EventLayout layout{.maw_words = (choice & 1u) != 0 ? 2u : 0u};
    if ((choice & 2u) != 0 && !words.empty()) layout.identity = static_cast<std::uint16_t>(words[0]);
    decode_all(words, layout);
    return 0;
}
