"""Hand-made traces on every edge of the trigger stage, as a LabVIEW minute through `alleycat replay`.

What comes out is compared with the independent reference (tests/trigger/reference.py) run on the same samples, and where it
can be said without any program, with what must come out. Heights below are counts above the baseline; sample indices count from
the beginning of the trace.
"""
import struct
import sys
import zipfile

import h5py
import numpy as np

from support import CONFIG, SOURCE, alleycat, main

sys.path.insert(0, str(SOURCE / "tests/trigger"))
from published_rules import Station  # noqa: E402
from reference import compare  # noqa: E402

SAMPLES = 35_000
BASELINE, VETO_BASELINE = 100, 21
PULSE = (5, 9, 7, 4)  # 4 samples: a peak
AC_PRETRACE, C_PRETRACE, AC, C, END = 150, 7675, 19_950, 27_475, 35_000  # begin of the regions: config/csi-labview.toml
INTEGRATION, LOCAL = 1500, 500
ROIS = {"anticoincident": (AC_PRETRACE, AC, C), "coincident": (C_PRETRACE, C, END)}  # pretrace, begin, end
OVERFLOW, MUON_VETO, LINEAR_GATE = 1, 2, 4


class Trace:
    """Counts of both channels; `expected` holds what is known by hand: {window: {column: value}}, and "flags"."""

    def __init__(self, name, baseline=BASELINE):
        self.name = name
        self.signal = np.full(SAMPLES, baseline)
        self.veto = np.full(SAMPLES, VETO_BASELINE)
        self.codes = {}  # of the signal, where one code and no other is meant
        self.expected = {}

    def pulse(self, at, heights=PULSE):
        """Heights from sample `at` on; what lies outside of the trace is cut off."""
        for i, height in enumerate(heights):
            if 0 <= at + i < SAMPLES:
                self.signal[at + i] = BASELINE - height
        return self

    def level(self, begin, end, count):
        self.signal[begin:end] = count
        return self

    def code(self, at, code):
        self.codes[at] = code
        return self

    def muon(self, at, heights):
        self.veto[at:at + len(heights)] = VETO_BASELINE - np.array(heights)
        return self

    def expect(self, window, **columns):
        self.expected.setdefault(window, {}).update(columns)
        return self

    def flagged(self, flags):
        self.expected["flags"] = flags
        return self


def at_the_ends():
    """A peak in the first samples counts nowhere; one that is not over at the last sample is none."""
    for at in range(-3, 4):
        yield Trace(f"a pulse from sample {at} on").pulse(at).expect("anticoincident", pretrace_peaks=0).expect("coincident", roi_peaks=0)
    for end in range(END - 3, END + 4):
        whole = int(end < END)  # the first sample below the threshold is still there
        yield (Trace(f"a pulse that ends before sample {end}").pulse(end - len(PULSE))
               .expect("coincident", pretrace_peaks=0, roi_peaks=whole, arrival_sample=-1).expect("anticoincident", roi_peaks=0))
    yield Trace("above the threshold from the region to the end").level(C + 100, END, 50).expect("coincident", roi_peaks=0)
    yield (Trace("a peak, and one without an end").pulse(C + 100).level(C + 300, END, 50)
           .expect("coincident", roi_peaks=1, charge_global_adc=25.0))


def at_the_borders():
    """A pulse on each border of each region, alone and with another one behind it."""
    for border in (AC_PRETRACE, C_PRETRACE, AC, C):
        for onset in range(border - 3, border + 4):
            for second in (None, 700):
                trace = Trace(f"a pulse at {onset}, border {border}, second {second}").pulse(onset)
                if second:
                    trace.pulse(onset + second)
                for name, (pretrace, begin, end) in ROIS.items():
                    onsets = [onset] + ([onset + second] if second else [])
                    inside = [one for one in onsets if begin <= one < end]
                    arrivals = [one - 2 for one in inside if one - 2 >= begin]
                    trace.expect(name, pretrace_peaks=sum(pretrace <= one < begin for one in onsets), roi_peaks=len(inside),
                                 arrival_sample=arrivals[0] if arrivals and arrivals[0] < end - INTEGRATION else -1)
                yield trace


