"""Stations whose boards trigger themselves: hits, ticks apart from them, the same live and in replay."""
import json

import h5py
import numpy

from support import Station, alleycat, assert_same_tables, ledger_closes, main

SEED = 20261126
RAW_TIME = ["time_ps"]  # of /raw/BOARD: counts from the boards' clock when recorded, from the run's first tick in replay
NAI = {"raw": ["raw/sis3316_1", "raw/sis3316_2", "raw/sis3316_3"], "config": "nai.toml"}
CELLS = {"raw": ["raw/v1730"], "config": "cells.toml"}
ON, UNKNOWN = 1, -1
FLAG = {}  # name: bit


def flags_of(file, group):
    FLAG.update({name: 1 << bit for bit, name in enumerate(file[f"{group}/flags"].attrs["bits"].split(","))})
    return file[f"{group}/flags"][()]


def simulated(folder, station, ticks):
    output = folder / "simulated.h5"
    alleycat("simulate", "--config", station.path, "--output", output, "--triggers", ticks, "--seed", SEED)
    alleycat("verify", output)
    ledger_closes(output)
    return output


def check_ticks_and_hits_of_a_file(folder):
    """Every hit has the nearest tick, every tick a beam state, and lost ticks leave hits without one"""
    station = Station(folder, "nai.toml", pacing='"fast"', missed_tick_share=0.05, beam_on_s=1800, rate_boost=3)
    with h5py.File(simulated(folder, station, 1200)) as file:
        ticks, tick_ps = file["ticks/tick"][()], file["ticks/time_ps"][()]
        sequence, time_ps = file["triggers/sequence"][()], file["triggers/time_ps"][()]
        flags, since = flags_of(file, "triggers"), file["triggers/since_tick_ps"][()]
        assert sequence.tolist() == list(range(len(sequence))) and len(sequence) > 10000
        assert (numpy.diff(time_ps) >= 0).all() and tick_ps[0] == 0
        assert (file["triggers/trigger_class"][()] == 4).all()
        assert 1100 < len(ticks) < 1170 and ticks.max() >= 1195
        # The nearest tick by another way: all distances at once.
        at = numpy.searchsorted(tick_ps, time_ps)
        before, after = numpy.clip(at - 1, 0, None), numpy.clip(at, None, len(ticks) - 1)
        nearest = numpy.where(abs(time_ps - tick_ps[before]) <= abs(tick_ps[after] - time_ps), before, after)
        within = abs(time_ps - tick_ps[nearest]) <= 0.505e12 / 60
        assert ((flags & FLAG["no_tick"] != 0) == ~within).all()
        assert (file["triggers/tick"][()][within] == ticks[nearest][within]).all()
        assert (since[within] == (time_ps - tick_ps[nearest])[within]).all()
        assert 0.03 < (~within).mean() < 0.07
        # A hit's beam state is that of its tick; without one nobody knows.
        state = file["triggers/beam_state"][()]
        assert (state[within] == file["ticks/beam_state"][()][nearest][within]).all() and (state[~within] == UNKNOWN).all()
        assert (file["ticks/beam_state"][()] == ON).mean() > 0.99
        assert (file["ticks/sequence"][()] == numpy.uint64(2**64 - 1)).all()
        exposure = file["summary/exposure"].attrs
        assert sum(exposure[f"ticks_{name}"] for name in ("on", "off", "no_beam_cycle", "unknown")) == len(ticks)
        assert file["summary/ledger"].attrs["ticks_missed"] == ticks[-1] - ticks[0] + 1 - len(ticks)


def check_windows_of_hits(folder):
    """Windows hold the hits whose time after the tick lies in them, and what the beam sends stands in the first"""
    station = Station(folder, "nai.toml", pacing='"fast"', beam_on_s=1800, rate_boost=5)
    with h5py.File(simulated(folder, station, 1800)) as file:
        since_ns = file["triggers/since_tick_ps"][()] / 1000
        accepted = {name: file[f"windows/{name}/accepted"][()] == 1 for name in file["windows"]}
        for name, start in (("coincident", 0), ("before_2ms", -2e6), ("before_4ms", -4e6), ("before_6ms", -6e6)):
            chosen = accepted[name]
            arrival = file[f"windows/{name}/arrival_ns"][()][chosen]
            assert ((0 <= arrival) & (arrival < 12000)).all()
            # A pulse is found a little after its stamp, and its integration begins a little before.
            assert (abs(since_ns[chosen] - start - arrival) < 150).all(), name
            inside = (since_ns > start + 200) & (since_ns < start + 11800)
            assert (accepted[name] == inside)[(abs(since_ns - start) > 200) & (abs(since_ns - start - 12000) > 200)].mean() > 0.999
        background = sum(accepted[name].sum() for name in accepted if name != "coincident") / 3
        assert accepted["coincident"].sum() > background + 5 * background**0.5 + 100
        kev = file["windows/coincident/charge_pe"][()][accepted["coincident"]]
        assert (kev > 8000).sum() > 100, "neutrinos on iodine are missing"
        assert (flags_of(file, "triggers")[accepted["coincident"]][kev > 8000] & FLAG["low_gain"] != 0).all()
        line = file["windows/before_2ms/charge_pe"][()]
        detectors = file["triggers"].attrs["detectors"].split(",")
        assert len(detectors) == 24 and set(file["triggers/detector"][()]) == set(range(24)), line


