"""What the tests of the command line programs share: the real executable, station files, free ports, waiting.

A test file ends with `main(globals())`: it runs every function named check_*, in the order they stand there, and prints its first
line of documentation as what was checked. Called as: FILE.py ALLEYCAT SOURCE_DIR REAL_DATA [PROGRAM_FUNCTION...]
"""
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import h5py

ALLEYCAT, SOURCE, REAL_DATA = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
CONFIG = SOURCE / "config"
PATIENCE_S = 120  # a busy machine under a sanitizer; a test that waits for this long has failed


class Skipped(Exception):
    pass


def real(relative):
    """A recording beside the checkout; without it the check is skipped by name."""
    path = REAL_DATA / relative
    if not path.exists():
        raise Skipped(f"SKIPPED: {path} is absent")
    return path


def alleycat(*arguments, status=0, patience=PATIENCE_S):
    """Runs the program to its end. Every end other than with `status` (or one of a tuple) fails, as do traces of a crash."""
    command = [str(ALLEYCAT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience, stdin=subprocess.DEVNULL,
                          env={**os.environ, "ALLEYCAT_LOG": "warn"})
    expected = status if isinstance(status, tuple) else (status,)
    assert done.returncode in expected, f"{' '.join(command)}: exit status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}"
    for word in ("terminate called", "Traceback", "HDF5-DIAG", "what():"):
        assert word not in done.stderr, f"{' '.join(command)}:\n{done.stderr}"
    return done


def refused(*arguments, status, names):
    """The program ends with `status` and one line on stderr that names the thing."""
    done = alleycat(*arguments, status=status)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, f"{arguments}: {len(lines)} lines on stderr instead of one:\n{done.stderr}"
    for name in [names] if isinstance(names, str) else names:
        assert name in lines[0], f"{arguments}: '{name}' is not in: {lines[0]}"
    assert lines[0].startswith("alleycat: "), lines[0]
    return done


def free_ports(count):
    """Ports nobody listens on, below those the system lends to connections: else it may lend one before we use it."""
    ports = []
    while len(ports) < count:
        port = random.randrange(21_000, 32_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class Station:
    """config/csi.toml (or `base`) with sockets and a data folder of its own, and some keys changed: Station(place,
    pacing='"fast"'). A key that the file does not have is added to its section: Station(place, beam__veto_mask=0).
    `replace`: pieces of text, {old: new}."""

    def __init__(self, place, base="csi.toml", replace={}, **keys):
        self.folder = pathlib.Path(place) / "data"
        self.path = pathlib.Path(place) / "station.toml"
        ports = free_ports(3)
        text = (CONFIG / base).read_text()
        for old, new in replace.items():
            assert text.count(old) == 1, f"{base} has {text.count(old)} times '{old}'"
            text = text.replace(old, new)
        if "[data]" not in text:  # it has the default sockets
            sections = zip(("data", "monitor_stream", "control"), (5555, 5556, 5557))
            text += "".join(f'\n[{section}]\nendpoint = "tcp://127.0.0.1:{port}"\n' for section, port in sections)
        for default, port in zip((5555, 5556, 5557), ports):
            text = text.replace(f"tcp://127.0.0.1:{default}", f"tcp://127.0.0.1:{port}")
        self.data, self.monitor, self.control = (f"tcp://127.0.0.1:{port}" for port in ports)
        for key, value in {"folder": f'"{self.folder}"', **keys}.items():
            section, _, added = key.partition("__")
            if added:
                assert text.count(f"\n[{section}]") == 1, f"{base} has no section [{section}]"
                start, header, rest = text.partition(f"\n[{section}]")
                line, newline, rest = rest.partition("\n")
                text = start + header + line + newline + f"{added} = {value}\n" + rest
                continue
            text, found = re.subn(rf"(?m)^{key} = [^#\n]*", f"{key} = {value} ", text)
            assert found == 1, f"{base} has {found} keys '{key}'"
        self.path.write_text(text)

    def status(self):
        """The daemon's answer, or None while there is none."""
        done = subprocess.run([ALLEYCAT, "control", "status", "--json", "--connect", self.control], capture_output=True, text=True,
                              timeout=PATIENCE_S)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait(self, what, condition):
        """The first status for which `condition` holds."""
        latest = {}

        def holds():
            nonlocal latest
            latest = self.status()
            return latest if latest and condition(latest) else None

        try:
            return wait_for(what, holds)
        except AssertionError as e:
            raise AssertionError(f"{e}; latest status: {json.dumps(latest)}") from None

    def files(self):
        return sorted(self.folder.glob("run_*.h5"))

    def leftovers(self):
        return sorted(path.name for path in self.folder.iterdir() if path.suffix in (".part", ".journal"))


def wait_for(what, condition):
    """What `condition` returns once it is true. It paces itself: it asks the daemon, which starts a program."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
    raise AssertionError(f"{what}: not within {PATIENCE_S} s")


class Process:
    """A program of ours that goes on running."""

    running = []  # of the check that is under way

    def __init__(self, *arguments):
        self.name = str(arguments[0])
        self.text = ""
        self.process = subprocess.Popen([ALLEYCAT, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env={**os.environ, "ALLEYCAT_LOG": "info"})
        self.running.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.read_rest()

    def read_rest(self):
        if not self.process.stdout.closed:
            self.text += self.process.stdout.read().decode()
            self.process.stdout.close()

    def wait_for_output(self, wanted):
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{self.name}: no '{wanted}' within {PATIENCE_S} s:\n{self.text}"
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            assert more, f"{self.name} ended without '{wanted}':\n{self.text}"
            self.text += more.decode()

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def expect_end(self, status=0):
        """Waits for its own end, with this exit status."""
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        self.text += rest.decode()
        assert self.process.returncode == status, f"{self.name}: exit status {self.process.returncode}, expected {status}"

    def end(self, number=signal.SIGINT, status=0):
        self.send(number)
        self.expect_end(status)


def columns(group):
    """Every dataset below a group, by its path."""
    found = {}
    group.visititems(lambda name, item: found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same_tables(first, second, paths, but=()):
    """The tables of two files are equal, every column, bit for bit."""
    with h5py.File(first) as one, h5py.File(second) as other:
        for path in paths:
            left, right = columns(one[path]), columns(other[path])
            assert sorted(left) == sorted(right), f"{path}: {sorted(left)} and {sorted(right)}"
            assert left, f"{path}: no columns"
            for name in set(left) - set(but):
                assert same_bits(left[name], right[name]), f"{path}/{name} of {first} and {second} differ"


def sequences(files):
    """Recorded and refused sequence numbers over all parts."""
    recorded, refused_ranges = [], []
    for path in files:
        with h5py.File(path) as file:
            recorded += file["triggers/sequence"][()].tolist()
            refused_ranges += list(zip(file["dead_time/first_sequence"][()].tolist(), file["dead_time/last_sequence"][()].tolist()))
    refused_numbers = [number for first, last in refused_ranges for number in range(first, last + 1)]
    return recorded, refused_numbers


def assert_every_trigger_once(files):
    """Sequence numbers 0, 1, 2, ... each stand in the files once: as a row, or in an interval of refused ones."""
    recorded, refused_numbers = sequences(files)
    every = sorted(recorded + refused_numbers)
    assert every == list(range(len(every))), f"{len(every)} numbers, not 0 to {len(every) - 1}: missing or twice"
    return recorded


def ledger_closes(path):
    """The ledger in a closed file's summary, checked here and not by the program."""
    with h5py.File(path) as file:
        ledger = {name: int(value) for name, value in file["summary/ledger"].attrs.items()}
    assert ledger["ticks_expected"] == ledger["ticks_seen"] + ledger["ticks_missed"], ledger
    assert ledger["triggers"] == ledger["recorded"] + ledger["refused"], ledger
    return ledger


def main(names, chosen=None):
    """`chosen`: names of the checks to run, [] for all; by default what the command line says."""
    chosen = sys.argv[4:] if chosen is None else chosen
    failed = skipped = 0
    checks = [value for name, value in names.items() if name.startswith("check_") and (not chosen or name in chosen)]
    assert checks, f"no check named {chosen}"
    for check in checks:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="alleycat-"))
        start = time.monotonic()
        Process.running.clear()
        try:
            check(folder)
            verdict = "ok"
        except Skipped as e:
            verdict, skipped = str(e), skipped + 1
        except Exception:
            verdict, failed = "FAILED\n" + traceback.format_exc(), failed + 1
            for one in Process.running:
                one.__exit__()
                verdict += f"---- output of {one.name}\n{one.text[-4000:]}\n"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{check.__doc__.splitlines()[0]} [{time.monotonic() - start:.1f} s]: {verdict}", flush=True)
    sys.exit(1 if failed else 77 if skipped == len(checks) else 0)
