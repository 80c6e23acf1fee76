"""Ticks and beam: what goes wrong with either is flagged, counted and never called ON or OFF; a wrong index is found."""
import h5py
import numpy

from support import Process, Station, alleycat, assert_same_tables, ledger_closes, main

PERIOD_PS = 16_666_200_000
DISTRUSTED = ("duplicate_tick", "tick_backwards", "tick_out_of_phase")
ON, OFF, NO_BEAM, UNKNOWN = 1, 0, 2, -1


def quick(folder, **keys):
    """Three times as fast as the mains, with a trip of the beam every second and a half: an index shows within seconds."""
    return Station(folder, base="csi-monitored.toml", tick_rate_hz=200, simulator__tick_period_ns=5e6, simulator__beam_on_s=1,
                   simulator__beam_off_s=0.5, simulator__dark_rate_hz=0, simulator__afterglow_share=0, **keys)


def check_right_index_is_confirmed(folder):
    """A pick-up confirms the charge index of frames that tell of the pulse before"""
    station = quick(folder)
    with Process("run", "--config", station.path) as run:
        status = station.wait("a verdict", lambda s: s["index_check"]["verdict"] in ("confirmed", "contradicted"))
        assert status["index_check"]["verdict"] == "confirmed", status["index_check"]
        assert status["index_check"]["configured"] == status["index_check"]["best"] == -1
        assert status["index_check"]["evidence"] > 12.5
        run.end()
    assert run.text.count("the charge index -1 is confirmed") == 2, "in the log and in the run's report"
    assert "alarm beam_index" not in run.text


def check_wrong_index_is_an_alarm(folder):
    """With the charge index of the wrong pulse the check says which is right, and there is an alarm"""
    station = quick(folder, charge_index=0)
    with Process("run", "--config", station.path) as run:
        status = station.wait("a verdict", lambda s: s["index_check"]["verdict"] in ("confirmed", "contradicted"))
        assert status["index_check"]["verdict"] == "contradicted", status["index_check"]
        assert (status["index_check"]["configured"], status["index_check"]["best"]) == (0, -1)
        assert status["index_check"]["evidence"] < -12.5
        run.wait_for_output("alarm beam_index")
        words = alleycat("control", "status", "--connect", station.control).stdout
        assert "the charge index 0 is contradicted, it should be -1" in words, words
        run.end()


def check_quiet_channel_decides_nothing(folder):
    """A channel that sees no beam leaves the index undecided, and a station without one does not check it"""
    station = quick(folder, charge_index=0, beam_monitor_efficiency=0, beam_monitor_noise_hz=0)
    with Process("run", "--config", station.path) as run:
        status = station.wait("2000 ticks", lambda s: s["index_check"]["ticks"] >= 1800)
        assert status["index_check"]["verdict"] == "undecided", status["index_check"]
        assert status["index_check"]["evidence"] == 0
        run.end()
    assert "alarm beam_index" not in run.text
    plain = Station(folder)
    with Process("run", "--config", plain.path) as run:
        status = plain.wait("triggers", lambda s: s["ledger"]["triggers"] > 60)
        assert status["index_check"]["verdict"] == "none"
        run.end()


def flagged(file, name):
    bits = file["triggers/flags"].attrs["bits"]
    names = (bits.decode() if isinstance(bits, bytes) else bits).split(",")
    return file["triggers/flags"][()] >> names.index(name) & 1 == 1


def state_by_hand(counter, frames):
    """The table of daq/run/README.md for index -1 of the charge, from the frames as they stand in the file: the charge is
    in the frame of the next cycle."""
    own = frames.get(counter)
    if own is None:
        return UNKNOWN
    later = next((frames[c] for c in range(counter + 1, counter + 4) if c in frames), None)
    if later is None or later["cycle"] != (own["cycle"] + 1) % 600:
        return UNKNOWN
    if own["flavor"] == 0:
        return UNKNOWN if later["charge_pc"] > 0 else NO_BEAM if own["cycle"] == 0 else OFF
    return ON if later["charge_pc"] > 0 else OFF