def check_neutrons_and_gammas(folder):
    """The cells' timing signal is a channel: its hits are ticks and no triggers; prompt neutrons come with the protons"""
    station = Station(folder, "cells.toml", pacing='"fast"', rate_boost=2)
    with h5py.File(simulated(folder, station, 1800)) as file:
        assert len(file["ticks/tick"]) == 1800 and (numpy.diff(file["ticks/tick"][()]) == 1).all()
        assert (file["raw/v1730/channel"][()] < 4).all(), "a hit of the timing channel became a trigger"
        kinds = file["truth/kind"].attrs["values"].split(",")
        kind = dict(zip(file["truth/sequence"][()], file["truth/kind"][()]))
        accepted = file["windows/coincident/accepted"][()] == 1
        arrival = file["windows/coincident/arrival_ns"][()]
        prompt = [kinds[kind[s]] for s in file["triggers/sequence"][()][accepted & (arrival < 1500)]]
        assert len(prompt) > 150 and prompt.count("neutron") > 0.9 * len(prompt)


def check_tail_over_total_separates(folder):
    """The cells' discriminant as the station measures it: from 150 keVee up 95 % of neutrons and of gammas are on their side of the cut"""
    # The windows lie so densely that every hit is in one: the discriminant is measured where there is an arrival.
    windows = {'start_ns = 0\nlength_ns = 12000': 'start_ns = 0\nlength_ns = 8200000', 'start_ns = -2000000\nlength_ns = 12000': 'start_ns = -8200000\nlength_ns = 8200000'}
    station = Station(folder, "cells.toml", replace=windows, pacing='"fast"', rate_boost=5)
    with h5py.File(simulated(folder, station, 900)) as file:
        kinds = file["truth/kind"].attrs["values"].split(",")
        kind = numpy.full(len(file["triggers/sequence"]), -1)
        kind[file["truth/sequence"][()]] = file["truth/kind"][()]
        for name, expected, good in (("neutron", 100, lambda tail: tail >= 0.135), ("gamma", 1000, lambda tail: tail < 0.135)):
            tails = numpy.concatenate([window["tail_over_total"][()][chosen] for window in (file["windows/coincident"], file["windows/before_2ms"])
                                       for chosen in [(kind == kinds.index(name)) & (window["arrival_sample"][()] >= 0) & (window["charge_pe"][()] > 150)]])
            assert len(tails) > expected, (name, len(tails))
            assert good(tails).mean() > 0.95, (name, good(tails).mean())


def check_replay_of_simulated(folder):
    """A file of hits replays to itself, ticks included, with --jobs 1 and with --jobs 2"""
    for which, keys in ((NAI, {"missed_tick_share": 0.05, "late_tick_share": 0.01, "rate_boost": 2}), (CELLS, {"missed_tick_share": 0.05})):
        place = folder / which["config"]
        place.mkdir()
        station = Station(place, which["config"], pacing='"fast"', **keys)
        original = simulated(place, station, 900)
        with h5py.File(original) as file:
            late = (flags_of(file, "ticks") & FLAG["late_tick"] != 0).sum()
            assert late > 5 or "late_tick_share" not in keys
        for jobs in (1, 2):
            again = place / f"jobs{jobs}.h5"
            alleycat("replay", original, "--config", station.path, "--output", again, "--jobs", jobs)
            assert_same_tables(original, again, ["triggers", "windows", "ticks", "truth", *which["raw"]], but=RAW_TIME)
            alleycat("verify", again)
            ledger_closes(again)


def check_replay_of_live(folder):
    """A live run (sockets open, journal, two workers, several parts) replays to the events it published; verify and info agree"""
    station = Station(folder, "nai.toml", workers=2, part_size_mb=1, missed_tick_share=0.02, rate_boost=3)
    alleycat("run", "--config", station.path, "--seconds", "5")
    parts = station.files()
    assert len(parts) > 2 and not station.leftovers()
    alleycat("verify", station.folder)
    ledger = ledger_closes(parts[-1])
    again = folder / "again.h5"
    alleycat("replay", *parts, "--config", station.path, "--output", again)
    alleycat("verify", again)
    infos = [json.loads(alleycat("info", "--json", path).stdout)["files"][0] for path in (*parts, again)]
    live, replayed = infos[:-1], infos[-1]
    assert sum(part["triggers"] for part in live) == replayed["triggers"] == ledger["recorded"]
    for state in replayed["exposure"]["ticks"]:
        assert sum(part["exposure"]["ticks"][state] for part in live) == replayed["exposure"]["ticks"][state], state
    assert sum(replayed["exposure"]["ticks"].values()) == ledger["ticks_seen"]
    for name, detector in replayed["detectors"].items():
        assert sum(part["detectors"][name]["triggers"] for part in live) == detector["triggers"] > 0, name
    with h5py.File(again) as file:
        for group, column in (("triggers", "sequence"), ("triggers", "since_tick_ps"), ("triggers", "flags"), ("triggers", "beam_state"),
                              ("ticks", "time_ps"), ("ticks", "flags"), ("ticks", "beam_state"), ("windows/coincident", "charge_adc")):
            live_rows = []
            for part in parts:
                with h5py.File(part) as one:
                    live_rows.append(one[f"{group}/{column}"][()])
            assert numpy.concatenate(live_rows).tobytes() == file[f"{group}/{column}"][()].tobytes(), f"{group}/{column}"


main(globals())
