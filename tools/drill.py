#!/usr/bin/python3
"""Drills: what can go wrong around a running station, done to a simulated one.

    tools/drill.py writer-away                  the writer is killed for a minute
    tools/drill.py writer-slow                  it gets on with a tenth of the rate
    tools/drill.py disk-full                    a small tmpfs fills up                             (root)
    tools/drill.py disk-full-unwarned           the same without a threshold: writes are refused            (root)
    tools/drill.py disk-failing                 ext4 on a loop device gives errors                 (root)
    tools/drill.py disk-slow                    the same answers late, then not at all             (root)
    tools/drill.py monitor-hung                 a monitor that subscribes and never reads
    tools/drill.py all                          one after another

Each starts daemon and writer of config/csi.toml in a folder of its own, makes the fault, takes it away, and sees the station catch
up; then makes it again, stops the run in the middle of it, and takes it away for good. Its verdict is PASS if control answered within
two seconds all along, status and log gave the reason, and every trigger stands in the files once or in an interval of dead
time. Exit status: 0 PASS, 1 FAIL, 77 skipped for want of root.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import h5py
import numpy

SOURCE = pathlib.Path(__file__).resolve().parent.parent
ANSWER_S = 2.0  # within which control must answer
PATIENCE_S = 120
TRIGGER_BYTES = 71_000  # two channels of 35,000 samples, and what is said about them
RATE_HZ, SHORT_RATE_HZ = 60, 180
SHORT_KEYS = {"station.tick_rate_hz": SHORT_RATE_HZ, "simulator.tick_period_ns": 1e9 / SHORT_RATE_HZ,
              "run.ring_mb": 4, "run.retransmit_mb": 16}  # full after two seconds; as shipped after a minute
REFUSED_ENOUGH = 30  # that ends a short fault


# ---- the station

def free_ports(count):
    ports = []
    while len(ports) < count:
        port = random.randrange(21_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            ports.append(port)
    return ports


def with_key(text, name, value):
    """The station file with section.key set, whether or not it stood there."""
    section, key = name.split(".")
    before, header, rest = text.partition(f"\n[{section}]\n")
    assert header, f"no section [{section}]"
    body, following, after = rest.partition("\n[")
    body, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", body)
    return before + header + ("" if found else f"{key} = {value}\n") + body + following + after


class Program:
    """One of ours, its output in a file."""

    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, "ALLEYCAT_LOG": "info"})

    def text(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def send(self, number):
        if self.running():
            self.process.send_signal(number)

    def end(self):
        """Asks it to end; kills it if it does not. Its exit status, negative: a signal."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def resident_mb(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def written_bytes(self):
        found = re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{self.process.pid}/io").read_text())
        return int(found[1])


class Watch:
    """Asks the daemon for its status again and again, and how long each answer took: whether control waits behind data."""

    def __init__(self, station):
        self.station = station
        self.latest = {}
        self.slowest_s = 0
        self.answers = 0
        self.problems = set()  # what status gave as reasons
        self.away = False
        self.news = threading.Condition()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        while not self.ended.is_set():
            start = time.monotonic()
            status = self.station.control("status")
            took = time.monotonic() - start
            with self.news:
                self.slowest_s = max(self.slowest_s, took)
                if status:
                    self.answers += 1
                    self.latest = status
                    self.problems |= {text for text in (status["writer"]["problem"], status["reason"]) if text}
                    self.away = self.away or not status["writer"]["connected"]
                self.news.notify_all()
            self.ended.wait(0.05)

    def until(self, what, holds, patience=PATIENCE_S):
        """The first status for which it holds."""
        with self.news:
            if not self.news.wait_for(lambda: self.latest and holds(self.latest), timeout=patience):
                raise AssertionError(f"{what}: not within {patience} s; latest status {json.dumps(self.latest)}")
            return self.latest

    def let_pass(self, seconds):
        with self.news:
            self.news.wait_for(lambda: False, timeout=seconds)

    def end(self):
        self.ended.set()
        self.thread.join()


