"""An hour of the simulated CsI[Na] detector, replayed in every way: how fast, and the same to the last bit.

Called as: simulated_hour.py ALLEYCAT SOURCE_DIR REAL_DATA [--triggers N | --self-test]
--triggers N  fewer than the hour's 216,000
--self-test   plants deviations in a file of its own; each must be found
"""
import argparse
import re
import shutil
import sys
import time

import h5py
import numpy

from result_columns import assert_same_results, differences, results
from support import Skipped, Station, alleycat, main

HOUR = 216_000
RATE_HZ = 60
SEED = 20151002
RATE_BOOST = 1000  # a pulse in one trigger of thirty: equal does not mean empty, and the rate is that of quiet traces
BYTES_PER_TRIGGER = 36_000  # with blosc
PATIENCE_S = 3000

parser = argparse.ArgumentParser()
parser.add_argument("--triggers", type=int, default=HOUR)
parser.add_argument("--self-test", action="store_true")
options = parser.parse_args(sys.argv[4:])


def ways():
    """Name and options of each replay."""
    every_way = (("--jobs", jobs, "--kernels", kernels) for kernels in ("simd", "scalar") for jobs in ("1", "2"))
    return [(" ".join(way), way) for way in every_way]


def simulated(folder, triggers, rate_boost):
    output = folder / "simulated.h5"
    alleycat("simulate", "--config", Station(folder).path, "--output", output, "--triggers", triggers, "--seed", SEED,
             "--rate-boost", rate_boost, patience=PATIENCE_S)
    with h5py.File(output) as file:
        assert numpy.array_equal(file["triggers/sequence"], numpy.arange(triggers))
        samples = file["raw/pci5153/samples"]
        assert samples.shape == (triggers, 2, 35_000), samples.shape
    return output


def require_room(folder, triggers):
    free_gb = shutil.disk_usage(folder).free / 1e9
    needed_gb = 1.2 * triggers * BYTES_PER_TRIGGER / 1e9 + 1
    if free_gb < needed_gb:
        raise Skipped(f"SKIPPED: {triggers} triggers need {needed_gb:.1f} GB in {folder.parent} (TMPDIR), {free_gb:.1f} GB are free")


def report_rate(way, triggers, seconds, said):
    megabytes = triggers * 2 * 35_000 / 1e6
    print(f"    {way}: {triggers / seconds:,.0f} triggers/s, {megabytes / seconds:,.0f} MB/s of samples, "
          f"{triggers / seconds / RATE_HZ:.1f} x the detector's {RATE_HZ} Hz; {seconds:.1f} s, start included", flush=True)
    own = re.search(r"^rate: ([0-9]+) triggers/s", said, re.MULTILINE)
    assert own, f"the replay does not say its rate:\n{said}"
    print(f"        the program itself: {own[0]}", flush=True)
    assert int(own[1]) >= 0.99 * triggers / seconds, "slower than it was with its start"


def check_hour(folder):
    """A simulated hour of CsI[Na]: live and every replay give the same results, bit for bit"""
    triggers = options.triggers
    require_room(folder, triggers)
    begin = time.monotonic()
    original = simulated(folder, triggers, RATE_BOOST)
    seconds = time.monotonic() - begin
    with h5py.File(original) as file:
        accepted = sum(int(window["accepted"][()].sum()) for window in file["windows"].values())
        arrivals = sum(int((window["arrival_sample"][()] >= 0).sum()) for window in file["windows"].values())
    print(f"    {triggers} triggers, {original.stat().st_size / 1e9:.2f} GB, {arrivals} arrivals, {accepted} accepted windows", flush=True)
    assert arrivals > triggers / 4 and accepted > 0, "too dull a file"
    print(f"    simulated at {triggers / seconds:,.0f} triggers/s", flush=True)

    place = folder / "replayed"
    place.mkdir()
    station = Station(place, raw='"none"')  # the samples are there already
    wrong = []
    for way, more in ways():
        again = place / "again.h5"
        begin = time.monotonic()
        done = alleycat("replay", original, "--config", station.path, "--output", again, *more, patience=PATIENCE_S)
        report_rate(way, triggers, time.monotonic() - begin, done.stdout)
        wrong += [f"{way}: {line}" for line in differences(original, again)]
        again.unlink()
    assert not wrong, "live and replay differ:\n" + "\n".join(wrong)


def flipped(value):
    """The value with its lowest bit changed."""
    changed_value = numpy.array([value])
    changed_value.view(f"u{changed_value.itemsize}")[:] ^= 1
    return changed_value[0]


def check_planted(folder):
    """One bit changed in any result column is found, with column, row and both values; as are missing columns and rows"""
    original = simulated(folder, 40, RATE_BOOST)
    copy = folder / "copy.h5"
    shutil.copy(original, copy)
    assert_same_results(original, copy)
    with h5py.File(original) as file:
        values = results(file)
    for path, column in values.items():
        known = numpy.flatnonzero(~numpy.isnan(column)) if column.dtype.kind == "f" else numpy.arange(len(column))
        if not len(known):
            continue  # nothing but NaN: see below
        row = int(known[len(known) // 2])
        expect_found(original, copy, path, row, flipped(column[row]))

    arrival = values["windows/coincident/arrival_ns"]
    missing = int(numpy.flatnonzero(numpy.isnan(arrival))[0])
    expect_found(original, copy, "windows/coincident/arrival_ns", missing, 0.0)
    known = int(numpy.flatnonzero(~numpy.isnan(arrival))[0])
    expect_found(original, copy, "windows/coincident/arrival_ns", known, numpy.nan)
    with changed(copy, "windows/coincident/arrival_ns", missing, -numpy.float64(numpy.nan)):
        assert_same_results(original, copy)  # NaN is NaN

    with h5py.File(copy, "r+") as file:
        cut_short = file["triggers/flags"][:-1]
        del file["triggers/flags"], file["triggers/tick"], file["windows/anticoincident/cuts"]
        file["triggers/flags"] = cut_short
        file["windows/anticoincident/cuts"] = values["windows/anticoincident/cuts"].astype("i8")
    found = differences(original, copy)
    assert len(found) == 3, found
    for path, wanted in {"triggers/flags": "40 and 39 rows", "triggers/tick": "only in", "windows/anticoincident/cuts": "uint32 and int64"}.items():
        assert any(line.startswith(f"{path}: {wanted}") for line in found), (path, found)


class changed:
    """A value of a file, changed for a while."""

    def __init__(self, path, column, row, value):
        self.path, self.column, self.row, self.value = path, column, row, value

    def exchange(self):
        with h5py.File(self.path, "r+") as file:
            before = file[self.column][self.row]
            file[self.column][self.row] = self.value
        self.value = before

    def __enter__(self):
        self.exchange()

    def __exit__(self, *_):
        self.exchange()


def expect_found(original, copy, path, row, value):
    with h5py.File(original) as file:
        before = file[path][row]
    with changed(copy, path, row, value):
        found = differences(original, copy)
    wanted = f"{path} row {row}: {before!r} and {before.dtype.type(value)!r} (1 of "
    assert len(found) == 1 and found[0].startswith(wanted), f"planted '{wanted}', found {found}"


if options.self_test:
    main({"check_planted": check_planted}, [])
main({"check_hour": check_hour}, [])
