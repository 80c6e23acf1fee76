"""Every simulated station of config/ as its user meets it: checked, run, verified, replayed, shown.

A check per station file whose boards are all simulated, found by reading the files; the first check prints their names.
"""
import os
import re
import struct
import subprocess
import tomllib

import h5py
import numpy

from result_columns import differences
from support import ALLEYCAT, CONFIG, PATIENCE_S, alleycat, free_ports, ledger_closes, main

MONITOR = ALLEYCAT.parent.parent / "gui" / "alleycat-monitor"
DATA_SECONDS = 10
ENOUGH_ACCEPTED = 3
BEAM_TICK, HIT = 0, 4  # trigger_class in FORMAT.md
FACTORS = (1, 10, 10_000)  # on the rates as shipped; a quiet detector shows nothing in seconds
CORE_COLUMNS = {"sequence", "pretrace_peaks", "roi_peaks", "window_peaks", "arrival_sample", "arrival_ns", "charge_adc",
                "charge_global_adc", "charge_pe", "rise_10_90_ns", "cuts", "accepted",
                *(f"t{part}_{baseline}ns" for part in (10, 50, 90) for baseline in ("", "global_"))}  # FORMAT.md


def simulated_profiles():
    def simulated(path):
        return all(board["source"] == "simulator" for board in tomllib.loads(path.read_text())["board"])

    return [path for path in sorted(CONFIG.glob("*.toml")) if simulated(path)]


def with_key(text, section, key, value):
    """A station file's text with `[section] key = value`, whether section and key are there or not."""
    begin = re.search(rf"(?m)^\[{re.escape(section)}\].*$", text)
    if not begin:
        return f"{text}\n[{section}]\n{key} = {value}\n"
    following = re.compile(r"(?m)^\[").search(text, begin.end())
    end = following.start() if following else len(text)
    body, found = re.subn(rf"(?m)^{key}\s*=.*$", f"{key} = {value}", text[begin.end():end])
    return text[:begin.end()] + (body if found else f"\n{key} = {value}{body}") + text[end:]


def variant(path, folder):
    """The station with a seed and a time of its own, as fast as it goes, in this folder and on free ports."""
    changes = {("simulator", "pacing"): '"fast"', ("simulator", "seed"): "20151002",
               ("simulator", "start_utc"): '"2015-10-02T16:00:00Z"', ("store", "folder"): f'"{folder / "data"}"',
               ("store", "raw"): '"all"'}
    for section, port in zip(("data", "monitor_stream", "control"), free_ports(3)):
        changes[section, "endpoint"] = f'"tcp://127.0.0.1:{port}"'
    text = path.read_text()
    expected = tomllib.loads(text)
    for (section, key), value in changes.items():
        text = with_key(text, section, key, value)
        expected.setdefault(section, {})[key] = value.strip('"') if value.startswith('"') else int(value)
    assert tomllib.loads(text) == expected, "another key of the station has changed"
    station = folder / path.name
    station.write_text(text)
    return station


def accepted_windows(part):
    with h5py.File(part) as file:
        return sum(int(window["accepted"][()].sum()) for window in file["windows"].values())


def run(station, folder):
    """The part of the first run in which enough windows were accepted."""
    shipped = tomllib.loads(station.read_text())["simulator"].get("rate_boost", 1)
    for factor in FACTORS:
        data = folder / f"rates_{factor}"
        alleycat("run", "--config", station, "--folder", data, "--seconds", DATA_SECONDS, "--rate-boost", min(shipped * factor, 1e7))
        [part] = data.glob("*.h5")
        assert not [path for path in data.iterdir() if path.suffix in (".part", ".journal")], list(data.iterdir())
        accepted = accepted_windows(part)
        ledger = ledger_closes(part)
        print(f"    {DATA_SECONDS} s, rates x {factor}: {ledger['recorded']} triggers, {ledger['refused']} refused, "
              f"{accepted} windows accepted", flush=True)
        if accepted >= ENOUGH_ACCEPTED:
            break
    assert accepted >= ENOUGH_ACCEPTED, f"only {accepted} windows were accepted"
    assert ledger["refused"] == 0, ledger
    assert_length(part)
    alleycat("verify", data)
    return part


