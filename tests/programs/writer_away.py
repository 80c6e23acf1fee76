"""The daemon's edge: what a writer that is away, a full buffer, a spill and a killed daemon leave in file, status and log."""
import h5py

from support import Process, Station, alleycat, assert_every_trigger_once, ledger_closes, main, sequences


def gap_of(path):
    """The only row of /gaps."""
    with h5py.File(path) as file:
        gaps = {name: column[()].tolist() for name, column in file["gaps"].items()}
    assert all(len(column) == 1 for column in gaps.values()), gaps
    return {name: column[0] for name, column in gaps.items()}


def last_trigger(path):
    with h5py.File(path) as file:
        return int(file["triggers/sequence"][-1]), int(file["triggers/utc_ns"][-1])


def check_books_close_while_full(folder):
    """The buffer is full for seconds: the ledger closes at every look, refusals and dead time grow, no alarm names another cause"""
    station = Station(folder, ring_mb=1, retransmit_mb=4)
    with Process("daq", "--config", station.path) as daemon:
        full = station.wait("a full buffer", lambda s: s["backed_up"])
        seen, ticks = [full], full["counters"]["readout.pci5153.ticks"]

        def look(status):
            ledger = status["ledger"]
            assert ledger["closes"] and ledger["triggers"] == ledger["recorded"] + ledger["refused"], status
            if status["backed_up"]:
                seen.append(status)
            return status["counters"]["readout.pci5153.ticks"] > ticks + 60 * 12  # twelve seconds of them

        station.wait("refusals", look)
        assert len(seen) >= 3
        for before, after in zip(seen[1:], seen[2:]):
            assert after["ledger"]["recorded"] == before["ledger"]["recorded"], "a full buffer took a trigger"
        refused = [status["ledger"]["refused"] for status in seen]
        assert refused == sorted(refused) and refused[-1] > refused[1] > 0, refused
        assert seen[-1]["dead_s"] > seen[1]["dead_s"] > 0
        assert seen[-1]["in_hand"] > 0
        # 60 triggers of 71 kB a second into 4 MiB: one second of data, and no time left.
        assert 0.7 < seen[-1]["waiting_for_writer"]["held_s"] < 1.3 and seen[-1]["waiting_for_writer"]["left_s"] < 0.1
        assert abs(seen[-1]["trigger_rate_hz"] - 60) < 6, seen[-1]["trigger_rate_hz"]
        text = alleycat("control", "status", "--connect", station.control).stdout
        assert "REFUSING TRIGGERS" in text and "s of data" in text, text
        with Process("write", "--config", station.path) as writer:
            station.wait("the writer", lambda s: s["ledger"]["recorded"] > full["ledger"]["recorded"] + 100)
            alleycat("control", "stop", "--connect", station.control)
            ledger = station.wait("the end", lambda s: s["state"] == "idle")["ledger"]
            daemon.end()
            writer.end()
    for wrong in ("alarm ledger", "no trigger for", "ticks/s, nominal"):
        assert wrong not in daemon.text, daemon.text
    assert "the retransmit buffer is full, and no writer is connected" in daemon.text, daemon.text
    [part] = station.files()
    recorded, refused_numbers = sequences([part])
    assert (len(recorded), len(refused_numbers)) == (ledger["recorded"], ledger["refused"]), ledger
    with h5py.File(part) as file:
        begin, end = file["dead_time/begin_ps"][()], file["dead_time/end_ps"][()]
        assert (end > begin).all() and (begin[1:] >= end[:-1]).all()


def check_spill(folder):
    """A writer is away for longer than memory lasts: the spill takes the rest, nothing is refused, every trigger is there once"""
    station = Station(folder, ring_mb=4, retransmit_mb=10, run__spill_mb=1000)  # 16 MiB: less than four seconds
    with Process("daq", "--config", station.path) as daemon:
        away = station.wait("ten seconds of data", lambda s: s["ledger"]["recorded"] >= 600)
        assert away["ledger"]["refused"] == 0 and away["counters"]["spill.frames"] > 300, away
        held = away["waiting_for_writer"]
        assert 9 < held["held_s"] < 13 and held["left_s"] > 150, held  # 1 GB at 4.3 MB/s
        assert list((station.folder / "spill").glob("*.journal"))
        with Process("write", "--config", station.path) as writer:
            station.wait("the writer has caught up", lambda s: s["writer"]["durable_triggers"] > 600)
            alleycat("control", "stop", "--connect", station.control)
            ledger = station.wait("the end", lambda s: s["state"] == "idle")["ledger"]
            daemon.end()
            writer.end()
    assert ledger["refused"] == 0, ledger
    [part] = station.files()
    assert assert_every_trigger_once([part]) == list(range(ledger["recorded"]))
    assert not list((station.folder / "spill").glob("*.journal"))
    alleycat("verify", station.folder)