def at_the_last_arrival():
    """The integration window ends with the region: the last arrival that counts is one sample before."""
    for name, (_, _, end) in ROIS.items():
        for arrival in range(end - INTEGRATION - 3, end - INTEGRATION + 4):
            fits = arrival < end - INTEGRATION
            yield (Trace(f"arrival at {arrival}, {name}").pulse(arrival + 2)
                   .expect(name, roi_peaks=1, window_peaks=int(fits), arrival_sample=arrival if fits else -1,
                           charge_global_adc=25.0 * fits))


def at_the_end_of_integration():
    """A second peak on the last sample of the integration window: its onset decides the count, its samples the charge."""
    arrival = C + 1000
    for onset in range(arrival + INTEGRATION - 7, arrival + INTEGRATION + 8):
        inside = [height for i, height in enumerate(PULSE) if onset + i < arrival + INTEGRATION]
        yield (Trace(f"a second peak {onset - arrival} samples after the arrival").pulse(arrival + 2).pulse(onset)
               .expect("coincident", roi_peaks=2, window_peaks=1 + int(onset < arrival + INTEGRATION), arrival_sample=arrival,
                       charge_global_adc=25.0 + sum(inside)))
    for gap in range(1, 7):  # margins that touch or overlap: no sample counts twice
        yield (Trace(f"two peaks {gap} samples apart").pulse(arrival + 2).pulse(arrival + 2 + len(PULSE) + gap)
               .expect("coincident", window_peaks=2, charge_global_adc=50.0))


def at_the_threshold():
    """Runs of 3 and 4 samples of 2 and 3 counts: only 4 samples of 3 are a peak."""
    for length in (3, 4):
        for height in (2, 3):
            peak = int(length == 4 and height == 3)
            yield (Trace(f"{length} samples of {height}").pulse(C + 100, [height] * length)
                   .expect("coincident", roi_peaks=peak, charge_global_adc=12.0 * peak))
    yield Trace("3 samples, one of 2, 3 samples").pulse(C + 100, [3, 3, 3, 2, 3, 3, 3]).expect("coincident", roi_peaks=0)
    yield (Trace("1 sample of 2 splits a pulse").pulse(C + 100, [3, 3, 3, 3, 2, 3, 3, 3, 3])
           .expect("coincident", roi_peaks=2, charge_global_adc=26.0))


def saturated():
    """The codes at the ends of the range are overflows, their neighbours are not, though 126 is the same count as 127."""
    for code, flags in ((127, OVERFLOW), (126, 0), (-127, 0), (-128, OVERFLOW)):
        for at in (0, 19_999, 20_000, AC, C + 1, END - 1):
            closed = LINEAR_GATE if code < 0 and at in (0, END - 1) else 0  # comes up or goes down and never back
            yield Trace(f"code {code} at {at}").code(at, code).flagged(flags | closed)
    for begin, end in ((AC - 40, AC + 900), (C - 40, C + 40), (C + 10, C + 3000), (5000, 14_000), (5000, 16_000), (34_000, END)):
        closed = LINEAR_GATE if end == END or (begin, end) == (5000, 16_000) else 0  # the latter is more than half of the baseline
        yield (Trace(f"code -128 from {begin} to {end}").level(begin, end, -116).pulse(end + 3).pulse(end + 300)
               .flagged(OVERFLOW | closed))
        trace = Trace(f"code 127 from {begin} to {end}").level(begin, end, 115).pulse(end + 3)
        trace.codes = dict.fromkeys(range(begin, end), 127)
        yield trace.flagged(OVERFLOW)
    yield (Trace("the deposit ends just before a peak: no quiet sample").level(C - 600, C + 200, 80).pulse(C + 202)
           .expect("coincident", roi_peaks=1, arrival_sample=C + 200, charge_adc=np.nan, charge_global_adc=25.0))


