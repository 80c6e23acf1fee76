#!/usr/bin/python3
"""Compares every trigger of Alleycat files with an independent reference of the trigger stage (published_rules.py).

    reference.py FILE.h5...      reads the samples and the station file in each, computes every feature, flag and cut again and
                                 compares: integers exactly, reals to --tolerance; says what was compared and what was in there
    reference.py --self-test     proves that the rules give what a hand calculation gives, and that a deviation planted in any
                                 column is found

Exit status: 0 all equal, 1 something differs, 2 wrong command line or nothing to compare.
"""
import argparse
import collections
import contextlib
import io
import math
import pathlib
import sys
import tempfile

import h5py
import numpy as np

from published_rules import NotCovered, Station, analyse, crossing, find_peaks, gate_is_flagged, mean_and_sigma, median

FLAGS = ("overflow", "muon_veto", "linear_gate", "missing_board", "missing_channel", "short_trace", "missing_veto")
TRIGGER_REALS = ("baseline_median_adc", "baseline_mean_adc", "baseline_sigma_adc")
WINDOW_INTEGERS = ("pretrace_peaks", "roi_peaks", "window_peaks", "arrival_sample", "accepted")
WINDOW_REALS = ("arrival_ns", "charge_adc", "charge_global_adc", "charge_pe", "t10_ns", "t50_ns", "t90_ns", "t10_global_ns",
                "t50_global_ns", "t90_global_ns")
SCINTILLATION = ("cevns_prompt", "cevns_delayed", "prompt_neutron", "background")  # as the simulator calls it
SMALLEST = 1e-3  # of a unit: what is nearer to zero than this (sums that cancel) is compared with this
BATCH = 64       # triggers read at a time
SHOWN = 20       # disagreements printed


def names_of(dataset, attribute):
    text = dataset.attrs[attribute]
    return (text.decode() if isinstance(text, bytes) else text).split(",")


class Comparison:
    """Counts what was compared and remembers what differs."""

    def __init__(self, tolerance):
        self.tolerance = tolerance
        self.triggers = self.windows = self.values = self.not_compared = self.differences = 0
        self.largest, self.largest_where = 0.0, "nowhere"
        self.shown = []
        self.kinds = collections.Counter()
        self.file = ""  # said before each disagreement, when there are several files

    def differs(self, where, expected, found):
        self.differences += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{self.file}{where}: {found} in the file, reference {expected}")

    def exact(self, where, expected, found):
        self.values += 1
        if expected != found:
            self.differs(where, expected, found)

    def real(self, where, expected, found):
        self.values += 1
        if math.isnan(expected) or math.isnan(found):
            if math.isnan(expected) != math.isnan(found):
                self.differs(where, expected, found)
            return
        deviation = abs(found - expected) / max(abs(expected), SMALLEST)
        if not deviation <= self.tolerance:
            self.differs(where, expected, found)
        elif deviation > self.largest:
            self.largest, self.largest_where = deviation, self.file + where

    def report(self):
        for line in self.shown:
            print(line)
        if self.differences > len(self.shown):
            print(f"... and {self.differences - len(self.shown)} more")
        print(f"compared: {self.triggers} triggers, {self.windows} windows, {self.values} values;",
              f"{self.not_compared} triggers have no samples")
        print(f"largest relative deviation of a real within the tolerance of {self.tolerance:g}: {self.largest:.2g}",
              f"({self.largest_where})")
        for kind, count in sorted(self.kinds.items()):
            print(f"{count:8d}  {kind}")
        print(f"disagreements: {self.differences}")