def check_defects_are_flagged_and_replay_alike(folder):
    """Duplicate, backwards, out-of-phase and missing ticks, and frames lost, doubled and late: live equals replay"""
    shares = {"simulator__missed_tick_share": 0.03, "duplicate_tick_share": 0.03, "simulator__backwards_tick_share": 0.03,
              "out_of_phase_tick_share": 0.03, "simulator__phase_jump_share": 0.005, "lost_frame_share": 0.02,
              "simulator__duplicate_frame_share": 0.02, "late_frame_share": 0.02, "simulator__late_frame_s": 5,
              "simulator__beam_on_s": 3, "simulator__beam_off_s": 1, "max_delay_s": 1,
              "ring_mb": 4}  # a reader as fast as it goes must not be seconds ahead: then nothing is late
    station = Station(folder, base="csi-monitored.toml", simulator__pacing='"fast"', simulator__start_utc='"2015-10-02T16:00:00Z"',
                      **shares)
    original = folder / "original.h5"
    alleycat("simulate", "--config", station.path, "--output", original, "--triggers", 900, "--seed", 11)
    ledger = ledger_closes(original)
    assert ledger["ticks_missed"] > 10, ledger
    with h5py.File(original) as file:
        time_ps, state, power = (file[f"triggers/{name}"][()] for name in ("time_ps", "beam_state", "beam_power_w"))
        flags = {name: flagged(file, name) for name in DISTRUSTED}
        for name, some in flags.items():
            assert some.sum() > 5, f"{name}: {some.sum()}"
        distrusted = numpy.logical_or.reduce(list(flags.values()))
        assert (state[distrusted] == UNKNOWN).all() and (power[distrusted] == -1).all()
        # No pulse twice: what is ON is a period from what was ON before, or near a whole number of them; once the phase
        # jumps, the ticks of the jump are not trusted.
        on_ps = time_ps[state == ON]
        assert (numpy.diff(on_ps) > 0.5 * PERIOD_PS).all(), numpy.diff(on_ps).min()
        # The states again, by another way.
        counters = file["raw/pci5153/counter"][()]
        frames = {}
        for tick, cycle, flavor, charge in zip(*(file[f"beam/{name}"][()] for name in ("tick", "cycle", "flavor", "charge_pc"))):
            frames.setdefault(int(tick), {"cycle": int(cycle), "flavor": int(flavor), "charge_pc": float(charge)})
        by_hand = numpy.array([UNKNOWN if bad else state_by_hand(int(c), frames) for c, bad in zip(counters, distrusted)])
        late = (state == UNKNOWN) & (by_hand != UNKNOWN)  # the answer was given without the late frame
        assert (state[~late] == by_hand[~late]).all()
        assert 0 < late.sum() < 0.1 * len(state), late.sum()
        for known in (ON, OFF, NO_BEAM):
            assert (state == known).sum() > 0, known
        counted = {name: int(file[f"counters/{name}"][-1]) for name in file["counters"]}
        assert counted["ticks.duplicate"] == flags["duplicate_tick"].sum()
        assert counted["ticks.backwards"] == flags["tick_backwards"].sum()
        assert counted["ticks.out_of_phase"] == flags["tick_out_of_phase"].sum()
        assert counted["ticks.missing"] == ledger["ticks_missed"]
        assert counted["ticks.phase_jumps"] > 0
        assert counted["beam.late_frames"] > 0 and counted["beam.missing_frames"] > 0 and counted["beam.duplicate_frames"] > 0
    alleycat("verify", original)
    for jobs in (1, 2):
        again = folder / f"again{jobs}.h5"
        alleycat("replay", original, "--config", station.path, "--output", again, "--jobs", jobs)
        assert_same_tables(original, again, ["windows", "ticks"])
        # Beam states by frames depend on when a late frame came; everything else is the same.
        assert_same_tables(original, again, ["triggers"], but=["beam_state", "beam_power_w"])
        ledger_closes(again)


def check_tick_in_a_channel(folder):
    """With the tick as an edge in a channel the windows follow it: a wrong tick position changes nothing"""
    wide = {"length_ns = 15050\npretrace_ns = 39600\nintegration_ns = 3000\n\n[[trigger.window]]": "length_ns = 12000\npretrace_ns = 30000\nintegration_ns = 3000\n\n[[trigger.window]]",
            "start_ns = -15050\nlength_ns = 15050\npretrace_ns = 39600": "start_ns = -12000\nlength_ns = 12000\npretrace_ns = 30000"}
    keys = dict(simulator__pacing='"fast"', simulator__start_utc='"2015-10-02T16:00:00Z"', beam_monitor_channel='""', simulator__tick_channel='"pickup"',
                simulator__rate_boost=10000, simulator__afterglow_share=0,
                simulator__background_rate_hz=0.9, simulator__background_min_pe=15, duplicate_tick_share=0, out_of_phase_tick_share=0)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    by_trigger = Station(folder / "a", base="csi-monitored.toml", replace=wide, **keys)
    by_channel = Station(folder / "b", base="csi-monitored.toml",
                         replace={**wide, '[tick]\nsource = "trigger"': '[tick]\nsource = "channel"\nchannel = "pickup"\nthreshold_adc = 30'},
                         tick_position_ns=54000, **keys)
    for station in (by_trigger, by_channel):
        alleycat("simulate", "--config", station.path, "--output", station.path.with_suffix(".h5"), "--triggers", 150, "--seed", 5)
    assert_same_tables(by_trigger.path.with_suffix(".h5"), by_channel.path.with_suffix(".h5"), ["windows"])
    with h5py.File(by_trigger.path.with_suffix(".h5")) as one, h5py.File(by_channel.path.with_suffix(".h5")) as other:
        assert (one["windows/coincident/arrival_sample"][()] >= 0).sum() > 30
        offset = one["ticks/time_ps"][()] - other["ticks/time_ps"][()]
        assert (offset == offset[0]).all()  # both count from the first tick's record
        assert not flagged(other, "no_tick").any() and not flagged(other, "duplicate_tick").any()


main(globals())