def gated():
    """The gate forces the signal down; crossings of 18 are counted, and a median below 50 is closed from the start."""
    for level, closed in ((8, True), (18, True), (19, False), (-40, True)):
        expected = LINEAR_GATE if closed else 0
        yield Trace(f"closes to {level}").level(25_000, END, level).flagged(expected)
        yield Trace(f"opens from {level}").level(0, 9000, level).flagged(expected)
        yield Trace(f"closes to {level} and opens").level(22_000, 30_000, level).flagged(0)
        yield Trace(f"opens from {level} and closes").level(0, 5000, level).level(30_000, END, level).flagged(0)
        yield Trace(f"closed throughout at {level}").level(0, END, level).flagged(LINEAR_GATE)
        yield Trace(f"closes to {level} at the last sample").level(END - 1, END, level).flagged(expected)
        yield Trace(f"opens from {level} after the first sample").level(0, 1, level).flagged(expected)
    for median in (49, 50):
        yield Trace(f"median {median}", median).flagged(LINEAR_GATE if median < 50 else 0)
        yield (Trace(f"median {median}, between others").level(0, 9999, 45).level(9999, 10_001, median).level(10_001, END, 60)
               .flagged(LINEAR_GATE if median < 50 else 0))


def muons():
    """Veto pulses: 3 samples of 10 counts, anywhere in the trace, are one."""
    for length in (2, 3):
        for height in (9, 10):
            muon = MUON_VETO if length == 3 and height == 10 else 0
            for at in (0, 10_000, AC, END - 1 - length):
                yield Trace(f"veto: {length} samples of {height} at {at}").muon(at, [height] * length).flagged(muon)
    yield Trace("veto: not over at the last sample").muon(END - 3, [30] * 3).flagged(0)
    yield Trace("veto: positive").muon(500, [-40] * 20).flagged(0)
    yield Trace("veto: saturated").muon(500, [VETO_BASELINE + 116] * 200).flagged(MUON_VETO)


def empty():
    """Nothing in it, or only one code, or two of which each is half of the first 20,000 samples."""
    yield Trace("empty").flagged(0).expect("coincident", roi_peaks=0, cuts=1).expect("anticoincident", roi_peaks=0, cuts=1)
    for count in (-116, -115, -1, 0, 18, 19, 49, 50, 114, 115):
        trace = Trace(f"nothing but {count}", count)
        trace.veto[:] = count
        yield trace.expect("coincident", pretrace_peaks=0, roi_peaks=0)
    for low, high in ((100, 101), (99, 105), (90, 110), (-116, 115)):
        trace = Trace(f"{low} and {high} in turn")
        trace.signal[0::2], trace.signal[1::2] = low, high
        yield trace
        for lows in (9999, 10_000, 10_001):  # half of 20,000: the smaller count is the median from 10,000 on
            trace = Trace(f"{lows} of {low}, then {high}", high).level(0, lows, low)
            trace.veto[:] = trace.signal
            trace.expected["baseline_median_adc"] = low if lows >= 10_000 else high
            yield trace
    yield Trace("nothing near the median but one sample", 60).level(0, 9999, 20).level(9999, 10_000, 40)


def local_baselines():
    """Heights of 3 and -3 before the arrival are quiet, of 4 and -4 not; the arrival's own sample and the 501st are not asked."""
    arrival = C + 2000
    for height in (-4, -3, -2, -1, 1, 2, 3, 4):
        quiet = abs(height) <= 3
        for first in (arrival - LOCAL - 1, arrival - LOCAL, arrival - 100, arrival - 1, arrival):
            trace = Trace(f"height {height} at {first}, arrival {arrival}").pulse(first, [height]).pulse(arrival + 2)
            used = quiet and arrival - LOCAL <= first < arrival
            samples = LOCAL if quiet or not arrival - LOCAL <= first < arrival else LOCAL - 1
            inside = 25 + (height if first == arrival else 0)
            yield trace.expect("coincident", arrival_sample=arrival, charge_global_adc=float(inside),
                               charge_adc=inside - 8 * (height / samples if used else 0))
    for height in (-15, -4, 2):
        trace = Trace(f"all 500 samples at {height}").level(arrival - LOCAL, arrival, BASELINE - height).pulse(arrival + 2)
        charge = 25 - 8 * 2.0 if height == 2 else np.nan  # no quiet sample: nobody knows the charge
        yield trace.expect("coincident", arrival_sample=arrival, charge_adc=charge, charge_global_adc=25.0)
    yield Trace("one quiet sample, 3").level(arrival - LOCAL, arrival, 115).pulse(arrival - 250, [3]).pulse(arrival + 2).expect(
        "coincident", charge_adc=25 - 8 * 3.0)