class Part:
    """An Alleycat file: its station, the rows of its tables, the samples of a trigger."""

    def __init__(self, file):
        self.file = file
        text = file["config"][()]
        self.station = Station(text.decode() if isinstance(text, bytes) else str(text))
        self.triggers = {name: file["triggers"][name][()] for name in ("sequence", "flags", "spe_charge_adc", *TRIGGER_REALS)}
        self.flag_names = names_of(file["triggers/flags"], "bits")
        self.windows = {name: {column: group[column][()] for column in ("sequence", "cuts", *WINDOW_INTEGERS, *WINDOW_REALS)}
                        for name, group in file["windows"].items()}
        self.boards = {channel.board for channel in (self.station.signal, self.station.veto) if channel}
        self.rows = {board: self.read_rows(board) for board in self.boards}
        self.batch = {}
        self.injected = self.read_truth()

    def read_rows(self, board):
        """Row of each trigger whose samples were kept."""
        if f"raw/{board}/samples" not in self.file:
            return {}
        return {sequence: row for row, sequence in enumerate(self.file["raw"][board]["sequence"][()].tolist())}

    def read_truth(self):
        """(kind, onset in ns) of what the simulator put into each trigger; None where nobody knows."""
        if "truth" not in self.file or len(self.file["truth/sequence"]) == 0:
            return None
        truth = self.file["truth"]
        kinds = names_of(truth["kind"], "values")
        injected = collections.defaultdict(set)
        for sequence, kind, onset in zip(truth["sequence"][()].tolist(), truth["kind"][()].tolist(), truth["onset_ns"][()].tolist()):
            injected[sequence].add((kinds[kind], onset))
        return injected

    def row_of(self, board, row):
        start = row - row % BATCH
        if board not in self.batch or self.batch[board][0] != start:
            self.batch[board] = start, self.file["raw"][board]["samples"][start:start + BATCH]
        return self.batch[board][1][row - start]

    def codes(self, sequence):
        """(signal, veto) of a trigger, or None when not all of them were kept."""
        if any(sequence not in self.rows[board] for board in self.boards):
            return None
        return [channel and self.row_of(channel.board, self.rows[channel.board][sequence])[channel.row]
                for channel in (self.station.signal, self.station.veto)]


def compare_flags(comparison, where, expected, found, names):
    for bit, name in enumerate(names):
        if name in FLAGS:
            comparison.exact(f"{where} flag {name}", name in expected, bool(found >> bit & 1))


def compare_window(comparison, where, part, name, row, expected):
    found = part.windows[name]
    comparison.windows += 1
    for column in WINDOW_INTEGERS:
        comparison.exact(f"{where} {column}", expected[column], int(found[column][row]))
    for column in WINDOW_REALS:
        comparison.real(f"{where} {column}", expected[column], float(found[column][row]))
    for bit, cut in enumerate(part.station.cut_names):
        comparison.exact(f"{where} cut {cut}", bool(expected["cuts"] >> bit & 1), bool(int(found["cuts"][row]) >> bit & 1))
    comparison.exact(f"{where} cuts beyond those of the station", 0, int(found["cuts"][row]) >> len(part.station.cut_names))


def kinds_of(part, sequence, trigger, windows):
    """What this trigger is an example of."""
    yield "trigger: flagged " + "+".join(sorted(trigger["flags"])) if trigger["flags"] else "trigger: no flag"
    yield "trigger: no peak at all" if not trigger["peaks"] else "trigger: with peaks"
    if trigger["cut_off_peak"]:
        yield "trigger: a peak still above threshold at the last sample"
    if part.injected is not None:
        injected = part.injected.get(sequence, set())
        yield from {f"put in: {kind}" for kind, _ in injected} or {"put in: nothing, but noise and dark peaks"}
        for window in part.station.windows:
            begin, end = window.roi_start * part.station.period_ns, window.roi_end * part.station.period_ns
            if any(kind in SCINTILLATION and begin <= onset < end for kind, onset in injected):
                yield f"put in: scintillation in {window.name}"
    for window in windows.values():
        if window["arrival_sample"] >= 0:
            yield "window: with an arrival"
            if window["quiet_samples"] == 0:
                yield "window: no quiet sample for the local baseline"
            if not window["charge_adc"] > 0:
                yield "window: charge not above zero"
        if window["accepted"]:
            yield "window: accepted"
        for bit, cut in enumerate(part.station.cut_names):
            if window["cuts"] >> bit & 1:
                yield f"window: fails {cut}"


