"""Disks that are full or fail under a run: nobody crashes, everybody says why, and nothing acknowledged is lost.

Needs the right to mount (root): small file systems in memory, and ext4 in a file that is made to fail.
"""
import contextlib
import subprocess
import time

import h5py

from support import Process, Skipped, Station, alleycat, assert_every_trigger_once, ledger_closes, main

QUICK = {"ring_mb": 1, "retransmit_mb": 4, "drain_timeout_s": 1, "store__retry_interval_ms": 100}


def shell(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped(f"SKIPPED: {command[0]} is not permitted here: {done.stderr.strip()}")


def unmount(place):
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


@contextlib.contextmanager
def small_disk(place, megabytes):
    """A file system in memory under `place`."""
    place.mkdir(exist_ok=True)
    shell("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place)
    try:
        yield
    finally:
        unmount(place)


def ballast(place, megabytes):
    """A file that takes room, and can be removed to give it back."""
    path = place / "ballast"
    path.write_bytes(bytes(megabytes * 1_000_000))
    return path


def answered_within(seconds, *arguments):
    begin = time.monotonic()
    alleycat("control", *arguments)
    taken = time.monotonic() - begin
    print(f"    control {arguments[0]} answered in {taken:.2f} s, process start included", flush=True)
    return taken


def state(status):
    return status["writer"]["state"]


def assert_quiet_and_whole(station, *processes):
    """No process of these was killed by a signal or printed for HDF5; the files are whole."""
    for process in processes:
        assert process.process.returncode == 0, (process.name, process.process.returncode, process.text[-2000:])
        assert "HDF5-DIAG" not in process.text and "terminate" not in process.text, process.text[-2000:]
    assert not station.leftovers(), station.leftovers()
    alleycat("verify", station.folder)
    return assert_every_trigger_once(station.files())


def check_stop_before_full(folder):
    """A run on a disk that fills up stops writing before it is full, says so, answers, and goes on when there is room"""
    station = Station(folder, store__disk_warning_mb=40, store__disk_stop_mb=20, **QUICK)
    with small_disk(station.folder, 120):
        more = ballast(station.folder, 60)
        with Process("run", "--config", station.path) as run:
            full = station.wait("the stop", lambda s: state(s) == "stopped_disk_full"
                                and s["counters"]["readout.pci5153.refused"] > 10)
            assert full["state"] == "running" and full["writer"]["disk_free_bytes"] > 10e6, full
            assert "disk_stop_mb" in full["writer"]["problem"], full["writer"]
            more.unlink()
            on = station.wait("writing again", lambda s: state(s) in ("writing", "disk_low")
                              and s["writer"]["durable_triggers"] > full["writer"]["durable_triggers"] + 30)
            assert on["counters"]["writer.stopped_disk_full"] == 1, on["counters"]
            assert answered_within(2, "stop", "--connect", station.control) < 2 + 1
            run.expect_end()
        recorded = assert_quiet_and_whole(station, run)
        ledger = ledger_closes(station.files()[-1])
        assert len(recorded) == ledger["recorded"] and ledger["refused"] > 10, ledger
        with h5py.File(station.files()[-1]) as file:
            assert "the writer had stopped" in file["summary"].attrs["end_reason"], dict(file["summary"].attrs)
            assert file["counters/writer.stopped_disk_full"][-1] == 1


def check_stop_while_full(folder):
    """A run whose disk stays full answers status and stop within two seconds, and says at its end what is lost and why"""
    station = Station(folder, store__disk_warning_mb=0, store__disk_stop_mb=0, **QUICK)
    with small_disk(station.folder, 30):
        with Process("run", "--config", station.path) as run:
            full = station.wait("the full disk", lambda s: state(s) == "stopped_disk_full"
                                and s["counters"]["readout.pci5153.refused"] > 10)
            assert "No space left on device" in full["writer"]["problem"], full["writer"]
            assert answered_within(2, "status", "--connect", station.control) < 2 + 1
            assert answered_within(2, "stop", "--connect", station.control) < 2 + 1
            run.expect_end(status=1)
        assert "triggers are lost: no writer has put them on disk" in run.text, run.text[-2000:]
        assert "No space left on device" in run.text and "HDF5-DIAG" not in run.text, run.text[-2000:]
        # With room again the next start has all that was acknowledged. (What is too small even for closing is moved away.)
        shell("mount", "-o", "remount,size=200m", station.folder)
        with Process("run", "--config", station.path, "--seconds", 1) as again:
            again.expect_end()
        assert not station.leftovers(), station.leftovers()
        recorded = assert_every_trigger_once(station.files()[:1])
        assert len(recorded) >= full["writer"]["durable_triggers"], (len(recorded), full["writer"])


def check_full_without_threshold(folder):
    """daq and write on a disk that fills to the last byte: the writer keeps its session, and goes on when there is room"""
    station = Station(folder, store__disk_warning_mb=0, store__disk_stop_mb=0, **{**QUICK, "retransmit_mb": 64})
    with small_disk(station.folder, 100):
        more = ballast(station.folder, 70)
        with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
            full = station.wait("the full disk", lambda s: state(s) == "stopped_disk_full")
            assert full["writer"]["connected"] and "No space left on device" in full["writer"]["problem"], full["writer"]
            more.unlink()
            station.wait("writing again", lambda s: state(s) == "writing"
                         and s["writer"]["durable_triggers"] > full["writer"]["durable_triggers"] + 60)
            alleycat("control", "stop", "--connect", station.control)
            ledger = station.wait("the end of the run", lambda s: s["state"] == "idle")["ledger"]
            daemon.end()
            writer.end()
        assert len(assert_quiet_and_whole(station, daemon, writer)) == ledger["recorded"]


def check_failing_disk(folder):
    """daq and write on an ext4 that fails: the writer says why and waits; mounted again, every trigger is there once"""
    station = Station(folder, store__disk_warning_mb=0, store__disk_stop_mb=0, **{**QUICK, "retransmit_mb": 64})
    station.folder.mkdir()
    image = folder / "disk.img"
    with open(image, "wb") as file:
        file.truncate(400_000_000)
    shell("mkfs.ext4", "-q", "-F", image)
    shell("mount", "-o", "loop", image, station.folder)
    try:
        with Process("daq", "--config", station.path) as daemon, Process("write", "--config", station.path) as writer:
            station.wait("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= 60)
            shell("mount", "-o", "remount,abort", station.folder)
            failed = station.wait("the failure", lambda s: state(s) == "failed")
            print(f"    {failed['writer']['problem']}", flush=True)
            assert failed["state"] == "running" and failed["writer"]["connected"], failed
            assert str(station.folder) in failed["writer"]["problem"], failed["writer"]
            station.wait("more triggers", lambda s: s["ledger"]["recorded"] > failed["ledger"]["recorded"] + 60)
            unmount(station.folder)
            shell("mount", "-o", "loop", image, station.folder)
            station.wait("writing again", lambda s: state(s) == "writing"
                         and s["writer"]["durable_triggers"] > failed["writer"]["durable_triggers"] + 60)
            assert answered_within(2, "stop", "--connect", station.control) < 2 + 1
            ledger = station.wait("the end of the run", lambda s: s["state"] == "idle")["ledger"]
            daemon.end()
            writer.end()
        assert len(assert_quiet_and_whole(station, daemon, writer)) == ledger["recorded"]
    finally:
        unmount(station.folder)


main(globals())