class Station:
    """Daemon and writer of a simulated detector."""

    def __init__(self, place, alleycat, rate_hz, keys):
        self.place, self.alleycat, self.rate_hz = place, alleycat, rate_hz
        self.data = place / "data"
        self.data.mkdir(exist_ok=True)
        text = (SOURCE / "config" / "csi.toml").read_text()
        ports = dict(zip(("data", "monitor_stream", "control"), free_ports(3)))
        endpoints = {f"{section}.endpoint": f'"tcp://127.0.0.1:{port}"' for section, port in ports.items()}
        for key, value in {"store.folder": f'"{self.data}"', **endpoints, **keys}.items():
            text = with_key(text, key, value)
        self.monitor_port, self.endpoint = ports["monitor_stream"], f"tcp://127.0.0.1:{ports['control']}"
        self.config = place / "station.toml"
        self.config.write_text(text)
        self.daemon = self.writer = None

    def start_daemon(self):
        self.daemon = Program([self.alleycat, "daq", "--config", self.config], self.place / "daq.log")

    def start_writer(self):
        self.writer = Program([self.alleycat, "write", "--config", self.config], self.place / "write.log")

    def control(self, command):
        """Its answer; of status as an object, None when there was none."""
        asked = [self.alleycat, "control", command, "--connect", self.endpoint] + (["--json"] if command == "status" else [])
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            return None
        return json.loads(done.stdout) if command == "status" else done.stdout

    def logs(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.place.glob("*.log")))

    def end(self):
        for program in (self.writer, self.daemon):
            if program and program.running():
                program.send(signal.SIGCONT)
                program.kill()


# ---- faults: begin() makes one, end() takes it away; both may come twice

class Fault:
    needs_root = False
    seconds = 60
    refuses = True  # a short one lasts until triggers were refused for want of room
    keys = {}
    said_in_status = ""  # pattern of what status gives as a reason
    said_in_log = ""

    def prepare(self, place):
        """Before the station starts: what stands where its data folder will be."""

    def begin(self, station):
        raise NotImplementedError

    def end(self, station):
        raise NotImplementedError

    def clean_up(self, place):
        """Whatever happened."""


class WriterAway(Fault):
    """The writer is killed, and started again at the end."""
    said_in_status = "away"
    said_in_log = "is gone"

    def begin(self, station):
        station.writer.kill()

    def end(self, station):
        station.start_writer()


class WriterSlow(Fault):
    """Stopped whenever it has written more than a tenth of what comes."""
    said_in_log = "retransmit buffer"

    def __init__(self):
        self.over = threading.Event()
        self.thread = None

    def hold_back(self, writer, bytes_per_s):
        start, written = time.monotonic(), writer.written_bytes()
        while not self.over.wait(0.002) and writer.running():
            allowed = (time.monotonic() - start) * bytes_per_s
            writer.send(signal.SIGSTOP if writer.written_bytes() - written > allowed else signal.SIGCONT)
        writer.send(signal.SIGCONT)

    def begin(self, station):
        self.over.clear()
        self.thread = threading.Thread(target=self.hold_back, args=(station.writer, TRIGGER_BYTES * station.rate_hz / 10), daemon=True)
        self.thread.start()

    def end(self, station):
        self.over.set()
        self.thread.join()

    def clean_up(self, place):
        self.over.set()


class CannotMount(Exception):
    """A container may be root and not be allowed to."""


def run_as_root(*command, failure=AssertionError):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise failure(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


class DiskFull(Fault):
    """A tmpfs of 48 MB is full of data; the second time of something else."""
    needs_root = True
    seconds = 30
    keys = {"store.disk_warning_mb": 16, "store.disk_stop_mb": 8}
    said_in_status = said_in_log = r"nothing is written|No space left"

    def prepare(self, place):
        (place / "data").mkdir()
        run_as_root("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place / "data", failure=CannotMount)
        self.filler = None

    def begin(self, station):
        if self.filler is None:  # the first time the data themselves fill it
            self.filler = station.data / "something-else"
            return
        with open(self.filler, "wb") as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 20)):
                file.flush()

    def end(self, station):
        self.filler.unlink(missing_ok=True)
        run_as_root("mount", "-o", "remount,size=2g", station.data)

    def clean_up(self, place):
        subprocess.run(["umount", "-l", place / "data"], capture_output=True)