def compare_trigger(comparison, part, row):
    sequence = int(part.triggers["sequence"][row])
    codes = part.codes(sequence)
    if codes is None:
        comparison.not_compared += 1
        return
    where = f"trigger {sequence}"
    trigger, windows = analyse(*codes, part.station, float(part.triggers["spe_charge_adc"][row]))
    comparison.triggers += 1
    for column in TRIGGER_REALS:
        comparison.real(f"{where} {column}", trigger[column], float(part.triggers[column][row]))
    compare_flags(comparison, where, trigger["flags"], int(part.triggers["flags"][row]), part.flag_names)
    for name, expected in windows.items():
        comparison.exact(f"{where} {name} sequence", sequence, int(part.windows[name]["sequence"][row]))
        compare_window(comparison, f"{where} {name}", part, name, row, expected)
    comparison.kinds.update(kinds_of(part, sequence, trigger, windows))


def compare_file(path, comparison):
    with h5py.File(path) as file:
        part = Part(file)
        names = {window.name for window in part.station.windows}
        if names != set(part.windows):
            comparison.differs("windows", sorted(names), sorted(part.windows))
            return
        for name in names:
            cuts = names_of(file["windows"][name]["cuts"], "bits")
            if cuts != part.station.cut_names:
                comparison.differs(f"cuts of {name}", part.station.cut_names, cuts)
        for row in range(len(part.triggers["sequence"])):
            compare_trigger(comparison, part, row)


def compare(paths, tolerance=1e-4):
    comparison = Comparison(tolerance)
    for path in paths:
        comparison.file = f"{path}: " if len(paths) > 1 else ""
        compare_file(path, comparison)
    return comparison


# ---- self-test -----------------------------------------------------------------------------------------------------------

SMALL_STATION = """
[[board]]
name = "adc"
sample_type = "int8"
sample_period_ps = 2000
samples = 100
[[board.channel]]
name = "light"
codes = "pci5153_signal"
[[board.channel]]
name = "muon"
codes = "pci5153_veto"
[trigger]
signal = "light"
veto = "muon"
baseline_ns = 40
[trigger.linear_gate]
[trigger.local_baseline]
length_ns = 20
[[trigger.window]]
name = "late"
start_ns = 120
length_ns = 80
pretrace_ns = 80
integration_ns = 40
[[trigger.cut]]
name = "veto"
flag = "muon_veto"
[[trigger.cut]]
name = "charge"
feature = "charge_adc"
min = 10
"""


def expect(what, expected, found):
    if expected != found:
        raise AssertionError(f"{what}: {found}, by hand {expected}")