def charges_near_zero():
    """Undershoot in the margins: charges that vanish or are negative, and curves that fall again."""
    arrival = C + 2000
    for margin in (-1, -2, -3, -4, -15):
        for before in (0, 1, 2):
            trace = Trace(f"margins of {margin}, {before} before").level(arrival - LOCAL, arrival, BASELINE - before)
            yield trace.pulse(arrival, [margin, margin, 3, 3, 3, 3, margin, margin]).expect(
                "coincident", charge_global_adc=12.0 + 4 * margin, charge_adc=12.0 + 4 * margin - 8 * before)
            yield (Trace(f"margins of {margin}, {before} before, twice").level(arrival - LOCAL, arrival, BASELINE - before)
                   .pulse(arrival, [margin, margin, 3, 3, 3, 3, margin, margin])
                   .pulse(arrival + 700, [margin, -15, 6, 3, 3, 3, 3, margin, margin]))
    # Global curve 0 0 10 20 30 40 40 40, falls by 15 + 15 to 10, rises by 40 to 50: half of it, 25, is passed at samples 3.5 and then
    # between sums 20 and 30 again. The last time counts: the second peak's third rise, half-way from its sample 1 to 2.
    yield (Trace("half of the charge is passed twice").pulse(arrival + 2, [10, 10, 10, 10])
           .pulse(arrival + 100, [-15, -15, 10, 10, 10, 10])
           .expect("coincident", window_peaks=2, charge_global_adc=50.0, t50_global_ns=2 * (100 + 2.5)))
    yield (Trace("the first sample already holds a tenth").pulse(arrival, [2, 2, 5, 5, 5, 1])
           .expect("coincident", roi_peaks=0))
    yield (Trace("the first sample already holds a tenth of the charge").pulse(arrival, [2, 2, 4, 4, 3, 3, 1, 1])
           .expect("coincident", charge_global_adc=20.0, t10_global_ns=0.0, t50_global_ns=2 * 2.5))


def by_chance():
    """What nobody would think of: random codes, dense and sparse pulses, random walks."""
    chance = np.random.default_rng(20151002)
    for number in range(12):
        trace = Trace(f"any code at all {number}")
        trace.signal, trace.veto = chance.integers(-116, 116, (2, SAMPLES))
        yield trace
    for number in range(30):
        trace = Trace(f"noise around the threshold {number}")
        trace.signal = np.clip(np.rint(chance.normal(BASELINE, 0.5 + 0.1 * number, SAMPLES)), -116, 115).astype(int)
        trace.veto = np.clip(np.rint(chance.normal(VETO_BASELINE, 1 + 0.2 * number, SAMPLES)), -116, 115).astype(int)
        yield trace
    for number in range(12):
        trace = Trace(f"random walk {number}")
        walk = np.cumsum(chance.integers(-1, 2, SAMPLES)) * (1 + number) // 4
        trace.signal = np.clip(BASELINE + walk - int(np.median(walk)), -116, 115)
        yield trace
    for number in range(60):
        trace = Trace(f"scattered pulses {number}")
        if number % 2:
            trace.signal += chance.integers(-1, 2, SAMPLES)
        for at in chance.integers(0, SAMPLES, int(3 * 1.14 ** number)).tolist():
            trace.pulse(at, chance.integers(-4, 12, chance.integers(3, 20)))
        trace.signal = np.clip(trace.signal, -116, 115)
        yield trace
    for number in range(60):
        trace = Trace(f"small pulses on the borders {number}")
        trace.signal += chance.integers(-2, 3, SAMPLES)
        for border in (0, AC_PRETRACE, C_PRETRACE, AC, C - INTEGRATION, C, END - INTEGRATION, END):
            trace.pulse(border + int(chance.integers(-8, 6)), chance.integers(2, 6, chance.integers(3, 9)))
        for begin in (AC, C):
            trace.pulse(begin + int(chance.integers(0, 6000)), chance.integers(2, 6, 8))
        yield trace


