"""Live equals replay: one seed, several ways through the chain, the same events bit for bit."""
import json
import re

import h5py
import numpy

from support import CONFIG, Station, alleycat, assert_same_tables, ledger_closes, main, refused, same_bits

TRIGGERS = 200
SEED = 20151002
RAW_TIME = ["time_ps"]  # of /raw/BOARD: counts from the board's origin when recorded, from the run's first tick in replay


def eventful(folder, **keys):
    """A station whose traces are full of pulses, so that equal does not mean empty."""
    return Station(folder, pacing='"fast"', rate_boost=10000, background_rate_hz=0.9, background_min_pe=15, veto_share=0.05, big_pulse_share=0.02, linear_gate_share=0.05,
                   afterglow_share=0, **keys)


def simulated(folder, station):
    output = folder / "simulated.h5"
    alleycat("simulate", "--config", station.path, "--output", output, "--triggers", TRIGGERS, "--seed", SEED)
    with h5py.File(output) as file:
        assert file["triggers/sequence"][()].tolist() == list(range(TRIGGERS))
        accepted = sum(file[f"windows/{window}/accepted"][()].sum() for window in ("coincident", "anticoincident"))
        flags = file["triggers/flags"][()]
        assert accepted > 5 and all((flags >> bit & 1).any() for bit in range(3)), f"too dull a file: {accepted} accepted"
        # Features are tested against the published program elsewhere; here: they do differ from trigger to trigger.
        assert len(numpy.unique(file["windows/coincident/charge_adc"][()])) > TRIGGERS / 4
    return output


def check_replay_of_simulated(folder):
    """A simulated HDF5 file of any compression replays to the events it was written with, whatever --jobs and --kernels"""
    for compression in ("blosc", "deflate", "none"):
        place = folder / compression
        place.mkdir()
        station = eventful(place, compression=f'"{compression}"')
        original = simulated(place, station)
        for jobs, kernels in ((1, "simd"), (2, "simd"), (3, "scalar")):
            again = place / f"{kernels}{jobs}.h5"
            done = alleycat("replay", original, "--config", station.path, "--output", again, "--jobs", jobs,
                            "--kernels", kernels)
            assert re.search(r"(?m)^rate: \d+ triggers/s, [\d.]+ MB/s of samples over [\d.]+ s$", done.stdout), done.stdout
            assert_same_tables(original, again, ["triggers", "windows", "raw/pci5153", "ticks", "truth"], but=RAW_TIME)
            ledger_closes(again)


def check_replay_that_keeps_less(folder):
    """Replay with raw = accepted and raw = none gives the same events and truth, and the samples asked for"""
    station = eventful(folder)
    original = simulated(folder, station)
    for raw in ("accepted", "none"):
        place = folder / raw
        place.mkdir()
        again = place / "again.h5"
        alleycat("replay", original, "--config", eventful(place, raw=f'"{raw}"').path, "--output", again, "--jobs", 2)
        assert_same_tables(original, again, ["triggers", "windows", "ticks", "truth"])
        with h5py.File(original) as one, h5py.File(again) as other:
            accepted = (one["windows/coincident/accepted"][()] | one["windows/anticoincident/accepted"][()]).astype(bool)
            assert 5 < accepted.sum() < TRIGGERS
            if raw == "none":
                assert "raw" not in other
            else:
                assert other["raw/pci5153/sequence"][()].tolist() == numpy.flatnonzero(accepted).tolist()
                assert (one["raw/pci5153/samples"][()][accepted] == other["raw/pci5153/samples"][()]).all()


def check_labview_of_simulated(folder):
    """The LabVIEW minutes of a seed hold the samples of its HDF5 file and replay to the same features, with any --jobs"""
    station = eventful(folder)
    original = simulated(folder, station)
    minutes = folder / "minutes"
    alleycat("simulate", "--config", station.path, "--output", minutes, "--triggers", TRIGGERS, "--seed", SEED, "--format", "labview")
    for jobs in (1, 2):
        again = folder / f"minutes{jobs}.h5"
        alleycat("replay", minutes, "--config", CONFIG / "csi-labview.toml", "--output", again, "--jobs", jobs)
        assert_same_tables(original, again, ["windows"])
        with h5py.File(original) as one, h5py.File(again) as other:
            assert (one["raw/pci5153/samples"][()] == other["raw/pci5153/samples"][()]).all()
            # The minutes know neither the board's clock nor the beam: those columns differ, the measured ones do not.
            for column in ("sequence", "baseline_median_adc", "baseline_mean_adc", "baseline_sigma_adc", "flags", "spe_charge_adc"):
                assert same_bits(one[f"triggers/{column}"][()], other[f"triggers/{column}"][()]), column