def hand_calculations():
    """The rules against numbers worked out on paper."""
    station = Station(SMALL_STATION)
    # One code in eleven is left out: 5 and 6 of a signal are one count, as are 5 and 4 of a veto, and -5 and -4.
    codes = np.array([-128, -6, -5, 0, 5, 6, 17, 127], np.int8)
    expect("signal counts", [-116, -5, -5, 0, 5, 5, 15, 115], station.signal.count(codes).tolist())
    codes = np.array([-128, -16, -15, -5, -4, 0, 4, 5, 15, 16, 127], np.int8)
    expect("veto counts", [-116, -14, -14, -4, -4, 0, 4, 4, 14, 14, 115], station.veto.count(codes).tolist())

    # Half of the samples at 1, half at 2: the smallest count that reaches the half is 1. One less at 1: it is 2.
    expect("median on the edge", 1, median(np.array([2, 1, 2, 1])))
    expect("median beyond the edge", 2, median(np.array([2, 2, 2, 1])))
    # 0 + 5 is outside the band [-5, 5), 0 - 5 inside: mean of -5, 0, 1 is -4/3; squares about it: (121 + 16 + 49) / 9 = 186/9.
    mean, sigma = mean_and_sigma(np.array([-6, -5, 0, 1, 5]), 0, 5)
    expect("mean", -4 / 3, mean)
    expect("sigma", True, abs(sigma - math.sqrt(186 / 9 / 2)) < 1e-12)

    # Runs of 3 (too short), 4 (a peak), one at the very beginning, one that the end cuts off.
    heights = np.array([3, 3, 3, 3, 0, 3, 3, 3, 0, 0, 0, 4, 3, 3, 9, 2, 0, 5, 5, 5, 5])
    rules = {"threshold_adc": 3, "min_samples": 4, "margin_samples": 2}
    expect("peaks", [(0, 0, 5), (11, 9, 16)], find_peaks(heights, **rules, close_at_trace_end=False))
    expect("peaks", [(0, 0, 5), (11, 9, 16), (17, 15, 20)], find_peaks(heights, **rules, close_at_trace_end=True))

    expect("gate closes", True, gate_is_flagged(np.array([100, 18, 18]), 100, 18, 50))
    expect("gate opens", True, gate_is_flagged(np.array([18, 19, 100]), 100, 18, 50))
    expect("gate closes and opens", False, gate_is_flagged(np.array([100, 18, 100]), 50, 18, 50))
    expect("gate closed throughout", True, gate_is_flagged(np.array([8, 8, 8]), 8, 18, 50))

    # The curve passes 2 twice: the last time half-way between samples 3 and 4. It never rises through 0.5.
    expect("last crossing", 3.5, crossing(np.array([1.0, 3.0, 2.0, 1.0, 3.0]), 2.0))
    expect("no crossing", 0.0, crossing(np.array([1.0, 3.0, 2.0, 1.0, 3.0]), 0.5))

    # A pulse of heights 5 5 5 5 at samples 70 to 73, -1 on both sides; of the ten samples before the arrival one has height 3.
    counts = np.full(100, 60)
    counts[70:74] = 55
    counts[[68, 69, 74, 75]] = 61
    counts[60] = 57
    code_of = {count: code for code, count in zip(range(127, -129, -1), station.signal.counts[::-1].tolist())}
    signal = np.array([code_of[count] for count in counts.tolist()], np.int8)
    trigger, windows = analyse(signal, np.zeros(100, np.int8), station, 2.0)
    expect("flags", set(), trigger["flags"])
    expect("peaks", [(70, 68, 75)], trigger["peaks"])
    late = windows["late"]
    # Global: 4 x 5 - 4 = 16. Local: the mean before is 0.3, 8 samples are in the peak: 16 - 2.4 = 13.6.
    for name, value in {"pretrace_peaks": 0, "roi_peaks": 1, "window_peaks": 1, "arrival_sample": 68, "arrival_ns": 16.0,
                        "charge_global_adc": 16.0, "cuts": 0, "accepted": 1}.items():
        expect(name, value, late[name])
    # Global curve: -1 -2 3 8 13 18 17 16 16 ...; 8 is reached at sample 3 exactly, so t50 is 3 samples of 2 ns.
    expect("t50_global_ns", 6.0, late["t50_global_ns"])
    # 10 %: 1.6 lies between -2 (sample 1) and 3: 1 + 3.6/5 = 1.72. 90 %: 14.4 between 13 (4) and 18: 4.28.
    for name, value in {"t10_global_ns": 3.44, "t90_global_ns": 8.56, "charge_adc": 13.6, "charge_pe": 6.8}.items():
        expect(name, True, abs(late[name] - value) < 1e-12)