KINDS = ("trigger: no peak at all", "trigger: a peak still above threshold at the last sample", "window: charge not above zero",
         "window: no quiet sample for the local baseline", "window: fails does_not_fit", "window: fails no_peak")
THEMES = (at_the_ends, at_the_borders, at_the_last_arrival, at_the_end_of_integration, at_the_threshold, saturated, gated, muons, empty,
          local_baselines, charges_near_zero, by_chance)


def codes_of(channel, counts, exactly=()):
    """Codes that stand for these counts; where two codes mean the same count, one and the other in turn."""
    meaning = {count: channel.lowest + i for i, count in enumerate(channel.counts.tolist())}
    first = {count: channel.lowest + i for i, count in reversed(list(enumerate(channel.counts.tolist())))}
    table = np.array([[codes[count] for count in range(-116, 116)] for codes in (first, meaning)], np.int8)
    codes = table[np.arange(len(counts)) % 2, counts + 116]
    for at, code in dict(exactly).items():
        codes[at] = code
    return codes


def write_minute(folder, records):
    """A run's folder with one minute: chunks of ten waveforms, each 7 columns of stamp and 35,000 of (signal, veto) bytes."""
    day = folder / "Run-15-10-02-12-00-00" / "151002"
    day.mkdir(parents=True)
    member = bytearray()
    for begin in range(0, len(records), 10):
        chunk = records[begin:begin + 10]
        member += struct.pack(">ii", len(chunk) * 35_007, 2)
        for number, record in enumerate(chunk, begin):
            second, hundredth = divmod(2 * number, 100)
            for part in (15, 10, 2, 12, 0, second, hundredth):
                member += bytes((0, part))
            member += record.T.tobytes()
    with zipfile.ZipFile(day / "120000.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("120000", member)
    return day.parent


def as_known_by_hand(file, row, trace):
    """Columns of this trigger that are not what the trace was made for."""
    wrong = []
    for where, wanted in trace.expected.items():
        if where == "flags":
            found = int(file["triggers/flags"][row]) & (OVERFLOW | MUON_VETO | LINEAR_GATE)
            wrong += [f"flags {found}, by hand {wanted}"] if found != wanted else []
        elif where == "baseline_median_adc":
            found = float(file["triggers/baseline_median_adc"][row])
            wrong += [f"median {found}, by hand {wanted}"] if found != wanted else []
        else:
            for column, value in wanted.items():
                found = file["windows"][where][column][row]
                if not np.isclose(found, value, rtol=1e-12, atol=1e-9, equal_nan=True):
                    wrong.append(f"{where} {column} {found}, by hand {value}")
    return [f"{trace.name}: {one}" for one in wrong]


def check_edges(folder):
    """Hand-made traces on every edge: the features are those of the reference, and those known by hand"""
    station = Station((CONFIG / "csi-labview.toml").read_text())
    traces = [trace for theme in THEMES for trace in theme()]
    records = np.array([(codes_of(station.signal, trace.signal, trace.codes), codes_of(station.veto, trace.veto)) for trace in traces])
    output = folder / "edges.h5"
    alleycat("replay", write_minute(folder, records), "--config", CONFIG / "csi-labview.toml", "--output", output)
    with h5py.File(output) as file:
        flags = file["triggers/flags"].attrs["bits"].split(",")
        assert flags[:3] == ["overflow", "muon_veto", "linear_gate"], flags
        assert np.array_equal(file["raw/pci5153/samples"], records), "the samples in the file are not those of the minute"
        wrong = [line for row, trace in enumerate(traces) for line in as_known_by_hand(file, row, trace)]
    comparison = compare([output], 1e-9)
    comparison.report()
    assert not wrong, "\n".join(wrong[:20])
    differing = sorted({int(line.split()[1]) for line in comparison.shown})  # "trigger 17 ..."
    assert comparison.differences == 0, "\n".join(f"trigger {number} is '{traces[number].name}'" for number in differing)
    assert comparison.triggers == len(traces)
    for kind in KINDS:
        assert comparison.kinds[kind], f"no trace is an example of '{kind}'"


main(globals())
