#pragma once
// FCIO streams made by hand, frame by frame, as the format's description says it.

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/readout/read_all.hpp"

namespace alleycat::testing {

inline void append_i32(Bytes& bytes, std::int32_t value) { append_u32(bytes, static_cast<std::uint32_t>(value)); }
inline Bytes fcio_frame(const Bytes& content) {
    Bytes bytes;
    append_u32(bytes, static_cast<std::uint32_t>(content.size()));
    append(bytes, content);
    return bytes;
}
inline Bytes fcio_numbers(const std::vector<std::int32_t>& values) {
    Bytes content;
    for (const std::int32_t value : values) append_i32(content, value);
    return fcio_frame(content);
}
inline Bytes fcio_codes(const std::vector<std::uint16_t>& codes) {
    Bytes content;
    for (const std::uint16_t code : codes) {
        content.push_back(static_cast<std::uint8_t>(code));
        content.push_back(static_cast<std::uint8_t>(code >> 8));
    }
    return fcio_frame(content);
}
inline Bytes fcio_message(std::int32_t tag, const std::vector<Bytes>& frames) {
    Bytes bytes;
    append_i32(bytes, -tag);
    for (const Bytes& frame : frames) append(bytes, frame);
    return bytes;
}

inline Bytes fcio_start(std::string_view protocol = "FlashCamV1") {
    Bytes bytes;
    append_i32(bytes, -1'000'000'001);
    Bytes name(64, 0);
    std::copy(protocol.begin(), protocol.end(), name.begin());
    append(bytes, name);
    return bytes;
}
inline Bytes fcio_config(std::int32_t adcs, std::int32_t triggers, std::int32_t samples) {
    std::vector<Bytes> frames;
    for (const std::int32_t value : {adcs, triggers, samples, /*baseline precision*/ 16, /*sum length*/ 8, /*bits*/ 16,
                                     /*master, trigger, ADC cards*/ 1, 0, 2, /*gps*/ 0})
        frames.push_back(fcio_numbers({value}));
    frames.push_back(fcio_numbers(std::vector<std::int32_t>(static_cast<std::size_t>(adcs + triggers), 0x10000)));
    return fcio_message(1, frames);
}
struct FcioTime {
    std::int32_t number = 0, pps = 0, ticks = 0, max_ticks = 249'999'999;
};
/// `traces`: each with its two words before the samples.
inline Bytes fcio_event(const FcioTime& time, const std::vector<std::vector<std::uint16_t>>& traces) {
    std::vector<std::uint16_t> all;
    for (const auto& trace : traces) all.insert(all.end(), trace.begin(), trace.end());
    return fcio_message(3, {fcio_numbers({1}), fcio_numbers({0}), fcio_numbers({1'537'868'606, 220'822, 0, 0, 0}),
                            fcio_numbers({time.number, time.pps, time.ticks, time.max_ticks, 0}), fcio_codes(all),
                            fcio_numbers({0, 0, 0, 0, 249'999'999, 0, 0})});
}
inline Bytes fcio_sparse(const FcioTime& time, const std::vector<std::uint16_t>& list,
                         const std::vector<std::vector<std::uint16_t>>& traces) {
    std::vector<Bytes> frames{fcio_numbers({1}),
                              fcio_numbers({0}),
                              fcio_numbers({1'537'868'606, 220'822}),
                              fcio_numbers({time.number, time.pps, time.ticks, time.max_ticks}),
                              fcio_numbers({0, 0, 0, 0, 0}),
                              fcio_numbers({static_cast<std::int32_t>(list.size())}),
                              fcio_codes(list)};
    for (const auto& trace : traces) frames.push_back(fcio_codes(trace));
    return fcio_message(6, frames);
}
/// Of one card, its temperatures in thousandths of a degree.
inline Bytes fcio_status(std::int32_t errors, const std::vector<std::int32_t>& temperatures) {
    std::vector<std::int32_t> card(10 + 9 + 16 + 4 + 256, 0);
    card[6] = static_cast<std::int32_t>(temperatures.size());
    card[10] = errors;
    std::copy(temperatures.begin(), temperatures.end(), card.begin() + 19);
    return fcio_message(4, {fcio_numbers({1}), fcio_numbers(std::vector<std::int32_t>(10, 0)), fcio_numbers({1}),
                            fcio_numbers({static_cast<std::int32_t>(4 * card.size())}), fcio_numbers(card)});
}
inline Bytes fcio_stream(const std::vector<Bytes>& messages) {
    Bytes bytes;
    for (const Bytes& message : messages) append(bytes, message);
    return bytes;
}

}  // namespace alleycat::testing
