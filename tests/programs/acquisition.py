"""Acquisition as processes that are interrupted, killed and told to stop: every trigger stands in the files exactly once."""
import json
import signal
import time

import h5py

from support import CONFIG, Process, Station, alleycat, assert_every_trigger_once, ledger_closes, main, refused, same_bits, sequences, wait_for


def assert_ended_cleanly(station, files=1):
    """A closed part, nothing unfinished, whole by verify's own count and by ours."""
    parts = station.files()
    assert len(parts) == files and not station.leftovers(), f"{parts} {station.leftovers()}"
    report = json.loads(alleycat("verify", station.folder, "--json").stdout)
    assert report["ok"] and all(file["closed"] for file in report["files"]), report
    return parts


def check_replay_interrupted(folder):
    """SIGINT in the middle of a replay whose threads unpack ahead ends it: status 0, what was read stands in a closed file"""
    triggers = 2000  # half a minute at the pace it was recorded at
    station = Station(folder)
    minutes_station = folder / "minutes.toml"
    minutes_station.write_text((CONFIG / "csi-labview.toml").read_text() + "".join(
        f'\n[{section}]\nendpoint = "{endpoint}"\n'
        for section, endpoint in (("data", station.data), ("monitor_stream", station.monitor), ("control", station.control))))
    for name, format, config in (("file.h5", "hdf5", station.path), ("minutes", "labview", minutes_station)):
        source, output = folder / name, folder / f"{format}.again.h5"
        alleycat("simulate", "--config", station.path, "--output", source, "--triggers", triggers, "--seed", 3, "--format", format)
        with Process("replay", source, "--config", config, "--output", output, "--paced", "--jobs", 2) as replay:
            station.wait("some triggers", lambda s: s["ledger"]["triggers"] >= 10)
            replay.end(signal.SIGINT)
        recorded = assert_every_trigger_once([output])
        assert 10 <= len(recorded) < triggers, (format, len(recorded))
        ledger_closes(output)
        with h5py.File(output) as file:
            assert file["summary"].attrs["end_reason"] == "stopped", dict(file["summary"].attrs)


def check_writer_killed(folder):
    """daq and write: the writer is killed and started again, a second one is refused; every trigger is there exactly once"""
    station = Station(folder, tick_rate_hz=100, tick_period_ns=1e7)
    with Process("daq", "--config", station.path) as daemon:
        with Process("write", "--config", station.path) as writer:
            station.wait("a hundred triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 100)
            writer.kill()
        before = station.wait("the writer's absence", lambda s: not s["writer"]["connected"])["ledger"]["triggers"]
        station.wait("triggers without a writer", lambda s: s["ledger"]["triggers"] > before + 50)
        with Process("write", "--config", station.path) as writer:
            caught_up = station.wait("the new writer catching up", lambda s: s["writer"]["durable_triggers"] > before + 50)
            assert caught_up["writer"]["connected"]
            with Process("write", "--config", station.path, "--folder", folder / "elsewhere") as second:
                second.wait_for_output("refuses this writer")
                second.end()
            alleycat("control", "stop", "--connect", station.control)
            final = station.wait("the end of the run", lambda s: s["state"] == "idle")
            ledger = final["ledger"]
            assert ledger["closes"] and ledger["triggers"] == ledger["recorded"] + ledger["refused"], ledger
            alleycat("control", "quit", "--connect", station.control)
            daemon.expect_end()
            writer.end()
    parts = assert_ended_cleanly(station)
    recorded = assert_every_trigger_once(parts)
    assert len(recorded) == ledger["recorded"], (len(recorded), ledger)
    assert ledger_closes(parts[-1])["triggers"] == ledger["triggers"]


def check_run_interrupted(folder):
    """SIGINT, SIGTERM and two SIGINT end a run: status 0, the last trigger in a closed file"""
    for number, (name, signals) in enumerate({"INT": [signal.SIGINT], "TERM": [signal.SIGTERM], "INT INT": [signal.SIGINT] * 2}.items()):
        place = folder / str(number)
        place.mkdir()
        station = Station(place)
        with Process("run", "--config", station.path) as run:
            station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 20)
            for one in signals:
                run.send(one)
            run.expect_end()
        [part] = assert_ended_cleanly(station)
        ledger = ledger_closes(part)
        recorded = assert_every_trigger_once([part])
        assert len(recorded) == ledger["recorded"] >= 20, (name, ledger)
        with h5py.File(part) as file:
            assert file["summary"].attrs["last_sequence"] == max(recorded) and file["summary"].attrs["clean"] == 1