def check_spill_outlives_the_daemon(folder):
    """A daemon is killed with spilled frames: the next sends them first, and the gap begins behind them"""
    station = Station(folder, ring_mb=4, retransmit_mb=4, run__spill_mb=1000)
    with Process("daq", "--config", station.path) as daemon:
        away = station.wait("spilled triggers", lambda s: s["counters"]["spill.frames"] > 200)
        daemon.kill()
    with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
        status = station.wait("the next run", lambda s: s["run"] == 2 and s["gap"] and s["gap"]["told_by_writer"] and s["writer"]["durable_triggers"] > 60)
        alleycat("control", "stop", "--connect", station.control)
        station.wait("the end", lambda s: s["state"] == "idle")
        daemon.end()
        writer.end()
    first, second = station.files()
    recorded = assert_every_trigger_once([first])
    assert len(recorded) > 100, len(recorded)  # the other frames are beam data and counters
    assert_every_trigger_once([second])
    sequence, utc_ns = last_trigger(first)
    gap = gap_of(second)
    assert (gap["previous_run"], gap["last_sequence"], gap["from_utc_ns"]) == (1, sequence, utc_ns), gap
    with h5py.File(second) as file:
        assert gap["to_utc_ns"] == file["triggers/utc_ns"][0]
    assert gap["lost_estimated"] == round((gap["to_utc_ns"] - gap["from_utc_ns"]) * 60e-9) > 0, gap
    assert status["gap"]["lost_estimated"] == gap["lost_estimated"] == ledger_closes(second)["lost_estimated"]
    # Those that were only in memory are among the lost.
    assert sequence < away["ledger"]["recorded"] + away["ledger"]["refused"] + 600
    assert f"run 1 was cut off after trigger {sequence}" in daemon.text, daemon.text


def check_spill_outlives_a_clean_end(folder):
    """A daemon that ends without a writer leaves all of it in the spill: the next start sends it, and there is no gap"""
    station = Station(folder, ring_mb=4, retransmit_mb=4, drain_timeout_s=0.1, run__spill_mb=1000)
    with Process("daq", "--config", station.path) as daemon:
        station.wait("triggers", lambda s: s["ledger"]["recorded"] >= 60)
        alleycat("control", "stop", "--connect", station.control)
        ledger = station.wait("the end", lambda s: s["state"] == "idle")["ledger"]
        daemon.end()
    with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
        status = station.wait("the next run", lambda s: s["run"] == 2 and s["writer"]["durable_triggers"] > 0 and s["ledger"]["recorded"] > 0)
        assert status["gap"] is None and status["ledger"]["lost_estimated"] == 0, status
        alleycat("control", "stop", "--connect", station.control)
        station.wait("its end", lambda s: s["state"] == "idle")
        daemon.end()
        writer.end()
    first, second = station.files()
    assert len(assert_every_trigger_once([first])) == ledger["recorded"]
    assert ledger_closes(first)["triggers"] == ledger["triggers"]
    assert_every_trigger_once([second])


def check_gap_of_a_killed_daemon(folder):
    """A daemon is killed and its writer lives: the gap begins behind the last trigger that the writer has, to the trigger"""
    # Much is not on disk yet when the next daemon comes, and the writer greets it at once.
    station = Station(folder, store__sync_interval_ms=1000, data__heartbeat_ms=50)
    with Process("write", "--config", station.path) as writer:
        with Process("daq", "--config", station.path) as daemon:
            station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 60)
            daemon.kill()
        with Process("daq", "--config", station.path) as daemon:
            status = station.wait("the next run", lambda s: s["run"] == 2 and s["gap"] and s["gap"]["told_by_writer"] and s["writer"]["durable_triggers"] > 0)
            text = alleycat("control", "status", "--connect", station.control).stdout
            assert "run 1 was cut off after trigger" in text, text
            daemon.end()
        writer.end()
    first, second = station.files()
    assert_every_trigger_once([first])
    sequence, utc_ns = last_trigger(first)
    gap = gap_of(second)
    assert (gap["previous_run"], gap["last_sequence"], gap["from_utc_ns"], gap["told_by_writer"]) == (1, sequence, utc_ns, 1), gap
    assert status["gap"]["last_sequence"] == sequence, status["gap"]
    assert ledger_closes(second)["lost_estimated"] == gap["lost_estimated"] == round((gap["to_utc_ns"] - utc_ns) * 60e-9)


def check_gap_of_a_killed_run(folder):
    """Daemon and writer in one process are killed: the next start finds the last trigger on disk, to the trigger"""
    station = Station(folder)
    with Process("run", "--config", station.path) as run:
        station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 60)
        run.kill()
    with Process("run", "--config", station.path) as run:
        station.wait("the next run", lambda s: s["run"] == 2 and s["ledger"]["recorded"] > 0)
        run.end()
    first, second = station.files()
    sequence, utc_ns = last_trigger(first)
    gap = gap_of(second)
    assert (gap["previous_run"], gap["last_sequence"], gap["from_utc_ns"], gap["told_by_writer"]) == (1, sequence, utc_ns, 1), gap


main(globals())
