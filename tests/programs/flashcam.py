"""A FlashCam that is not there: its stream served by `alleycat emulate`, read by `alleycat run`, down to the file."""
import struct

import h5py
import numpy

from support import CONFIG, Process, Station, alleycat, assert_every_trigger_once, ledger_closes, main, real, refused, free_ports


def decode_fcio(path):
    """(number, pps, ticks, samples) per event: tags are negative words, frames a length and so many bytes."""
    data, at, events, frames, tag = path.read_bytes(), 4 + 64, [], [], None
    while at <= len(data):
        word = struct.unpack_from("<i", data, at)[0] if at < len(data) else -1
        at += 4
        if word >= 0:
            frames.append(data[at:at + word])
            at += word
            continue
        if tag == 3:
            number, pps, ticks = struct.unpack_from("<3i", frames[3])
            events.append((number, pps, ticks, numpy.frombuffer(frames[4], "<u2")[2:]))  # two words of the firmware come first
        tag, frames = -word, []
    return events


def check_recorded_stream(folder):
    """Germanium on a FlashCam: 1000 events x 1836 samples as an independent decoder reads them"""
    path = real("fcio/th228.fcio")
    events = decode_fcio(path)
    assert len(events) == 1000
    alleycat("replay", path, "--config", CONFIG / "fcio.toml", "--output", folder / "out.h5")
    alleycat("verify", folder / "out.h5")
    assert_is(folder / "out.h5", events)


def assert_is(path, events):
    with h5py.File(path) as file:
        raw = file["raw/flashcam"]
        samples = raw["samples"][()]
        assert samples.shape == (len(events), 1, 1836) and samples.dtype == numpy.uint16
        assert (samples[:, 0] == [event[3] for event in events]).all()
        # Facts published with the recording.
        assert samples[0, 0, :4].tolist() == [8148, 8154, 8146, 8131]
        assert raw["clock"][:3].tolist() == [149007095, 149198891, 149221123]
        assert raw["counter"][()].tolist() == [event[0] for event in events]
        clock = numpy.array([pps * 250_000_000 + ticks for _, pps, ticks, _ in events])
        assert (raw["clock"][()] == clock).all()
        assert (file["triggers/time_ps"][()] == (clock - clock[0]) * 4000).all()
        # Most of these traces hold one step of a preamplifier; the thresholds of the station see nearly all.
        assert file["windows/coincident/accepted"][()].mean() > 0.9


def served(folder, *arguments, **keys):
    """A station that reads from the emulator, and the emulator."""
    [port] = free_ports(1)
    station = Station(folder, "fcio.toml", address=f'"127.0.0.1:{port}"', **keys)
    emulator = Process("emulate", "fcio", "--config", station.path, *arguments)
    emulator.wait_for_output(f"flashcam listens on 127.0.0.1:{port}")
    return station, emulator


def check_recorded_stream_over_the_wire(folder):
    """The same recording served by the emulator: every sample in the file of `alleycat run` is that of the recording"""
    path = real("fcio/th228.fcio")
    station, emulator = served(folder, "--input", path, "--rate", 500)
    with emulator, Process("run", "--config", station.path) as run:
        station.wait("all events on disk", lambda s: s["writer"]["durable_triggers"] >= 1000)
        emulator.expect_end()
        assert "events_served: 1000" in emulator.text, emulator.text
        run.end()
    [part] = station.files()
    alleycat("verify", part)
    assert_every_trigger_once([part])
    assert ledger_closes(part)["recorded"] == 1000
    assert_is(part, decode_fcio(path))


def check_no_flashcam(folder):
    """Nobody there: one line that names the board and its address"""
    [port] = free_ports(1)
    station = Station(folder, "fcio.toml", address=f'"127.0.0.1:{port}"')
    done = alleycat("run", "--config", station.path, "--seconds", 1, status=1)
    assert f"board flashcam (127.0.0.1:{port}): Connection refused" in done.stderr, done.stderr
    refused("emulate", "sis3302", "--config", station.path, status=2, names="sis3302")


main(globals())