def check_run_killed(folder):
    """A run is killed: the next start recovers what was acknowledged, and counts what was lost"""
    station = Station(folder)
    with Process("run", "--config", station.path) as run:
        acknowledged = station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 60)["writer"]["durable_triggers"]
        run.kill()
    assert station.leftovers()
    killed = time.time()
    with Process("run", "--config", station.path) as run:
        status = station.wait("the next run", lambda s: s["run"] == 2 and s["ledger"]["recorded"] > 0)
        started = time.time()
        # 60 Hz for as long as nobody was there: from the last trigger noted (once a second) to the first one of this run.
        assert 0 < status["ledger"]["lost_estimated"] <= 60 * (started - killed + 3), status["ledger"]
        run.end()
    assert not station.leftovers()
    parts = station.files()
    assert [path.name for path in parts] == ["run_000001_part_0001.h5", "run_000002_part_0001.h5"], parts
    recorded = assert_every_trigger_once(parts[:1])
    assert len(recorded) >= acknowledged, (len(recorded), acknowledged)
    assert_every_trigger_once(parts[1:])
    lost = status["ledger"]["lost_estimated"]
    assert ledger_closes(parts[1])["lost_estimated"] == lost
    said = alleycat("verify", station.folder).stdout
    assert f"before this run: run 1 was cut off after trigger {max(recorded)}: " in said and f"an estimated {lost} triggers are lost" in said, said
    # Where the run was cut off stays with it through info and replay.
    again = folder / "again.h5"
    alleycat("replay", parts[1], "--config", station.path, "--output", again)
    [gap], [gap_again] = (json.loads(alleycat("info", "--json", path).stdout)["files"][0]["gaps"] for path in (parts[1], again))
    assert (gap["previous_run"], gap["last_sequence"], gap["lost_estimated"]) == (1, max(recorded), lost), gap
    assert gap_again == gap and ledger_closes(again)["lost_estimated"] == lost, gap_again


def check_run_killed_at_its_start(folder):
    """A run is killed, and the next one before anything of it is on disk: the third counts from where the first ended"""
    station = Station(folder, store__sync_interval_ms=1000)
    with Process("run", "--config", station.path) as run:
        station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 60)
        run.kill()
    with Process("run", "--config", station.path) as run:
        second = station.wait("triggers of the next run", lambda s: s["run"] == 2 and s["ledger"]["triggers"] > 0)
        run.kill()
    with Process("run", "--config", station.path) as run:
        third = station.wait("the third run", lambda s: s["run"] == 3 and s["ledger"]["recorded"] > 0)
        run.end()
    names = [path.name[:10] for path in station.files()]
    with h5py.File(station.files()[0]) as file:
        ended_utc_ns = int(file["triggers/utc_ns"][-1])
    if "run_000002" in names:  # killed so late that some of it was synced: then its own file says what was lost before
        with h5py.File(station.files()[1]) as file:
            if len(file["triggers/utc_ns"]):
                assert file["summary/ledger"].attrs["lost_estimated"] == second["ledger"]["lost_estimated"] > 0
                ended_utc_ns = int(file["triggers/utc_ns"][-1])
    gap_s = (third["run_start_utc_ns"] - ended_utc_ns) / 1e9
    assert 60 * gap_s - 1 <= third["ledger"]["lost_estimated"] <= 60 * (gap_s + 4), (gap_s, third["ledger"], names)
    alleycat("verify", station.folder)