def check_simulated_twice(folder):
    """The same seed gives the same file content, another seed another"""
    station = eventful(folder)
    original = simulated(folder, station)
    for name, seed in (("same.h5", SEED), ("other.h5", SEED + 1)):
        alleycat("simulate", "--config", station.path, "--output", folder / name, "--triggers", 20, "--seed", seed)
    with h5py.File(original) as one, h5py.File(folder / "same.h5") as same, h5py.File(folder / "other.h5") as other:
        assert (one["raw/pci5153/samples"][:20] == same["raw/pci5153/samples"][()]).all()
        assert (one["raw/pci5153/samples"][:20] != other["raw/pci5153/samples"][()]).any()


def check_replay_of_live(folder):
    """A live run of 200 triggers (sockets open, journal, two workers) replays to the events it published"""
    station = eventful(folder, workers=2)
    alleycat("run", "--config", station.path, "--seconds", "3.3333333")
    parts = station.files()
    assert len(parts) == 1 and not station.leftovers()
    ledger = ledger_closes(parts[0])
    assert (ledger["recorded"], ledger["refused"]) == (200, 0), ledger
    again = folder / "again.h5"
    alleycat("replay", *parts, "--config", station.path, "--output", again)
    assert_same_tables(parts[0], again, ["triggers", "windows", "raw/pci5153", "ticks"], but=RAW_TIME)
    alleycat("verify", station.folder)


CALIBRATED = dict(block_s=1, min_peaks=500, dark_rate_hz=400000)  # 60 triggers of 27 peaks: a fit is good to 3 %


def check_recorded_and_new_calibrations(folder):
    """Replay with the recorded SPE charges, and with --recalibrate, gives the events of a run that fitted them"""
    station = eventful(folder, **CALIBRATED)
    original = folder / "original.h5"
    alleycat("simulate", "--config", station.path, "--output", original, "--triggers", 2 * TRIGGERS, "--seed", SEED)
    with h5py.File(original) as file:
        time_s = file["triggers/time_ps"][()] * 1e-12
        from_sequence, block, origin = (file[f"calibration/{name}"][()] for name in ("from_sequence", "block", "origin"))
        # Block k is second k; its fit is in force from the first trigger of second k + 2 on.
        seconds = int(time_s[-1])
        assert block[1:].tolist() == list(range(seconds - 1)), block
        assert from_sequence[1:].tolist() == [int((time_s >= k + 2).argmax()) for k in range(seconds - 1)], from_sequence
        assert (origin == 1).sum() >= 2, f"too few good fits to show anything: {origin}"
        charges = file["triggers/spe_charge_adc"][()]
        for k, first in enumerate(from_sequence):
            last = from_sequence[k + 1] if k + 1 < len(from_sequence) else len(charges)
            assert (charges[first:last] == file["calibration/spe_charge_adc"][k]).all(), k
    tables = ["triggers", "windows", "calibration"]
    for options in ([], ["--jobs", 2], ["--recalibrate"], ["--recalibrate", "--jobs", 2]):
        again = folder / f"again{len(list(folder.iterdir()))}.h5"
        alleycat("replay", original, "--config", station.path, "--output", again, *options)
        assert_same_tables(original, again, tables)
    # What is shown to people is what stands in the file.
    shown = json.loads(alleycat("info", "--json", original).stdout)["files"][0]["spe_charge"]
    assert (shown["fitted"], shown["kept"]) == ((origin == 1).sum(), (origin == 2).sum()), shown


