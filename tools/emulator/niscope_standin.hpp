#pragma once
// liballeycat_niscope_standin.so: a board that is not there, behind the calls of the vendor's NI-SCOPE library. It
// takes the place of that library with `library = ".../liballeycat_niscope_standin.so"` in [board.niscope].
//
// It is told what to do by words "key=value,key=value": in the environment variable ALLEYCAT_NISCOPE_STANDIN when the
// library is first used, or by its function alleycat_niscope_standin_set, which begins a new board.
//
//     rate_hz=R                 triggers come at this rate, whether somebody takes them or not; 0 (the default): the
//     next
//                               one comes when it is asked for
//     triggers=N                so many in all; 0 (the default): without end
//     interval_ps=T             from trigger to trigger by the board's clock (16666200000)
//     clock_start_s=S           what that clock shows one interval before the first trigger (0)
//     memory_records=N          how many records its memory holds (1000)
//     traces=FILE               raw int8 samples, [trigger][configured input][sample], round and round; else the
//     formula:
//                               sample s of input c of trigger g is byte s of g for s < 4, then (31 g + 101 c + 7 s)
//                               mod 256, as int8
//     serial=TEXT, bits=N, inputs=N, no_temperature=1
//     init_refused=N            the next N niScope_init fail
//     hold_init=N               niScope_init number N, from 1, waits for alleycat_niscope_standin_release
//     refuse=FUNCTION           a call that fails: refuse=niScope_ConfigureTriggerDigital
//     warn=FUNCTION             a call that succeeds with a warning
//     coerce_range_v, coerce_offset_v, coerce_impedance_ohm, coerce_attenuation, coerce_frequency_hz, coerce_coupling,
//     coerce_record_length, coerce_sample_rate_hz, coerce_records, coerce_reference_percent, coerce_level_v,
//     coerce_slope, coerce_waveforms
//                               =VALUE: whatever was asked for, this is what the board does
//
// Faults strike once, at the fetch of trigger G (from 0, counted from the board's beginning), and may be given often:
//
//     short=G:N                 only N samples of its last input
//     damaged=G                 -1 samples
//     duplicate=G               the trigger before it is served again
//     overwritten=G:N           the board has gone on: N records from this one on are written over
//     error=G:N                 the board is unplugged: all calls fail, and the next N niScope_init
//     reboot=G                  the session is none any more, clock and record numbers begin anew
//     silent_reboot=G           the same, and nobody is told
//     stall=G:N                 N time-outs though the record is there
//     nan_time=G, zero_time=G
//     absurd_time=G:S           its time stamp is S seconds
//     backwards=G:T             its time stamp is T ps early
//     misplaced=G               the trigger stands 10 samples later in it
//     warning=G                 fetched with a warning
//     rollover=G                the clock begins anew, with the library's warning

extern "C" {
/// A new board that does this. 0, or -1 when a word is not understood: then niScope_init says which.
using AlleycatNiScopeStandinSet = int(const char* words);
/// What was met: calls by their names without niScope_ ("init", "close", "FetchBinary8"), "served" triggers; and the
/// settings as they were asked for: "range_v.0" (also offset_v, coupling, attenuation, enabled, impedance_ohm,
/// frequency_hz), "sample_rate_hz", "samples", "reference_percent", "records", "realtime", "more_than_memory",
/// "digital", "level_v", "slope", "trigger_coupling", "source VAL_PFI_1". NaN: never.
using AlleycatNiScopeStandinGet = double(const char* name);
/// Lets the niScope_init go on that is held; waits until one is.
using AlleycatNiScopeStandinRelease = void();
}