def check_stop_without_writer(folder):
    """control stop is answered without a writer, and the daemon lives on: a writer that comes late gets every trigger"""
    station = Station(folder, drain_timeout_s=1)
    with Process("daq", "--config", station.path) as daemon:
        station.wait("triggers", lambda s: s["ledger"]["triggers"] >= 30)
        begin = time.monotonic()
        alleycat("control", "stop", "--connect", station.control)
        seconds = time.monotonic() - begin
        print(f"    answered in {seconds:.2f} s, process start included", flush=True)
        ended = station.wait("the end of the drain", lambda s: s["state"] == "idle")
        assert ended["ledger"]["triggers"] == ended["ledger"]["recorded"] + ended["ledger"]["refused"], ended["ledger"]
        refused("control", "stop", "--connect", station.control, status=1, names="no run")
        with Process("write", "--config", station.path) as writer:
            station.wait("a writer that comes late", lambda s: s["writer"]["durable_triggers"] >= ended["ledger"]["recorded"])
            writer.end()
        daemon.end(signal.SIGTERM)
    [part] = assert_ended_cleanly(station)
    assert len(assert_every_trigger_once([part])) == ended["ledger"]["recorded"]


def check_end_without_writer(folder):
    """A daemon that ends before any writer came says how much it takes with it"""
    station = Station(folder, drain_timeout_s=0.1)
    with Process("daq", "--config", station.path) as daemon:
        station.wait("triggers", lambda s: s["ledger"]["triggers"] >= 10)
        daemon.end(status=1)
        assert "are lost" in daemon.text and "no writer" in daemon.text, daemon.text


def check_full_buffer(folder):
    """The buffer is full for want of a writer: triggers are refused and counted, what was taken stays whole, the run goes on"""
    station = Station(folder, ring_mb=1, retransmit_mb=4)  # 14 and 59 triggers of 71 kB
    with Process("daq", "--config", station.path) as daemon:
        full = station.wait("refused triggers", lambda s: s["counters"].get("readout.pci5153.refused", 0) >= 10)
        with Process("write", "--config", station.path) as writer:
            station.wait("the writer and more triggers", lambda s: s["ledger"]["recorded"] > full["ledger"]["recorded"] + 100)
            alleycat("control", "stop", "--connect", station.control)
            ledger = station.wait("the end", lambda s: s["state"] == "idle")["ledger"]
            daemon.end()
            writer.end()
    [part] = assert_ended_cleanly(station)
    recorded, refused_numbers = sequences([part])
    assert assert_every_trigger_once([part]) == sorted(recorded) and len(refused_numbers) >= 10
    assert (len(recorded), len(refused_numbers)) == (ledger["recorded"], ledger["refused"]), ledger
    with h5py.File(part) as file:
        assert file["raw/pci5153/sequence"][()].tolist() == recorded
        # Refused after taken, and taken again after refused.
        assert recorded[0] == 0 and recorded[-1] > max(refused_numbers) > min(refused_numbers) > 0
    # Replay keeps what was refused: the same sequence numbers, the same intervals.
    again = folder / "again.h5"
    alleycat("replay", part, "--config", station.path, "--output", again)
    alleycat("verify", again)
    with h5py.File(part) as live, h5py.File(again) as replayed:
        for column in ("first_sequence", "last_sequence", "reason", "begin_ps"):
            assert same_bits(live[f"dead_time/{column}"][()], replayed[f"dead_time/{column}"][()]), column
        assert replayed["raw/pci5153/sequence"][()].tolist() == recorded


def check_start_and_stop(folder):
    """control start, stop and quit: each run has a number and a file of its own"""
    station = Station(folder)
    with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
        for run in (1, 2):
            station.wait(f"run {run}", lambda s: s["run"] == run and s["writer"]["durable_triggers"] > 0 and s["ledger"]["recorded"] >= 10)
            refused("control", "start", "--connect", station.control, status=1, names="going on")
            alleycat("control", "stop", "--connect", station.control)
            station.wait("its end", lambda s: s["state"] == "idle")
            if run == 1:
                alleycat("control", "start", "--config", station.path)
        daemon.end()
        writer.end()
    for part in assert_ended_cleanly(station, files=2):
        assert len(assert_every_trigger_once([part])) == ledger_closes(part)["recorded"]


