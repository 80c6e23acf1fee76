"""kill -9 at random instants on writer, daemon or both, at ten times the detector's rate: what was acknowledged is there once.

Called as: crash_rounds.py ALLEYCAT SOURCE_DIR REAL_DATA [--rounds N] [--seed S]

What is acknowledged is taken from the daemon: the triggers it has let go of, asked for until the moment of the kill, and what it wrote
into daemon.state. What must stand in the files is taken from a second simulation with the same seed, whose samples are the same.
"""
import argparse
import collections
import json
import random
import re
import subprocess
import sys
import threading
import time

import h5py
import numpy

from support import Process, Station, alleycat, assert_every_trigger_once, ledger_closes, main, same_bits, sequences

RATE_HZ = 600
SIMULATOR_SEED = 1  # of config/csi.toml
LONGEST_ROUND_S = 1.6  # the first instants of a start, its recovery, and some seconds of data in a row of rounds
MARK_AGE_S = 4  # daemon.state is written once a second, of what was synced half a second ago, by a busy machine
ROWS_AT_ONCE = 256

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=6)
parser.add_argument("--seed", type=int, default=20151002)
options = parser.parse_args(sys.argv[4:])


class Observer:
    """Asks the daemon again and again what it has let go of because the writer has it on disk; remembers the most per run."""

    def __init__(self, station):
        self.station = station
        self.acknowledged = collections.Counter()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def ask(self):
        while not self.stop.is_set():
            status = self.station.status()
            if status:
                run, count = status["run"], status["writer"]["durable_triggers"]
                self.acknowledged[run] = max(self.acknowledged[run], count)


def run_mark(station):
    """Run and host time up to which the daemon noted everything to be on disk, or None."""
    path = station.folder / "daemon.state"
    if not path.exists():
        return None
    found = re.fullmatch(r"run (\d+)\non_disk_until_utc_ns (\d+)\nclean ([01])\n(?:last_sequence \d+\n)?", path.read_text())
    assert found, f"{path}: {path.read_text()!r}"
    return int(found[1]), int(found[2])


def let_it_run(seconds, victims):
    """Until the instant of the kill. A process that ends by itself before it has failed."""
    try:
        victims[0].process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError(f"{victims[0].name} ended by itself with {victims[0].process.returncode}")


def kill_rounds(station, dice):
    """The rounds, then a clean end. Returns what was acknowledged: triggers per run, and (run, host time) marks."""
    start = {"daq": lambda: Process("daq", "--config", station.path), "write": lambda: Process("write", "--config", station.path)}
    live = {name: make() for name, make in start.items()}
    marks = []
    killed = collections.Counter()
    with Observer(station) as observer:
        for number in range(options.rounds):
            # Each kind comes in the shortest test, too: the daily one has two of each.
            chosen = [("write",), ("daq",), ("daq", "write")][number % 3]
            victims = [live[name] for name in dice.sample(chosen, len(chosen))]
            let_it_run(dice.uniform(0, LONGEST_ROUND_S), victims)
            for victim in victims:
                victim.process.kill()
            for victim in victims:
                victim.process.wait()
                victim.read_rest()
            marks.append(run_mark(station))
            killed["+".join(sorted(chosen))] += 1
            for name in chosen:
                live[name] = start[name]()
        status = station.wait("triggers on disk after the last kill", lambda s: s["writer"]["durable_triggers"] >= RATE_HZ / 4)
        alleycat("control", "stop", "--connect", station.control)
        status = station.wait("the end of the run", lambda s: s["state"] == "idle" and s["writer"]["unacknowledged_bytes"] == 0)
        assert status["ledger"]["closes"], status["ledger"]
        live["daq"].end()
        live["write"].end()
    print(f"    killed {dict(killed)}, seed {options.seed}", flush=True)
    return observer.acknowledged, [mark for mark in marks if mark]


def files_of_runs(station):
    runs = collections.defaultdict(list)
    for path in station.files():
        runs[int(re.match(r"run_(\d+)_part_", path.name)[1])].append(path)
    return dict(sorted(runs.items()))


def assert_same_as_simulated(path, simulated):
    """Samples bit for bit, and what was measured in them."""
    with h5py.File(path) as file:
        assert same_bits(file["raw/pci5153/sequence"][()], file["triggers/sequence"][()]), path
        numbers = file["triggers/sequence"][()].astype(int)
        for column in ("triggers/time_ps", "raw/pci5153/counter", "raw/pci5153/clock", "windows/coincident/charge_adc",
                       "windows/anticoincident/charge_adc"):
            assert same_bits(file[column][()], simulated[column][()][numbers]), f"{path}: {column}"
        for first in range(0, len(numbers), ROWS_AT_ONCE):
            rows = numbers[first:first + ROWS_AT_ONCE]
            wanted = simulated["raw/pci5153/samples"][int(rows[0]):int(rows[-1]) + 1][rows - rows[0]]
            assert same_bits(file["raw/pci5153/samples"][first:first + ROWS_AT_ONCE], wanted), f"{path}: samples of {rows}"