class DiskFullUnwarned(DiskFull):
    """The same, and nobody looks how much is free: writes are refused in the middle."""
    keys = {"store.disk_warning_mb": 0, "store.disk_stop_mb": 0}


class LoopDisk(Fault):
    """ext4 in a file."""
    needs_root = True
    keys = {"store.disk_warning_mb": 0, "store.disk_stop_mb": 0}

    def prepare(self, place):
        self.image = place / "disk.img"
        with open(self.image, "wb") as file:
            file.truncate(2 << 30)
        run_as_root("mkfs.ext4", "-q", self.image, failure=CannotMount)
        (place / "data").mkdir()
        self.mount(place / "data", failure=CannotMount)

    def mount(self, data, failure=AssertionError):
        run_as_root("mount", "-o", "loop", self.image, data, failure=failure)

    def clean_up(self, place):
        subprocess.run(["fsfreeze", "-u", place / "data"], capture_output=True)
        subprocess.run(["umount", "-l", place / "data"], capture_output=True)


class DiskFailing(LoopDisk):
    """Every write gives an error; the disk is checked and mounted again, the writer started again."""
    seconds = 30
    said_in_status = r"Read-only|Input/output|cannot be|failed"
    said_in_log = r"Read-only|Input/output|cannot be"

    def begin(self, station):
        run_as_root("mount", "-o", "remount,abort", station.data)

    def end(self, station):
        status = station.writer.end()
        assert status >= 0, f"the writer died of signal {-status}"
        run_as_root("umount", station.data)
        checked = subprocess.run(["e2fsck", "-fy", self.image], capture_output=True, text=True)
        assert checked.returncode in (0, 1), checked.stdout
        self.mount(station.data)
        station.start_writer()


class DiskSlow(LoopDisk):
    """Every write waits for up to two seconds; the second time until it is over."""
    seconds = 30
    refuses = False

    def __init__(self):
        self.over = threading.Event()
        self.thread = None
        self.times = 0

    def stutter(self, data):
        while not self.over.is_set():
            subprocess.run(["fsfreeze", "-f", data])
            self.over.wait(2)
            subprocess.run(["fsfreeze", "-u", data])
            self.over.wait(0.1)

    def begin(self, station):
        self.times += 1
        if self.times > 1:
            run_as_root("fsfreeze", "-f", station.data)
            return
        self.thread = threading.Thread(target=self.stutter, args=(station.data,), daemon=True)
        self.thread.start()

    def end(self, station):
        if self.times > 1:
            run_as_root("fsfreeze", "-u", station.data)
        self.over.set()
        self.thread.join()

    def clean_up(self, place):
        self.over.set()
        if self.thread:
            self.thread.join()
        super().clean_up(place)


class MonitorHung(Fault):
    """A subscriber that takes everything and reads nothing: ZeroMQ's greeting by hand, then silence."""
    seconds = 30
    refuses = False

    def begin(self, station):
        self.socket = socket.create_connection(("127.0.0.1", station.monitor_port))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ready = b"\x05READY\x0bSocket-Type" + (3).to_bytes(4, "big") + b"SUB"
        subscribe_to_all = b"\x00\x01\x01"
        self.socket.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        self.socket.sendall(b"\x04" + bytes([len(ready)]) + ready + subscribe_to_all)

    def end(self, station):
        self.socket.close()


FAULTS = {"writer-away": WriterAway, "writer-slow": WriterSlow, "disk-full": DiskFull, "disk-full-unwarned": DiskFullUnwarned,
          "disk-failing": DiskFailing, "disk-slow": DiskSlow, "monitor-hung": MonitorHung}


# ---- the drill

class Findings:
    """What was seen, each with its judgement."""

    def __init__(self):
        self.failed = []

    def note(self, text):
        print(f"  {text}", flush=True)

    def check(self, good, text):
        print(f"  {'ok  ' if good else 'FAIL'}  {text}", flush=True)
        if not good:
            self.failed.append(text)


def caught_up(status, rate_hz):
    """What waits is of the last two seconds."""
    return status["writer"]["connected"] and status["writer"]["unacknowledged_bytes"] < 2 * rate_hz * TRIGGER_BYTES


