"""The trigger stage against an independent reference (tests/trigger), and that reference against the published program."""
import csv
import sys
import zipfile

import numpy as np

from support import CONFIG, SOURCE, Station, alleycat, main, real

sys.path.insert(0, str(SOURCE / "tests/trigger"))
import published_rules  # noqa: E402
from reference import compare  # noqa: E402

# Stations on which all goes wrong. Heights and shares are far from nature's, so that some hundred triggers hold every kind.
STATIONS = {
    "boosted": {"rate_boost": 3000},
    "many flags": {"rate_boost": 3000, "cherenkov_share": 0.2, "big_pulse_share": 0.1, "linear_gate_share": 0.15,
                   "linear_gate_length_ns": 30_000, "veto_share": 0.15, "veto_min_adc": 6, "veto_mean_adc": 6},
    "quiet": {"dark_rate_hz": 500, "afterglow_share": 0.02, "noise_sigma_adc": 0.5, "rate_boost": 10_000, "linear_gate_level_adc": 19,
              "background_flat_share": 1},
    "small pulses": {"spe_theta": 0, "noise_sigma_adc": 1.6, "dark_rate_hz": 150_000, "baseline_wander_adc": 3, "rate_boost": 2000},
    "crowded": {"dark_rate_hz": 3_000_000, "baseline_adc": 108, "baseline_drift_adc": 0, "cherenkov_share": 0.3, "rate_boost": 300},
}
KINDS = ("put in: nothing, but noise and dark peaks", "put in: scintillation in coincident", "put in: scintillation in anticoincident",
         "put in: cherenkov", "put in: big_pulse", "put in: gated", "put in: muon_veto", "trigger: no peak at all", "trigger: with peaks",
         "trigger: no flag", "trigger: flagged overflow", "trigger: flagged muon_veto", "trigger: flagged linear_gate",
         "trigger: a peak still above threshold at the last sample", "window: with an arrival", "window: accepted")


def compare_simulated(folder, triggers_each, first_seed):
    """Every station simulated with a seed of its own, all triggers compared; every kind and every cut must be among them."""
    files = []
    for seed, (name, keys) in enumerate(STATIONS.items(), first_seed):
        place = folder / name.replace(" ", "_")
        place.mkdir()
        files.append(place / "simulated.h5")
        alleycat("simulate", "--config", Station(place, **keys).path, "--output", files[-1], "--triggers", triggers_each, "--seed", seed)
    comparison = compare(files, 1e-9)
    comparison.report()
    assert comparison.triggers == triggers_each * len(STATIONS) and comparison.not_compared == 0
    assert comparison.differences == 0, comparison.shown[0]
    cuts = published_rules.Station((CONFIG / "csi.toml").read_text()).cut_names
    for kind in (*KINDS, *(f"window: fails {cut}" for cut in cuts)):
        assert comparison.kinds[kind], f"no trigger is an example of '{kind}'"


def check_simulated_triggers(folder):
    """1,500 simulated triggers of every kind: features, flags and cuts are those of the reference"""
    compare_simulated(folder, 300, 1)


def read_minute(path):
    """(signal, veto) codes of each trigger of a LabVIEW minute."""
    with zipfile.ZipFile(path) as archive:
        data = np.frombuffer(archive.read(path.stem), np.int8)
    at = 0
    while at < len(data):
        columns = int(data[at:at + 4].view(">i4")[0])
        if columns > 350_070:
            return
        for waveform in data[at + 8:at + 8 + 2 * columns].reshape(-1, 35_007, 2):
            yield waveform[7:, 0], waveform[7:, 1]
        at += 8 + 2 * columns


def check_published_program(folder):
    """The reference itself: a LabVIEW minute of 40 triggers, every feature as the experiment's published program printed it"""
    minute = real("labview/Run-15-10-02-12-00-00/151002/120000.zip")
    station = published_rules.Station((CONFIG / "csi-labview.toml").read_text())
    results = [published_rules.analyse(signal, veto, station, 70.0) for signal, veto in read_minute(minute)]
    integers = ("pretrace_peaks", "roi_peaks", "window_peaks", "arrival_sample")
    baseline = ("baseline_median", "baseline_mean", "baseline_sigma")
    charges = {"charge_global": "charge_global_adc", "charge_local": "charge_adc"}
    times = {f"t{part}_{theirs}": f"t{part}_{ours}ns" for part in (10, 50, 90) for theirs, ours in (("global", "global_"), ("local", ""))}
    compared = 0
    for name in ("coincident", "anticoincident"):
        published = list(csv.DictReader(real(f"labview/published_program_{name}.csv").open()))
        assert len(published) == len(results) == 40
        for row, (trigger, windows) in zip(published, results):
            ours = {flag: int(flag in trigger["flags"]) for flag in ("overflow", "muon_veto", "linear_gate")}
            ours |= {column: windows[name][column] for column in integers}
            ours |= {column: trigger[f"{column}_adc"] for column in baseline}
            ours |= {theirs: windows[name][column] for theirs, column in charges.items()}
            ours |= {theirs: windows[name][column] / 2 for theirs, column in times.items()}  # samples of 2 ns
            assert ours.keys() == row.keys() - {"timestamp"}
            for column, value in ours.items():  # six digits are printed
                assert np.isclose(value, float(row[column]), rtol=1e-5, atol=1e-12), \
                    f"{row['timestamp']} {name} {column}: {value}, published {row[column]}"
                compared += 1
    print(f"{compared} published values")


if __name__ == "__main__":
    main(globals())
