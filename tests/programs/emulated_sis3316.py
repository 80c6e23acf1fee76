"""A SIS3316 as a lab meets it, without the board: emulator, daemon, file, each a program of its own."""
import socket
import struct

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


class Client:
    """The protocol as public descriptions of it have it, written without looking at ours: command, [identifier,] rest."""

    def __init__(self, port, identifiers):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(30)
        self.identifiers, self.identifier = identifiers, 0

    def ask(self, command, rest):
        self.identifier = (self.identifier + 1) & 0xFF
        self.socket.send(bytes([command]) + bytes([self.identifier] * self.identifiers) + rest)
        return self.answer(command)

    def answer(self, command):
        reply = self.socket.recv(9000)
        assert reply[0] == command and (not self.identifiers or reply[1] == self.identifier), reply[:4]
        return reply[2:] if self.identifiers else reply[1:]

    def read_link(self, address):
        echoed, value = struct.unpack("<II", self.ask(0x10, struct.pack("<I", address)))
        assert echoed == address
        return value

    def write_link(self, address, value):
        self.socket.send(struct.pack("<BII", 0x11, address, value))

    def read(self, *addresses):
        reply = self.ask(0x20, struct.pack(f"<H{len(addresses)}I", len(addresses) - 1, *addresses))
        assert reply[0] == 0, f"status 0x{reply[0]:02X}"
        return struct.unpack(f"<{len(addresses)}I", reply[1:])

    def write(self, address, value):
        reply = self.ask(0x21, struct.pack("<HII", 0, address, value))
        assert reply == b"\0", reply

    def read_memory(self, group, words):
        reply = self.ask(0x30, struct.pack("<HI", words - 1, 0x100000 * (1 + group)))
        data, packet = b"", 0
        while True:
            assert reply[0] == packet % 16, f"packet {packet} says status 0x{reply[0]:02X}"
            data, packet = data + reply[1:], packet + 1
            if len(data) == 4 * words:
                return data
            reply = self.answer(0x30)


def check_other_client(folder):
    """A client that is not ours takes triggers off the emulator, in both dialects: the samples that were served"""
    for place, protocol in ((folder / "old", "plain"), (folder / "new", "identifier")):
        place.mkdir()
        station = station_of(place, free_ports(1)[0], protocol=f'"{protocol}"')
        expected = served_samples(place, station)
        with emulator(station) as board:
            client = Client(int(board.text.split("127.0.0.1:")[1].split()[0]), protocol == "identifier")
            assert client.read_link(0x4) >> 16 == 0x3316
            client.write_link(0x10, 1)
            assert client.read_link(0x10) >> 20 & 1, "access is granted"
            samples = 17500
            client.write(0x1020, samples << 16)  # raw data buffer
            client.write(0x1010, 0x00000808)     # inputs 1 and 2: external trigger
            client.write(0x60, 1 << 8)           # let it in
            client.write(0x420, 0)               # arm bank 1
            while client.read(0x1110)[0] & 0xFFFFFF < 3 * (3 + samples // 2):
                pass
            client.write(0x424, 0)               # write bank 2, read bank 1
            for channel in range(2):
                end, = client.read(0x1120 + 4 * channel)
                assert end >> 24 == 0
                client.write(0x80, 0x80000000 | channel << 25)
                data = client.read_memory(0, 3 * (3 + samples // 2))
                client.write(0x80, 0)
                for trigger, event in enumerate(numpy.frombuffer(data, "<u4").reshape(3, -1)):
                    assert event[0] & 0xFFFF == channel << 4 and event[2] == 0xE0000000 | samples // 2, event[:3]
                    assert numpy.array_equal(event[3:].view("<u2"), expected[trigger, channel])
            board.end()


def check_reboot(folder):
    """A board that goes away and comes back in a run: the run goes on, the ledger closes"""
    station = station_of(folder, free_ports(1)[0])
    with Process("run", "--config", station.path, "--seconds", 10_000) as run:
        with emulator(station, "--rate", 200) as board:
            station.wait("the first triggers", lambda status: status["ledger"]["recorded"] > 20)
            board.end()
        recorded = station.status()["ledger"]["recorded"]
        with emulator(station, "--rate", 200) as board:
            # Counts of the board reach the status up to a second after the records.
            station.wait("triggers again, from a new connection", lambda status: status["ledger"]["recorded"] > recorded + 20
                         and status["counters"].get("readout.sis3316.reconnects", 0) >= 1)
            board.end()
        run.end()
    alleycat("verify", *station.files())


def check_absent_board(folder):
    """A board that does not answer is named with its address, and so is one that is given to nobody"""
    port = free_ports(1)[0]
    station = station_of(folder, port)
    refused("run", "--config", station.path, "--seconds", 1, status=1, names=["board sis3316", f"127.0.0.1:{port}", "no answer"])
    refused("emulate", "sis3316", "--config", CONFIG / "csi.toml", status=2, names=["csi.toml", "no board", "sis3316"])


main(globals())