def last_until(watch, fault, options):
    if options.short and fault.refuses:
        watch.until("refused triggers", lambda s: s["counters"].get("readout.pci5153.refused", 0) >= REFUSED_ENOUGH)
    else:
        watch.let_pass(3 if options.short else options.seconds or fault.seconds)


def go_through(station, watch, fault, options, findings):
    """The fault twice; the run is stopped within the second. Returns the final status."""
    station.start_daemon()
    station.start_writer()
    watch.until("triggers on disk", lambda s: s["writer"]["durable_triggers"] >= station.rate_hz)
    start = time.monotonic()
    fault.begin(station)
    last_until(watch, fault, options)
    during = watch.latest
    findings.note(f"after {time.monotonic() - start:.0f} s of it: {during['ledger']['triggers']} triggers, "
                  f"{during['counters'].get('readout.pci5153.refused', 0)} refused by the reader, "
                  f"{during['writer']['durable_triggers']} on disk, {during['writer']['unacknowledged_bytes'] / 1e6:.0f} MB wait, daemon "
                  f"{station.daemon.resident_mb():.0f} MB; writer {'connected' if during['writer']['connected'] else 'away'}"
                  f"{': ' + during['writer']['problem'] if during['writer']['problem'] else ''}")
    fault.end(station)
    start = time.monotonic()
    before = watch.latest["ledger"]["recorded"]
    watch.until("the writer catching up", lambda s: caught_up(s, station.rate_hz) and s["writer"]["durable_triggers"] >= before)
    findings.note(f"caught up {time.monotonic() - start:.1f} s after it was over")

    fault.begin(station)
    watch.let_pass(1 if options.short else 5)
    start = time.monotonic()
    answer = station.control("stop")
    took = time.monotonic() - start
    findings.check(answer is not None and took <= ANSWER_S, f"control stop was answered in {took:.2f} s in the middle of it")
    stopped = watch.until("the end of acquisition", lambda s: s["state"] != "running")
    fault.end(station)
    final = watch.until("the end of the run, all of it on disk", lambda s: s["state"] == "idle" and s["writer"]["unacknowledged_bytes"] == 0)
    findings.check(final["ledger"]["triggers"] - stopped["ledger"]["triggers"] <= station.rate_hz, "nothing was taken after the stop")
    return final


def numbers_in_files(data):
    """Recorded sequence numbers, refused intervals (first, last, begin, end, reason) and the last part's ledger."""
    recorded, intervals, ledger = [], [], {}
    for path in sorted(data.glob("run_*.h5")):
        with h5py.File(path) as file:
            recorded.append(file["triggers/sequence"][()].astype(int))
            dead = file["dead_time"]
            reasons = dead["reason"].attrs["values"].split(",")
            intervals += [(int(first), int(last), int(begin), int(end), reasons[reason].strip())
                          for first, last, begin, end, reason in zip(*(dead[name][()] for name in
                                                                       ("first_sequence", "last_sequence", "begin_ps", "end_ps", "reason")))]
            ledger = {name: int(value) for name, value in file["summary/ledger"].attrs.items()}
    return numpy.concatenate(recorded) if recorded else numpy.array([], int), intervals, ledger


