#pragma once
// A library that stands in for CAEN's `CAENDigitizer`: the same C calls, and a board behind them that is not there. It
// is told what to be, and which faults to have, by a line of words: in the environment variable ALLEYCAT_CAEN_STANDIN,
// or by alleycat_caen_standin() from a test that has loaded it. One board, one thread.
//
//     family=x720         x720, x721, x724, x725, x730, x731, x751
//     serial=12345  amc=00.11   what it says of itself
//     rate=2000           external triggers per second [Hz]; without: as many as are read
//     step=62500          ticks of its clock between triggers; without: of the rate, else 60 Hz
//     first=2147483000    tag of the first
//     events=300          then no more come
//     blocks=FILE         raw event blocks of a file instead, as they are
//     refused=3           so often the board cannot be opened
//     rounded=post_trigger      this setting becomes another than asked for; or the address of a register, 0x8110
//     NAME@n:k            fault at the n-th event, by the number that its samples say; k: how much of it
//
//     unplugged@n:k       the link is dead; the board can be opened again after k vain attempts
//     rebooted@n          all settings gone, stopped
//     counts_anew@n       counter and clock begin again
//     stalled@n:k         nothing for k reads
//     lost@n:k            k events never come
//     skip@n:k            the clock is k ticks further; clock_back@n:k: back
//     wrong_counter@n     of one event
//     duplicated@n        the event twice
//     truncated@n         the block ends in the middle of it; torn@n: its second half is missing, the next follows
//     garbage@n:k         k words in front of it
//     filler@n            the block ends with two words 0xFFFFFFFF
//     board_fail@n  missing_channel@n  short@n  excess_bits@n
//     clock_lost@n        the board's clock was lost; full@n: its memory is full, from then on
//
// Samples: the first four of every channel are the event's number, 8 bits each, the lowest first; sample s of input i
// of event n is 31 n + 1009 i + 7 s, as many bits of it as the ADC has.

#include <array>
#include <cstdint>

namespace alleycat {

/// What the stand-in was told, for tests to look at.
struct CaenStandinState {
    std::uint32_t record_length = 0, inputs = 0, post_trigger = 0, external = 0, software = 0, io_level = 0, start = 0,
                  events_per_read = 0;
    std::array<std::uint32_t, 16> offset{}, threshold{}, edge{}, self_trigger{};
    std::uint32_t acquisition_control = 0, front_panel = 0;
    std::uint32_t opens = 0, closes = 0, resets = 0, calibrations = 0, starts = 0, stops = 0, buffers = 0;
    std::uint64_t served = 0;  ///< events
    bool running = false;
};

}  // namespace alleycat

extern "C" {
/// Begins anew, as a board that has just been switched on.
void alleycat_caen_standin(const char* words);
const alleycat::CaenStandinState* alleycat_caen_standin_state();
}