def write_small_file(path, triggers):
    """An Alleycat file, as far as this program reads it, with what the rules give for some random traces."""
    station = Station(SMALL_STATION)
    chance = np.random.default_rng(1)
    samples = chance.integers(57, 60, (triggers, 2, 100)).astype(np.int8)
    samples[:, 0, 70:80] -= chance.integers(0, 40, (triggers, 10)).astype(np.int8)
    samples[::3, 1, 20:25] = 10
    results = [analyse(signal, veto, station, 2.0) for signal, veto in samples]
    with h5py.File(path, "w") as file:
        file["config"] = SMALL_STATION
        file["triggers/sequence"] = np.arange(triggers, dtype=np.uint64)
        file["triggers/spe_charge_adc"] = np.full(triggers, 2.0)
        bits = {name: 1 << bit for bit, name in enumerate(FLAGS)}
        file["triggers/flags"] = np.array([sum(bits[name] for name in trigger["flags"]) for trigger, _ in results], np.uint32)
        file["triggers/flags"].attrs["bits"] = ",".join(FLAGS)
        for column in TRIGGER_REALS:
            file[f"triggers/{column}"] = np.array([trigger[column] for trigger, _ in results])
        for column in ("cuts", *WINDOW_INTEGERS, *WINDOW_REALS):
            file[f"windows/late/{column}"] = np.array([windows["late"][column] for _, windows in results])
        file["windows/late/cuts"].attrs["bits"] = ",".join(station.cut_names)
        file["windows/late/sequence"] = np.arange(triggers, dtype=np.uint64)
        file["raw/adc/sequence"] = np.arange(triggers, dtype=np.uint64)
        file["raw/adc/samples"] = samples


def planted_deviations(path):
    """Each column of the file in turn made wrong in one row: found there, and nowhere else."""
    expect("a file as it should be", 0, compare([path]).differences)
    integers = ["triggers/flags", "windows/late/cuts", *(f"windows/late/{column}" for column in WINDOW_INTEGERS)]
    reals = [*(f"triggers/{column}" for column in TRIGGER_REALS), *(f"windows/late/{column}" for column in WINDOW_REALS)]
    for column in integers + reals:
        with h5py.File(path, "r+") as file:
            good = file[column][()]
            row = int(np.flatnonzero(file["windows/late/arrival_sample"][()] >= 0)[-1])
            bad = good.copy()
            bad[row] = bad[row] ^ 1 if column in integers else bad[row] + 2e-4 * max(abs(bad[row]), SMALLEST)
            file[column][...] = bad
        comparison = compare([path])
        with h5py.File(path, "r+") as file:
            file[column][...] = good
        expect(f"disagreements with {column} of row {row} wrong", 1, comparison.differences)
        expect(f"'trigger {row} ' named first", True, comparison.shown[0].startswith(f"trigger {row} "))
        with contextlib.redirect_stdout(io.StringIO()):
            expect("exit status", 1, finish(comparison))
    with h5py.File(path, "r+") as file:
        file["raw/adc/samples"][0, 0, 71] ^= 64
    expect("a changed sample is seen", True, compare([path]).differences > 0)
    expect("nothing compared is no success", 2, finish(Comparison(1e-4)))


def self_test():
    hand_calculations()
    with tempfile.TemporaryDirectory(prefix="alleycat-") as folder:
        path = pathlib.Path(folder) / "small.h5"
        write_small_file(path, 12)
        planted_deviations(path)
    print("self-test: the rules agree with the hand calculations, every planted deviation was found")


def finish(comparison):
    """Prints the report; the exit status."""
    comparison.report()
    return 1 if comparison.differences else 0 if comparison.triggers else 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE.h5")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative, of reals (default 1e-4)")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test == bool(options.files):
        parser.error("either files or --self-test")
    if options.self_test:
        self_test()
        return 0
    try:
        return finish(compare(options.files, options.tolerance))
    except (OSError, KeyError, NotCovered) as e:
        print(f"reference.py: not an Alleycat file that can be compared: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
