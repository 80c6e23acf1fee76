"""A CAEN 27xx, emulated by one process and read by another: what is served stands in the file."""
import json
import re

import h5py

from support import CONFIG, Process, Station, alleycat, assert_every_trigger_once, ledger_closes, main, same_bits

SECONDS = 5  # of the timing signal: 300 triggers


def as_simulator(folder):
    """The station with the simulator in the place of the board that it emulates."""
    text = (CONFIG / "dig2.toml").read_text().replace('source = "dig2"', 'source = "simulator"')
    text = re.sub(r"(?sm)^\[board\.dig2\].*?(?=^\[\[board\.channel\]\])", "", text)
    path = folder / "simulated.toml"
    path.write_text(text)
    return path


def emulated(*arguments):
    """The emulator as a process, and its address."""
    process = Process("emulate", "dig2", "--port", 0, *arguments)
    process.wait_for_output("listens on ")
    return process, re.search(r"127\.0\.0\.1:\d+", process.text).group()


def check_samples(folder):
    """Every sample that the emulated board serves stands in the file, with the board's name and numbers; the ledger closes"""
    triggers = 60 * SECONDS
    fast = folder / "fast.toml"
    fast.write_text((CONFIG / "dig2.toml").read_text().replace('pacing = "realtime"', 'pacing = "fast"'))
    emulator, address = emulated("--config", fast, "--triggers", triggers)
    with emulator:
        station = Station(folder, base="dig2.toml", replace={'address = "127.0.0.1"': f'address = "{address}"'})
        alleycat("run", "--config", station.path, "--seconds", SECONDS)
        emulator.expect_end()
    assert f"triggers_served: {triggers}" in emulator.text, emulator.text
    [part] = station.files()
    assert json.loads(alleycat("verify", station.folder, "--json").stdout)["ok"]
    assert assert_every_trigger_once([part]) == list(range(triggers))
    ledger_closes(part)
    alleycat("simulate", "--config", as_simulator(folder), "--output", folder / "served.h5", "--triggers", triggers, "--seed", 1)
    with h5py.File(part) as taken, h5py.File(folder / "served.h5") as served:
        board = taken["raw/v2745"]
        assert same_bits(board["samples"][()], served["raw/v2745/samples"][()])
        assert (board["counter"][()] == range(triggers)).all()
        assert not board["flags"][()].any()
        assert board.attrs["model"] == "V2745" and board.attrs["serial"] == "99001", dict(board.attrs)
        assert board.attrs["firmware"].startswith("scope-"), dict(board.attrs)


def check_connect(folder):
    """`check --connect` says what the board is, and of a board that is away why it could not be asked"""
    emulator, address = emulated("--config", CONFIG / "dig2.toml")
    station = Station(folder, base="dig2.toml", replace={'address = "127.0.0.1"': f'address = "{address}"'})
    with emulator:
        said = alleycat("check", "--connect", station.path).stdout
        assert re.search(r"^board v2745: V2745, serial 99001, firmware scope-", said, re.M), said
        emulator.end()
    away = alleycat("check", "--connect", station.path, status=1)
    assert f"board v2745 ({address}): no connection to port" in away.stderr, away


def check_what_the_board_says(folder):
    """The temperatures and the busy share that the board tells stand in the status and in the file, for programs and for people"""
    emulator, address = emulated("--config", CONFIG / "dig2.toml", "--rate", 60)
    station = Station(folder, base="dig2.toml", replace={'address = "127.0.0.1"': f'address = "{address}"'},
                      readings_interval_ms=100)
    with emulator, Process("run", "--config", station.path) as run:
        status = station.wait("a busy share", lambda s: s["boards"] and "busy" in s["boards"][0]["readings"])
        [board] = status["boards"]
        assert board["name"] == "v2745" and board["missing_s"] is None and board["clock_offset_ns"] is None, board
        assert board["last_record_utc_ns"] > 0, board
        core = board["readings"]["temperature_core"]
        assert core["unit"] == "degC" and 35 <= core["value"] < 36, board  # the emulator: 35 degC and tenths
        assert 0 < board["readings"]["busy"]["value"] < 0.01, board        # of every event two ticks of 8 ns
        said = alleycat("control", "status", "--connect", station.control).stdout
        assert re.search(r"^  board v2745: temperature_in 35\S* degC; .*; busy \S+ %$", said, re.M), said
        run.end()
        emulator.end()
    [part] = station.files()
    with h5py.File(part) as file:
        readings = file["readings"]
        names, units = readings["name"].asstr()[()], readings["unit"].asstr()[()]
        assert set(names) == {"temperature_in", "temperature_out", "temperature_core", "temperature_adc", "busy"}, names
        assert (units == ["" if name == "busy" else "degC" for name in names]).all(), units
        assert not readings["board"][()].any()
        warm = readings["value"][()][units == "degC"]
        assert ((warm >= 35) & (warm < 36)).all(), warm
        first, last = readings["utc_ns"][[0, -1]]
        assert first < last, "at the beginning and at the end of the run"
    assert json.loads(alleycat("verify", station.folder, "--json").stdout)["ok"]
    [file] = json.loads(alleycat("info", part, "--json").stdout)["files"]
    of_board = file["boards"]["v2745"]["readings"]
    assert 35 <= of_board["temperature_core"]["lowest"] <= of_board["temperature_core"]["last"] < 36, of_board
    said = alleycat("info", part).stdout
    assert re.search(r"^  board v2745: temperature_in 35\S* degC", said, re.M), said


def check_board_that_is_away(folder):
    """A board that does not answer at the start ends it with one sentence: which board, where, and what it did not do"""
    emulator, address = emulated("--config", CONFIG / "dig2.toml")
    with emulator:
        emulator.end()
    station = Station(folder, base="dig2.toml", replace={'address = "127.0.0.1"': f'address = "{address}"'})
    said = alleycat("run", "--config", station.path, "--seconds", 1, status=1).stderr
    assert f"board v2745 ({address}): no connection to port" in said, said


main(globals())