def check_calibrations_of_what_is_left(folder):
    """With the recorded SPE charges, what was kept of a run (accepted triggers, one part) replays to its events"""
    station = eventful(folder, raw='"accepted"', block_s=2, min_peaks=500)
    alleycat("run", "--config", station.path, "--seconds", 10)
    parts = station.files()
    with h5py.File(parts[0]) as file:
        kept = len(file["raw/pci5153/sequence"])
        assert 5 < kept < len(file["triggers/sequence"]) / 2, f"{kept} traces were kept: all or nothing"
    again = folder / "accepted.h5"
    alleycat("replay", *parts, "--config", station.path, "--output", again)
    assert_same_events(parts, again)

    (folder / "whole").mkdir()
    whole = eventful(folder / "whole", part_size_mb=5, **CALIBRATED)
    alleycat("run", "--config", whole.path, "--seconds", 2 * TRIGGERS / 60)
    parts = whole.files()
    assert len(parts) > 2, parts
    again = folder / "second.h5"
    alleycat("replay", parts[1], "--config", whole.path, "--output", again)
    assert_same_events(parts, again)


def assert_same_events(parts, again):
    """Every trigger of `again` is, but for beam and ticks, what it is in one of the parts."""
    paths = ["triggers/spe_charge_adc", *(f"windows/{w}/{c}" for w in ("coincident", "anticoincident") for c in ("charge_pe", "cuts"))]
    with h5py.File(again) as other:
        sequences = other["triggers/sequence"][()]
        assert len(numpy.unique(other["triggers/spe_charge_adc"][()])) > 1, "one charge for all: nothing was shown"
        found = 0
        for part in parts:
            with h5py.File(part) as one:
                _, rows, rows_again = numpy.intersect1d(one["triggers/sequence"][()], sequences, return_indices=True)
                found += len(rows)
                for path in paths:
                    assert same_bits(one[path][()][rows], other[path][()][rows_again]), f"{path} of {part} and {again} differ"
        assert found == len(sequences) > 5, (found, len(sequences))


def check_replay_of_what_was_kept(folder):
    """A replay of accepted triggers and a prescaled rest is whole: the others are not_kept, and neither dead time nor exposure"""
    station = eventful(folder, raw='"accepted"', missed_tick_share=0.05)
    station.path.write_text(re.sub(r'(?m)^raw = "accepted".*$', 'raw = "accepted"\nraw_prescale = 7', station.path.read_text()))
    alleycat("run", "--config", station.path, "--seconds", 10)
    part, = station.files()
    again = folder / "again.h5"
    done = alleycat("replay", part, "--config", station.path, "--output", again)
    with h5py.File(part) as one, h5py.File(again) as other:
        every, kept = one["triggers/sequence"][()], one["raw/pci5153/sequence"][()]
        bare = len(every) - len(kept)
        assert bare > len(kept) > 20, (bare, len(kept))
        assert other["triggers/sequence"][()].tolist() == kept.tolist()
        # Ticks are judged as in the run, with those that cannot be measured again.
        rows = numpy.searchsorted(every, kept)
        assert same_bits(one["triggers/flags"][()][rows], other["triggers/flags"][()])
        dead = other["dead_time"]
        of_reason = dead["reason"].attrs["values"].split(",").index("not_kept")
        assert (dead["reason"][()] == of_reason).all()
        assert (dead["last_sequence"][()] - dead["first_sequence"][()] + 1).sum() == bare
        summary = other["summary"].attrs
        assert (summary["refused_not_kept"], summary["dead_time_ps"]) == (bare, 0)
        ticks = other["summary/exposure"].attrs
        assert sum(ticks[f"ticks_{state}"] for state in ("on", "off", "no_beam_cycle", "unknown")) == len(kept)
        reasons = summary["quality_reasons"].splitlines()
        assert f"degraded: {bare} of {len(every)} triggers had no samples to be replayed" in reasons, reasons
        assert not any("were refused" in reason for reason in reasons), reasons
    assert f"of them {bare} whose samples were not kept" in done.stdout, done.stdout
    ledgers = [ledger_closes(path) for path in (part, again)]
    assert [ledger["ticks_expected"] for ledger in ledgers] == [ledgers[0]["ticks_expected"]] * 2, ledgers
    assert ledgers[1]["ticks_missed"] == ledgers[0]["ticks_missed"] > 0, ledgers
    said = alleycat("verify", again).stdout
    assert f"{bare} trigger(s) had no samples in what was replayed" in said, said


def check_nothing_to_recalibrate(folder):
    """--recalibrate where the station fits nothing: status 2, and why"""
    station = eventful(folder)
    station.path.write_text(station.path.read_text().replace('source = "fit"', 'source = "none"'))
    original = simulated(folder, station)
    refused("replay", original, "--config", station.path, "--recalibrate", status=2, names=["--recalibrate", "trigger.calibration.source"])


main(globals())