def time_span(parts):
    """Host time of a run's first and last recorded trigger."""
    stamps = []
    for path in parts:
        with h5py.File(path) as file:
            stamps += file["triggers/utc_ns"][()].tolist()
    return min(stamps), max(stamps)


def gap_before(run, parts):
    """What the run's files say was lost before it: behind which run, and how many triggers. None: it was killed before it told."""
    for path in parts:
        with h5py.File(path) as file:
            for previous, lost in zip(file["gaps/previous_run"][:], file["gaps/lost_estimated"][:]):
                if previous != run:
                    return int(previous), int(lost)
    return None


def check_rounds(folder):
    """kill -9 at random instants on writer, daemon and both: every acknowledged trigger once and as simulated, the rest in the ledger"""
    station = Station(folder, tick_rate_hz=RATE_HZ, tick_period_ns=1e9 / RATE_HZ, part_size_mb=15, raw='"all"')
    start = time.monotonic()
    acknowledged, marks = kill_rounds(station, random.Random(options.seed))
    seconds = time.monotonic() - start

    assert not station.leftovers(), station.leftovers()
    report = json.loads(alleycat("verify", station.folder, "--json", patience=3600).stdout)
    assert report["ok"] and all(file["closed"] for file in report["files"]), report

    runs = files_of_runs(station)
    recorded = {run: assert_every_trigger_once(parts) for run, parts in runs.items()}
    assert {run for run, count in acknowledged.items() if count} <= set(runs), (acknowledged, runs)
    for run, numbers in recorded.items():
        assert len(numbers) >= acknowledged[run], f"run {run}: {acknowledged[run]} were acknowledged, {len(numbers)} are there"
    ledger = ledger_closes(runs[max(runs)][-1])
    assert ledger["recorded"] == len(recorded[max(runs)]), ledger

    spans = {run: time_span(parts) for run, parts in runs.items() if recorded[run]}
    for run, until in marks:
        # A run of which nothing was on disk has the time of its start as its mark, and no file or an older one's end.
        assert run not in spans or spans[run][1] >= until or acknowledged[run] == 0, (run, until, spans[run])
    gaps = assert_gaps_told(runs, spans)

    longest = 1 + max(max(numbers, default=0) for numbers in recorded.values())
    simulated = folder / "simulated.h5"
    alleycat("simulate", "--config", station.path, "--output", simulated, "--triggers", longest, "--seed", SIMULATOR_SEED, patience=3600)
    with h5py.File(simulated) as file:
        assert numpy.array_equal(file["triggers/sequence"], numpy.arange(longest))
        for path in station.files():
            assert_same_as_simulated(path, file)
    total, refused = sum(map(len, recorded.values())), sum(len(sequences(parts)[1]) for parts in runs.values())
    print(f"    {options.rounds} rounds in {seconds:.0f} s: {len(runs)} runs in {len(station.files())} parts, {sum(acknowledged.values())} triggers "
          f"seen acknowledged, {total} recorded and as simulated, {refused} refused", flush=True)
    print(f"    {len(gaps)} gaps, {sum(gap for gap, _ in gaps):.1f} s in all: {sum(lost for _, lost in gaps)} triggers lost, estimated; "
          f"at {RATE_HZ} Hz {RATE_HZ * sum(gap for gap, _ in gaps):.0f}, and what the daemon did not know to be on disk", flush=True)


def assert_gaps_told(runs, spans):
    """What a killed daemon took with it is told by a later run: behind the last run that had left a mark, up to itself. At least what
    is missing just before it, at most all since that mark and the mark's age."""
    told, pending = [], []
    for before, run in zip(spans, list(spans)[1:]):  # a run of which nothing got to disk is part of the gap
        pending.append(before)
        gap = gap_before(run, runs[run])
        if gap is None:
            continue
        previous, lost = gap
        behind = max((other for other in spans if other <= previous), default=min(spans))
        assert behind <= pending[0], (pending, run, gap)  # nothing between is left out
        pending.clear()
        gap_s, most_s = ((spans[run][0] - spans[other][1]) / 1e9 for other in (before, behind))
        assert RATE_HZ * gap_s - 2 <= lost <= RATE_HZ * (most_s + MARK_AGE_S), (before, run, gap_s, most_s, gap)
        told.append((gap_s, lost))
    assert told and len(pending) < 2, (spans, pending)  # the last run may have been killed before it told
    return told


main(globals(), chosen=[])
