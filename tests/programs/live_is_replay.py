"""Live equals replay: one seed, several ways through the chain, the same events bit for bit."""
import h5py
import numpy

from support import CONFIG, Station, alleycat, assert_same_tables, ledger_closes, main, same_bits

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
    """A simulated HDF5 file replays to the events it was written with, whatever --jobs and --kernels"""
    station = eventful(folder)
    original = simulated(folder, station)
    for jobs, kernels in ((1, "simd"), (2, "simd"), (2, "scalar")):
        again = folder / f"{kernels}{jobs}.h5"
        alleycat("replay", original, "--config", station.path, "--output", again, "--jobs", jobs, "--kernels", kernels)
        assert_same_tables(original, again, ["triggers", "windows", "raw/pci5153", "ticks", "truth"], but=RAW_TIME)
        ledger_closes(again)


def check_labview_of_simulated(folder):
    """The LabVIEW minutes of a seed hold the samples of its HDF5 file and replay to the same features"""
    station = eventful(folder)
    original = simulated(folder, station)
    minutes, again = folder / "minutes", folder / "minutes.h5"
    alleycat("simulate", "--config", station.path, "--output", minutes, "--triggers", TRIGGERS, "--seed", SEED, "--format", "labview")
    alleycat("replay", minutes, "--config", CONFIG / "csi-labview.toml", "--output", again)
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


main(globals())
