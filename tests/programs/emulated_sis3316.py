"""A SIS3316 as a lab meets it, without the board: emulator, daemon, file, each a program of its own."""
import h5py
import numpy

from support import CONFIG, Process, Station, alleycat, free_ports, main, refused

TRIGGERS = 120  # two seconds of data


def station_of(folder, port, **keys):
    return Station(folder, base="sis3316.toml", replace={"127.0.0.1:57344": f"127.0.0.1:{port}"}, **keys)


def emulator(station, *arguments):
    process = Process("emulate", "sis3316", "--config", station.path, *arguments)
    process.wait_for_output("listens on")
    return process


def served_samples(folder, station):
    """The same waveforms from the simulator alone."""
    simulated = folder / "simulated.toml"
    text = station.path.read_text().replace('source = "sis3316"', 'source = "simulator"')
    begin, end = text.index("\n[board.sis3316]"), text.index("\n[trigger]\n")
    simulated.write_text(text[:begin] + text[end:])
    alleycat("simulate", "--config", simulated, "--output", folder / "served.h5", "--triggers", TRIGGERS, "--seed", 1)
    with h5py.File(folder / "served.h5") as file:
        return file["raw/sis3316/samples"][:]


def check_chain(folder):
    """Emulator, run, verify: as fast as possible every sample in the file is the one that was served"""
    station = station_of(folder, free_ports(1)[0])
    with emulator(station) as board:
        alleycat("run", "--config", station.path, "--seconds", 2)
        board.end()
    alleycat("verify", *station.files())
    expected = served_samples(folder, station)
    with h5py.File(station.files()[0]) as file:
        assert file["raw/sis3316/samples"].shape[0] == TRIGGERS
        assert numpy.array_equal(file["raw/sis3316/samples"][:], expected)
        board = file["raw/sis3316"].attrs
        assert board["model"] == "SIS3316-250-14" and board["serial"] == "291", dict(board)
    assert len(station.files()) == 1


def check_faults(folder):
    """With packets going astray the same samples arrive, and the summary tells what happened on the way"""
    station = station_of(folder, free_ports(1)[0], timeout_ms=10)
    with emulator(station, "--faults", "lost=0.001,repeated=0.001,reordered=0.001,wrong_counter=0.001,short_reply=0.001", "--seed", 7) as board:
        alleycat("run", "--config", station.path, "--seconds", 2)
        board.end()
    alleycat("verify", *station.files())
    with h5py.File(station.files()[0]) as file:
        assert numpy.array_equal(file["raw/sis3316/samples"][:], served_samples(folder, station))


def check_reboot(folder):
    """A board that goes away and comes back in a run: the run goes on, the ledger closes"""
    station = station_of(folder, free_ports(1)[0])
    with Process("run", "--config", station.path, "--seconds", 10_000) as run:
        with emulator(station, "--rate", 200) as board:
            station.wait("the first triggers", lambda status: status["ledger"]["recorded"] > 20)
            board.end()
        recorded = station.status()["ledger"]["recorded"]
        with emulator(station, "--rate", 200) as board:
            status = station.wait("triggers again", lambda status: status["ledger"]["recorded"] > recorded + 20)
            board.end()
        run.end()
    assert status["counters"]["readout.sis3316.reconnects"] >= 1, status["counters"]
    alleycat("verify", *station.files())


def check_absent_board(folder):
    """A board that does not answer is named with its address, and so is one that is given to nobody"""
    port = free_ports(1)[0]
    station = station_of(folder, port)
    refused("run", "--config", station.path, "--seconds", 1, status=1, names=["board sis3316", f"127.0.0.1:{port}", "no answer"])
    refused("emulate", "sis3316", "--config", CONFIG / "csi.toml", status=2, names=["csi.toml", "no board", "sis3316"])


main(globals())
