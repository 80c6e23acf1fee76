#!/usr/bin/python3
"""How many triggers a second the whole live chain takes without losing one, beside plain write(2) on the same disk.

usage: tools/bench/sustained.py [--build build/release] [--folder FOLDER] [--seconds N] [--repeats N]

Simulator -> trigger stage -> journal -> HDF5 part in one process (`alleycat run`, as fast as it goes: the simulator waits, nothing
is refused), with a dashboard attached. In turns with it, in the same folder, write(2) of as many bytes, synced once. Prints a
line per kind of compression; exit status 1 when a ledger did not close or something was lost.
"""
import argparse
import os
import pathlib
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

DETECTOR_HZ = 60
BLOCK = bytes(range(256)) * 4096  # 1 MiB
SOURCE = pathlib.Path(__file__).resolve().parents[2]
WAYS = [("blosc", "all"), ("none", "all"), ("deflate", "all"), ("blosc", "none")]

parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build" / "release")
parser.add_argument("--folder", type=pathlib.Path, default=None, help="on the disk to be measured (default: TMPDIR)")
parser.add_argument("--seconds", type=int, default=200, help="of the detector's time in each run")
parser.add_argument("--repeats", type=int, default=5)
options = parser.parse_args()


def written_by_plain_write(folder, size):
    """MB/s of write(2), the final fsync included."""
    path = folder / "plain"
    begin = time.monotonic()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    for _ in range(size // len(BLOCK)):
        os.write(file, BLOCK)
    os.fsync(file)
    seconds = time.monotonic() - begin
    os.close(file)
    path.unlink()
    return size / 1e6 / seconds


def station(folder, compression, raw):
    text = (SOURCE / "config" / "csi.toml").read_text()
    for key, value in {"pacing": '"fast"', "compression": f'"{compression}"', "raw": f'"{raw}"'}.items():
        text, found = re.subn(rf"(?m)^{key} = [^#\n]*", f"{key} = {value} ", text)
        assert found == 1, key
    path = folder / "station.toml"
    path.write_text(text)
    return path


def look_at(process):
    """Bytes it has handed to write(2) so far, and its resident memory in MB; None once it has ended."""
    try:
        wrote = re.search(r"^wchar: (\d+)", pathlib.Path(f"/proc/{process.pid}/io").read_text(), re.M)
        resident = re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text(), re.M)
        return (int(wrote[1]), int(resident[1]) / 1e3) if resident else None
    except OSError:
        return None


def run(folder, compression, raw):
    """Triggers/s, MB written per trigger, memory [MB] after a quarter of the run and at its end."""
    place = folder / "run"
    place.mkdir()
    command = [options.build / "tools" / "alleycat", "run", "--config", station(place, compression, raw), "--folder", place / "data",
               "--seconds", str(options.seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    looks = []
    while not select.select([process.stdout], [], [], 0.05)[0]:  # it speaks when the run is over
        if now := look_at(process):
            looks.append(now)
    looks.append(look_at(process) or looks[-1])
    said = process.communicate()[0]
    assert process.returncode == 0 and "ledger closes" in said, said
    assert re.search(r"\b0 refused", said), said
    rate = float(re.search(r"^rate: (\d+) triggers/s", said, re.M)[1])
    shutil.rmtree(place)
    triggers = options.seconds * DETECTOR_HZ
    return rate, looks[-1][0] / 1e6 / triggers, looks[len(looks) // 4][1], looks[-1][1]


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="alleycat-bench-", dir=options.folder))
    dashboard = subprocess.Popen([options.build / "gui" / "alleycat-monitor"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    try:
        print(f"{options.seconds * DETECTOR_HZ} triggers a run, medians of {options.repeats}; a dashboard is attached\n")
        print("compression  raw    triggers/s  x 60 Hz  MB/trigger written  MB/s  write(2) MB/s  ratio  memory MB at 1/4, end")
        for compression, raw in WAYS:
            runs, plain = [], []
            for _ in range(options.repeats):
                runs.append(run(folder, compression, raw))
                plain.append(written_by_plain_write(folder, int(runs[-1][1] * 1e6 * options.seconds * DETECTOR_HZ)))
            rate, per_trigger, early, late = (statistics.median(column) for column in zip(*runs))
            reference = statistics.median(plain)
            ratio = statistics.median(r[0] * r[1] / p for r, p in zip(runs, plain))
            print(f"{compression:12} {raw:6} {rate:10.0f} {rate / DETECTOR_HZ:8.1f} {per_trigger:19.3f} {rate * per_trigger:5.0f} "
                  f"{reference:14.0f} {ratio:6.2f}  {early:.0f}, {late:.0f}", flush=True)
    finally:
        dashboard.kill()
        dashboard.wait()
        shutil.rmtree(folder, ignore_errors=True)


try:
    main()
except AssertionError as error:
    sys.exit(f"something was lost or failed:\n{error}")