def check_what_operators_say(folder):
    """Comments, marks and the test marker: in the file of the run that goes on, in the catalogue of one that has ended, whose file stays as it is"""
    station = Station(folder)
    say = ["--author", "ann", "--connect", station.control]

    def said(part):
        report = json.loads(alleycat("info", part, "--json").stdout)["files"][0]
        return report["quality"], report["quality_reasons"], [(note["kind"], note["author"], note["text"]) for note in report["comments"]]

    with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
        station.wait("triggers", lambda s: s["ledger"]["recorded"] >= 10)
        assert alleycat("control", "comment", "cart under the hall", *say).stdout == "noted in run 1\n"
        alleycat("control", "mark", "tainted", "--reason", "the cart", *say)
        alleycat("control", "stop", "--connect", station.control)
        [part] = wait_for("the file", station.files)
        before = part.read_bytes()
        with h5py.File(part) as file:
            assert file["comments/text"].asstr()[:].tolist() == ["cart under the hall", "the cart"]
            assert file["comments/author"].asstr()[:].tolist() == ["ann", "ann"] and file["comments/kind"][:].tolist() == [0, 2]
            assert file["summary"].attrs["quality"] == "tainted" and file.attrs["test_run"] == 0
            assert file.attrs["start_time_utc"] < file.attrs["end_time_utc"]
        station.wait("the end", lambda s: s["state"] == "idle")
        assert alleycat("control", "mark", "good", "--reason", "it was empty", *say).stdout == "noted in the catalogue: run 1 has ended\n"
        quality, reasons, notes = wait_for("the run's row", lambda: said(part) if said(part)[0] == "good" else None)
        assert len(reasons) == 1 and reasons[0].startswith("good: it was empty (ann, 20"), reasons
        assert notes == [("comment", "ann", "cart under the hall"), ("tainted", "ann", "the cart"), ("good", "ann", "it was empty")]
        assert "comment, 20" in alleycat("info", part).stdout
        assert part.read_bytes() == before
        assert alleycat("control", "start", "--test", "--connect", station.control).stdout == "test run 2 started\n"
        station.wait("its triggers", lambda s: s["run"] == 2 and s["ledger"]["recorded"] >= 10)
        alleycat("control", "stop", "--connect", station.control)
        station.wait("its end", lambda s: s["state"] == "idle")
        daemon.end()
        writer.end()
    first, second = assert_ended_cleanly(station, files=2)
    with h5py.File(second) as file:
        assert file.attrs["test_run"] == 1 and len(file["comments/text"]) == 0
    assert "TEST run 2" in alleycat("info", second).stdout and "TEST" not in alleycat("info", first).stdout
    # A catalogue made again from the files knows what was said while they were written.
    (station.folder / "catalogue.sqlite").unlink()
    alleycat("verify", "--catalogue", station.folder)
    quality, reasons, notes = said(first)
    assert quality == "tainted" and [text for _, _, text in notes] == ["cart under the hall", "the cart"], (quality, notes)
    # A replay of a test is a test.
    alleycat("replay", second, "--config", station.path, "--output", folder / "again.h5")
    with h5py.File(folder / "again.h5") as file:
        assert file.attrs["test_run"] == 1


def check_small_parts(folder):
    """A run over several parts: rotation by size loses nothing and doubles nothing"""
    station = Station(folder, pacing='"fast"', part_size_mb=5)
    alleycat("run", "--config", station.path, "--seconds", 8)
    parts = station.files()
    assert len(parts) >= 3, parts
    assert sequences(parts)[0] == list(range(480))
    assert_ended_cleanly(station, files=len(parts))


main(globals())
