"""A CAEN board through a library that stands in for CAEN's: what it serves stands in the file."""
import json
import os
import re

import h5py
import numpy

from support import ALLEYCAT, CONFIG, Station, alleycat, assert_every_trigger_once, ledger_closes, main, refused

STANDIN = ALLEYCAT.parent / "liballeycat_caen_standin.so"
LIBRARY = 'library = "libCAENDigitizer.so"'


def board(words):
    """What the stand-in is, and which faults it has: tools/emulator/caen_standin.hpp."""
    os.environ["ALLEYCAT_CAEN_STANDIN"] = words


def station(folder, **keys):
    return Station(folder, base="caen.toml", replace={LIBRARY: f'library = "{STANDIN}"'}, **keys)


def served(number, channel, samples, bits=12):
    """Samples of an event, by the formula of caen_standin.hpp."""
    s = numpy.arange(samples, dtype=numpy.int64)
    codes = (31 * number + 1009 * channel + 7 * s) & ((1 << bits) - 1)
    codes[:4] = [number >> 8 * byte & 0xFF for byte in range(4)]
    return codes.astype(numpy.uint16)


def count(part, name):
    """What the driver counted, by the end of a closed file."""
    with h5py.File(part) as file:
        return int(file[f"counters/readout.v1720.{name}"][-1])


def numbers_as_served(part):
    """The events that the file's traces say they are; every sample of them is as served."""
    with h5py.File(part) as file:
        samples = file["raw/v1720/samples"][()]
        numbers = []
        for trace in samples:
            number = sum(int(code) << 8 * byte for byte, code in enumerate(trace[0, :4]))
            for channel in range(2):
                assert (trace[channel] == served(number, channel, trace.shape[1])).all(), f"event {number}, channel {channel}"
            numbers.append(number)
        return numbers


def check_samples(folder):
    """Every sample that the library serves at a high rate stands in the file, with the board's name; the ledger closes"""
    board("rate=2000 first=2147000000")  # rolls over after 4 ms
    place = station(folder, tick_rate_hz=2000)
    alleycat("run", "--config", place.path, "--seconds", 2)
    [part] = place.files()
    assert json.loads(alleycat("verify", place.folder, "--json").stdout)["ok"]
    recorded = assert_every_trigger_once([part])
    ledger_closes(part)
    numbers = numbers_as_served(part)
    with h5py.File(part) as file:
        raw = file["raw/v1720"]
        assert raw["counter"][()].tolist() == numbers and len(numbers) == len(recorded) > 100, len(numbers)
        assert not raw["flags"][()].any()
        ticks = raw["time_ps"][()] // 8000
        assert (ticks == 2147000000 + numpy.array(numbers) * 62500).all()  # 500 us
        assert raw.attrs["model"] == "V1720" and raw.attrs["serial"] == "12345", dict(raw.attrs)
        assert raw.attrs["firmware"] == "ROC 04.25 - Build H522, AMC 00.11 - Build H523", dict(raw.attrs)


def check_board_unplugged(folder):
    """A board that is unplugged is got back; its first record says that counter and clock began anew, every trace is as served"""
    board("rate=500 unplugged@200:3 lost@700:10 truncated@900")
    place = station(folder, tick_rate_hz=500, retry_interval_ms=50)
    alleycat("run", "--config", place.path, "--seconds", 4)
    [part] = place.files()
    assert json.loads(alleycat("verify", place.folder, "--json").stdout)["ok"]
    assert_every_trigger_once([part])
    ledger_closes(part)
    numbers = numbers_as_served(part)
    assert numbers == sorted(set(numbers)) and numbers[-1] > 900, numbers[-10:]
    missing = set(range(numbers[-1])) - set(numbers)
    with h5py.File(part) as file:
        flags, counter = file["raw/v1720/flags"][()], file["raw/v1720/counter"][()]
        [restart] = numpy.flatnonzero(flags & 1 << 5)
        assert numbers[restart] == 200 and (numpy.diff(counter.astype(numpy.int64)) > 0).all(), numbers[restart]
    # At most one transfer breaks off with the link; ten events get lost, one is cut short.
    assert {*range(700, 710), 900} <= missing and len(missing) <= 111, sorted(missing)
    for name, times in {"disconnects": 1, "failed_attempts": 3, "reconnects": 1, "cut_short": 1}.items():
        assert count(part, name) == times, (name, count(part, name))


def check_connect(folder):
    """`check --connect` says what the board is; of another family, why it is refused"""
    place = station(folder)
    board("serial=4711")
    said = alleycat("check", "--connect", place.path).stdout
    assert re.search(r"^board v1720: V1720, serial 4711, firmware ROC 04.25 - Build H522, AMC 00.11 - Build H523$", said, re.M), said
    assert "board v1720: x720, 8 inputs of 12 bit" in said, said
    board("family=x730")
    other = alleycat("check", "--connect", place.path, status=1).stderr
    assert other == "board v1720 (optical 0, node 0): is a V1730, x730: the station file says x720\n", other
    board("rounded=record_length")
    refused("run", "--config", place.path, "--seconds", 1, status=1,
            names="board v1720 (optical 0, node 0): record length: wanted 8252, it is 8258")


def check_library_that_is_away(folder):
    """Without CAEN's library the program says in one line what is missing and what to install"""
    place = Station(folder, base="caen.toml", replace={LIBRARY: 'library = "libCAENDigitizer-away.so"'})
    says = "board v1720: library libCAENDigitizer-away.so cannot be loaded: "
    asked = alleycat("check", "--connect", place.path, status=1).stderr
    assert len(asked.splitlines()) == 1 and asked.startswith(says) and "install CAEN's packages" in asked, asked
    refused("run", "--config", place.path, "--seconds", 1, status=1, names=[says, "or set library = ... in [board.caen]"])


main(globals())