def assert_length(part):
    """--seconds are those of the timing signal, whatever triggers stand between its ticks."""
    with h5py.File(part) as file:
        trigger_class = file["triggers/trigger_class"][()]
    ticks = int((trigger_class == BEAM_TICK).sum())
    assert ticks == DATA_SECONDS * 60 or (trigger_class == HIT).all(), f"{ticks} ticks in {DATA_SECONDS} s"


def features_to_be_finite(station):
    """The station's own features. One that waits for a second pulse may have no value, unless a cut asks for one."""
    trigger = tomllib.loads(station.read_text())["trigger"]
    features = {feature["name"]: feature for feature in trigger.get("feature", [])}
    asked_for = {cut["feature"] for cut in trigger.get("cut", []) if "feature" in cut}

    def waits(name):
        feature = features.get(name, {})
        return feature.get("kind") == "delayed_coincidence" or any(waits(feature[key]) for key in ("of", "over") if key in feature)

    return set(features), {name for name in features if name in asked_for or not waits(name)}


def unknown(column):
    """Where a column says that there is no value: FORMAT.md."""
    if column.dtype.kind == "f":
        return ~numpy.isfinite(column)
    limits = numpy.iinfo(column.dtype)
    return column == (limits.min if column.dtype.kind == "i" else limits.max)


def assert_features(station, part):
    """The columns of each window are those of the station, and accepted windows have values there."""
    names, finite = features_to_be_finite(station)
    with h5py.File(part) as file:
        for window, group in file["windows"].items():
            own = set(group) - CORE_COLUMNS
            assert own == names, f"window {window}: columns {sorted(own)}, the station's features are {sorted(names)}"
            accepted = group["accepted"][()] == 1
            for name in sorted(finite):
                without = int(unknown(group[name][()][accepted]).sum())
                assert without == 0, f"{window}/{name}: no value in {without} of {int(accepted.sum())} accepted windows"
    print(f"    features of its own: {', '.join(sorted(names)) or 'none'}", flush=True)


REPLAYS = [("--jobs", 1), ("--jobs", 2), ("--jobs", 1, "--kernels", "scalar")]


def assert_replays_the_same(station, part, folder):
    wrong = []
    for number, way in enumerate(REPLAYS):
        again = folder / f"again_{number}.h5"
        alleycat("replay", part, "--config", station, "--output", again, *way)
        wrong += [f"{' '.join(map(str, way))}: {line}" for line in differences(part, again)]
    assert not wrong, "live and replay differ:\n" + "\n".join(wrong)
    print(f"    replayed with {'; '.join(' '.join(map(str, way)) for way in REPLAYS)}: the same", flush=True)


def assert_dashboard(part, folder):
    picture = folder / "dashboard.png"
    done = subprocess.run([MONITOR, part, "--screenshot", picture, "--size", "1600x1000"], capture_output=True, text=True,
                          timeout=PATIENCE_S, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode == 0, done.stderr
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) == (1600, 1000), head


def profile_check(path):
    def check(folder):
        alleycat("check", path)
        station = variant(path, folder)
        alleycat("check", station)
        part = run(station, folder)
        assert_features(station, part)
        assert_replays_the_same(station, part, folder)
        assert_dashboard(part, folder)

    check.__doc__ = f"{path.name}: check, run, verify, its features, replay in every way, dashboard"
    return check


def check_which(_):
    """The stations of config/ whose boards are all simulated"""
    names = [path.stem for path in simulated_profiles()]
    assert "csi" in names, names
    print(f"    {len(names)}: {', '.join(names)}", flush=True)


main({"check_which": check_which, **{f"check_{path.stem}": profile_check(path) for path in simulated_profiles()}})
