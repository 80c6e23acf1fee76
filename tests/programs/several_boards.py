"""Three boards of different kinds on one timing signal, each emulated by a process of its own with a clock of its own."""
import json
import re
import sys
import time

import h5py
import numpy

from support import CONFIG, Process, Station, alleycat, assert_every_trigger_once, free_ports, ledger_closes, main, same_bits

BOARDS = ["sis3316", "v2745", "flashcam"]
KINDS = dict(zip(BOARDS, ("sis3316", "dig2", "fcio")))
TEN_MINUTES = "--ten-minutes" in sys.argv
SECONDS = 600 if TEN_MINUTES else 24
# When a board is unplugged, and for how long [triggers].
AWAY = [(6_000, 3_600), (18_000, 5_400)] if TEN_MINUTES else [(300, 240), (840, 240)]
COMPARED = 50 if TEN_MINUTES else 7  # each so many'th trigger sample by sample


def station(folder):
    ports = free_ports(3)
    replace = {"127.0.0.1:57344": f"127.0.0.1:{ports[0]}", 'address = "127.0.0.1" ': f'address = "127.0.0.1:{ports[1]}" ',
               "127.0.0.1:3050": f"127.0.0.1:{ports[2]}"}
    return Station(folder, base="several-boards.toml", replace=replace)


def as_simulator(folder, config):
    """The station with the simulator in the place of the boards that it emulates."""
    text = config.read_text()
    for kind in KINDS.values():
        text = text.replace(f'source = "{kind}"', 'source = "simulator"')
        text = re.sub(rf"(?sm)^\[board\.{kind}\].*?(?=^\[)", "", text)
    path = folder / "simulated.toml"
    path.write_text(text)
    return path


def emulate(config, board, first, *arguments):
    process = Process("emulate", KINDS[board], "--config", config, "--rate", 60, "--first-trigger", first, *arguments)
    process.wait_for_output("listens on ")
    return process


def wait_for_triggers(place, count):
    """In steps: no single wait is patient enough for minutes of data."""
    reached = 0
    while reached < count:
        reached = min(count, reached + 3_000)
        place.wait(f"{reached} triggers", lambda status: status["ledger"]["triggers"] >= reached)


def same_ticks(part, served, first_tick):
    """Each record is that of its trigger's tick: sample by sample as the simulator makes it."""
    for board in BOARDS:
        rows, made = part[f"raw/{board}"], served[f"raw/{board}/samples"]
        sequences = rows["sequence"][()]
        for i in range(0, len(sequences), COMPARED):
            assert same_bits(rows["samples"][i], made[first_tick + int(sequences[i])]), (board, sequences[i])


def check_unplugged(folder):
    """One of three boards is unplugged and back twice: the others' triggers are complete, the gaps stand in file, verify and status"""
    place = station(folder)
    first = time.time() + 3
    # The second board's clock is 1 ppm fast and rolls over (48 bits of 8 ns) 4 s after the first tick.
    options = {"v2745": ["--drift-ppm", 1, "--first-clock", 2**48 - 500_000_000]}
    boards = {board: emulate(place.path, board, first, *options.get(board, [])) for board in BOARDS}
    run = Process("run", "--config", place.path, "--seconds", SECONDS)
    run.wait_for_output("run 1 started")
    missing_so_far = 0
    for after, away in AWAY:
        wait_for_triggers(place, after)
        boards["flashcam"].kill()
        missing_so_far += away
        place.wait(f"{away} triggers without flashcam", lambda status: status["counters"]["builder.flashcam.missing"] >= missing_so_far)
        boards["flashcam"] = emulate(place.path, "flashcam", first)
    wait_for_triggers(place, 60 * SECONDS - 300)
    run.expect_end()
    for board in boards.values():
        board.end()
    [*parts] = place.files()
    assert run.text.count("board flashcam is missing from all triggers") == len(AWAY), run.text
    assert run.text.count("board flashcam is back") == len(AWAY), run.text
    verdict = json.loads(alleycat("verify", place.folder, "--json").stdout)
    assert verdict["ok"], verdict
    assert any("board flashcam is missing from triggers" in note for file in verdict["files"] for note in file["notes"]), verdict
    triggers = 60 * SECONDS
    assert assert_every_trigger_once(parts) == list(range(triggers))
    ledger_closes(parts[-1])
    alleycat("simulate", "--config", as_simulator(folder, place.path), "--output", folder / "served.h5", "--triggers", triggers + 600, "--seed", 1,
             patience=1200)
    away = sum(triggers for _, triggers in AWAY)
    missing = []
    with h5py.File(folder / "served.h5") as served:
        for path in parts:
            with h5py.File(path) as part:
                if not missing:
                    row = part["raw/sis3316/samples"][0]
                    [first_tick] = [tick for tick in range(600) if same_bits(row, served["raw/sis3316/samples"][tick])]
                same_ticks(part, served, first_tick)
                missing.extend(part["triggers/missing_boards"][()])
                counters = {name: values[()][-1] for name, values in part["counters"].items() if name.startswith("builder.")}
    missing = numpy.array(missing)
    assert (missing & 0b001 == 0).all()
    assert (missing & 0b010 == 0)[60:].all(), numpy.flatnonzero(missing & 0b010)  # the second may begin a little later than the first
    assert counters["builder.flashcam.missing"] >= away, counters
    assert counters["builder.flashcam.missing"] == ((missing & 0b100) != 0).sum(), counters
    for board in BOARDS:
        assert counters[f"builder.{board}.late_records"] + counters[f"builder.{board}.duplicates"] + counters[f"builder.{board}.realigned"] == 0, counters
    assert counters["builder.v2745.clock_restarts"] == 0, counters


main(globals(), [name for name in sys.argv[4:] if name != "--ten-minutes"])
