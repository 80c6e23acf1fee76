"""An NI digitizer through the vendor's library, which our stand-in takes the place of: what it serves stands in the file."""
import json
import os

import h5py
import numpy

from support import ALLEYCAT, CONFIG, Station, alleycat, assert_every_trigger_once, main, refused, same_bits

STANDIN = ALLEYCAT.parent / "liballeycat_niscope_standin.so"
TRIGGERS = 600  # ten seconds of the timing signal, as many as a run of that length takes: less than the ring holds
RATE_HZ = 400


def station(folder, *orders):
    """The shipped station, with the stand-in that follows these orders."""
    os.environ["ALLEYCAT_NISCOPE_STANDIN"] = ",".join(orders)
    return Station(folder, base="pci5153.toml", library=f'"{STANDIN}"', fetch_timeout_ms=5)


def run(folder, *orders):
    """Takes data from the stand-in: the file, and what the program said."""
    one = station(folder, *orders)
    said = alleycat("run", "--config", one.path, "--seconds", TRIGGERS / 60)
    assert "ledger closes" in said.stdout, said.stdout
    assert json.loads(alleycat("verify", one.folder, "--json").stdout)["ok"]
    [part] = one.files()
    return part, said.stdout + said.stderr


def by_formula(trigger):
    """What the stand-in states that it serves, shape (2, 35000)."""
    sample, channel = numpy.arange(35_000), numpy.arange(2)[:, None]
    codes = 31 * trigger + 101 * channel + 7 * sample
    codes[:, :4] = trigger >> 8 * numpy.arange(4)
    return (codes & 255).astype(numpy.uint8).view(numpy.int8)


def check_samples(folder):
    """Every sample of a simulated detector that the stand-in serves at 400 Hz stands in the file, with the board's name and numbers"""
    served = folder / "served.h5"
    alleycat("simulate", "--config", CONFIG / "csi.toml", "--output", served, "--triggers", TRIGGERS, "--seed", 1)
    with h5py.File(served) as file:
        traces = file["raw/pci5153/samples"][()]
    (folder / "traces").write_bytes(traces.tobytes())
    part, _ = run(folder, f"rate_hz={RATE_HZ}", f"traces={folder / 'traces'}")  # they come round and round: the run begins with one of them
    assert assert_every_trigger_once([part]) == list(range(TRIGGERS))
    with h5py.File(part) as file:
        board = file["raw/pci5153"]
        samples = board["samples"][()]
        [first] = [n for n, trace in enumerate(traces) if same_bits(trace, samples[0])]
        assert same_bits(samples, numpy.roll(traces, -first, axis=0))
        assert (board["counter"][()] == numpy.arange(TRIGGERS)).all()
        assert not board["flags"][()].any()
        assert board.attrs["model"] == "NI PCI-5153" and board.attrs["serial"] == "STANDIN1", dict(board.attrs)
        assert board.attrs["firmware"] == "1.0, driver stand-in", dict(board.attrs)


def check_unplugged(folder):
    """A board that is unplugged in a run comes back: the file is whole, and what was served around it is intact"""
    part, said = run(folder, f"rate_hz={RATE_HZ}", "error=200:1")
    assert "niScope_FetchBinary8: the hardware failed (-1074118654); it is closed and opened again" in said, said
    with h5py.File(part) as file:
        board = file["raw/pci5153"]
        samples, flags = board["samples"][()], board["flags"][()]
    triggers = [int.from_bytes(record[0, :4].tobytes(), "little") for record in samples]
    for trigger, record in zip(triggers, samples):
        assert (record == by_formula(trigger)).all(), trigger
    [back] = [n for n in range(1, TRIGGERS) if triggers[n] != triggers[n - 1] + 1]
    assert triggers[back - 1] == 199 and triggers[back] > 200, (triggers[back - 1], triggers[back])
    assert numpy.flatnonzero(flags).tolist() == [back] and flags[back] == 1 << 5, flags  # clock_restarted


def check_overwritten(folder):
    """Records that the board wrote over before they were read are a hole in the numbers of the file, and nothing else"""
    part, _ = run(folder, "memory_records=40", "overwritten=100:50")  # as fast as they are asked for
    lost = 50 + 10  # a quarter of the memory is given up
    expected = [*range(100), *range(100 + lost, TRIGGERS + lost)]
    with h5py.File(part) as file:
        board = file["raw/pci5153"]
        assert board["counter"][()].tolist() == expected, board["counter"][()]
        assert not board["flags"][()].any()
        for trigger, record in zip(expected, board["samples"][()]):
            assert (record == by_formula(trigger)).all(), trigger


def check_connect(folder):
    """`check --connect` says what the board is"""
    said = alleycat("check", "--connect", station(folder).path).stdout
    assert "\nboard pci5153: NI PCI-5153, serial STANDIN1, firmware 1.0, driver stand-in\n" in said, said


def check_missing_library(folder):
    """Without the vendor's library `run` and `check --connect` say in one line which, for which board, and what to do"""
    one = Station(folder, base="pci5153.toml", library='"libniscope_that_nobody_has.so"')
    names = ["board pci5153 (Dev1): library libniscope_that_nobody_has.so cannot be loaded", "install NI-SCOPE", "[board.niscope]"]
    refused("run", "--config", one.path, "--seconds", 1, status=1, names=names)
    said = alleycat("check", "--connect", one.path, status=1).stderr.splitlines()
    assert len(said) == 1 and all(name in said[0] for name in names), said


main(globals())