def judge(station, watch, fault, final, findings):
    findings.check(watch.slowest_s <= ANSWER_S, f"control status was answered {watch.answers} times, at the latest after {watch.slowest_s:.2f} s")
    recorded, intervals, ledger = numbers_in_files(station.data)
    refused = sum(last - first + 1 for first, last, *_ in intervals)
    every = numpy.sort(numpy.concatenate([recorded, *(numpy.arange(first, last + 1) for first, last, *_ in intervals)]))
    dead_s = sum(end - begin for _, _, begin, end, _ in intervals) / 1e12
    findings.check(len(every) > 0 and numpy.array_equal(every, numpy.arange(len(every))),
                   f"every number once: {len(recorded)} triggers recorded, {refused} refused in {len(intervals)} intervals, {dead_s:.1f} s dead")
    ordered = all(begin <= end for *_, begin, end, _ in intervals) and all(
        one[1] < next_one[0] and one[3] <= next_one[2] for one, next_one in zip(intervals, intervals[1:]))
    findings.check(ordered, "dead times follow each other and do not overlap")
    books = final["ledger"]
    findings.check(books["closes"] and (books["recorded"], books["refused"]) == (len(recorded), refused),
                   f"the daemon's ledger closes and says the same: {books['recorded']} and {books['refused']}")
    findings.check((ledger.get("recorded"), ledger.get("refused"), ledger.get("triggers")) == (len(recorded), refused, len(every)),
                   "so does the ledger in the last file")
    if refused:
        reasons = {reason for *_, reason in intervals}
        findings.check(reasons == {"buffer_full"}, f"the file gives the reason: {', '.join(sorted(reasons))}")
    verified = subprocess.run([station.alleycat, "verify", station.data], capture_output=True, text=True)
    findings.check(verified.returncode == 0, f"alleycat verify: {verified.stdout.strip().splitlines()[-1] if verified.stdout.strip() else verified.stderr.strip()}")
    leftovers = [path.name for path in station.data.iterdir() if path.suffix in (".part", ".journal")]
    findings.check(not leftovers, f"nothing unfinished is left {leftovers or ''}".strip())
    if fault.said_in_status:
        found = [text for text in ["away"] * watch.away + sorted(watch.problems) if re.search(fault.said_in_status, text)]
        findings.check(bool(found), f"status gave the reason: {found[0] if found else sorted(watch.problems)}")
    if fault.said_in_log:
        found = [line for line in station.logs().splitlines() if re.search(fault.said_in_log, line)]
        findings.check(bool(found), f"so did the log: {found[0] if found else 'no line'}")


def drill(name, options):
    """True: passed; None: skipped."""
    fault = FAULTS[name]()
    if fault.needs_root and os.geteuid() != 0:
        print(f"{name}: SKIPPED: it mounts a file system, which needs root", flush=True)
        return None
    print(f"{name}: {fault.__doc__.splitlines()[0]}", flush=True)
    findings = Findings()
    place = pathlib.Path(tempfile.mkdtemp(prefix="alleycat-drill-"))
    station = watch = None
    try:
        try:
            fault.prepare(place)
        except CannotMount as e:
            print(f"{name}: SKIPPED: {e}", flush=True)
            return None
        keys = {"store.disk_warning_mb": 0, "store.part_size_mb": 20, **(SHORT_KEYS if options.short else {}), **fault.keys}
        station = Station(place, options.alleycat, SHORT_RATE_HZ if options.short else RATE_HZ, keys)
        watch = Watch(station)
        final = go_through(station, watch, fault, options, findings)
        watch.end()
        for program, what in ((station.daemon, "daemon"), (station.writer, "writer")):
            status = program.end()
            findings.check(status == 0, f"the {what} ended with status {status}")
        judge(station, watch, fault, final, findings)
    except AssertionError as e:
        findings.check(False, str(e))
    finally:
        if watch:
            watch.end()
        if findings.failed and station:
            print("\n".join("  | " + line for line in station.logs().splitlines()[-30:]), flush=True)
        fault.clean_up(place)
        if station:
            station.end()
        fault.clean_up(place)
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    print(f"{name}: {'FAIL' if findings.failed else 'PASS'}", flush=True)
    return not findings.failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*FAULTS, "all"])
    parser.add_argument("--alleycat", type=pathlib.Path, default=SOURCE / "build" / "dev" / "tools" / "alleycat", help="the program")
    parser.add_argument("--seconds", type=float, help="how long the fault lasts (60 for writers, 30 for disks and monitors)")
    parser.add_argument("--short", action="store_true", help="small buffers, and a fault of seconds: until they were full")
    parser.add_argument("--keep", action="store_true", help="leave the folder in the place for temporary files")
    options = parser.parse_args()
    options.alleycat = options.alleycat.resolve()
    if not options.alleycat.exists():
        sys.exit(f"{options.alleycat}: absent; build it, or say --alleycat PATH")
    verdicts = [drill(name, options) for name in (FAULTS if options.name == "all" else [options.name])]
    sys.exit(1 if False in verdicts else 77 if None in verdicts and True not in verdicts else 0)


main()
