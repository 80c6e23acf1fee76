// Whatever bytes come: every event lies within them, and so do its samples.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "readout/dig2_events.hpp"

using namespace alleycat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes{reinterpret_cast<const std::byte*>(data), size};
    std::size_t total = 0;
    for (const dig2::Event& event : dig2::Events{bytes}) {
        if (!dig2::ends_the_block(event.damage)) total += event.words * dig2::kWordBytes;
        if (total > size) std::abort();
        if (event.damage != dig2::Damage::none || event.kind != dig2::Event::Kind::data) continue;
        std::vector<std::vector<std::uint16_t>> samples;
        for (std::uint64_t left = event.channel_mask; left != 0; left &= left - 1) {
            samples.emplace_back(event.samples_per_channel);
        }
        std::vector<std::uint16_t*> to;
        for (auto& channel : samples) to.push_back(channel.data());
        dig2::copy_samples(event, to);
    }
    return 0;
}
