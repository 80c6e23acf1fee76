"""A networked board that does everything wrong that an emulator can do wrong: the run goes on, each fault has its counter, untouched
triggers are intact, and the board comes back by itself. After the usual arguments: the board's kind; `--minutes`: for minutes."""
import json
import re
import sys

import h5py

from support import CONFIG, Process, Station, alleycat, assert_every_trigger_once, free_ports, ledger_closes, main

KIND = sys.argv[4]
MINUTES = "--minutes" in sys.argv
FAULTS = ["lost", "repeated", "reordered", "late", "wrong_counter", "short_reply", "garbage", "stall", "reboot", "clock_change"]
SEED = 3


class Board:
    """Where a fault shows: counters of which at least one goes up, below readout.NAME. or builder.NAME."""

    def __init__(self, name, config, old, new, share, seen):
        self.name, self.config, self.old, self.new, self.share, self.seen = name, config, old, new, share, seen


BOARDS = {
    # A share of packets: a trigger has 50 of them. Whatever befalls a packet, the driver asks again: no trigger is lost.
    "sis3316": Board("sis3316", "sis3316.toml", "127.0.0.1:57344", "127.0.0.1:{}", 0.001, {
        "lost": ["timeouts"], "repeated": ["packets_repeated"], "reordered": ["packets_reordered"], "late": ["packets_late"],
        "wrong_counter": ["counter_mismatches"], "short_reply": ["short_replies"], "garbage": ["garbage_packets", "events_damaged"],
        "stall": ["board_lost"], "reboot": ["board_lost"], "clock_change": ["clock_restarts"]}),
    "dig2": Board("v2745", "dig2.toml", 'address = "127.0.0.1"', 'address = "127.0.0.1:{}"', 0.004, {
        "lost": ["missed_triggers"], "repeated": ["repeated_event"], "reordered": ["late_records", "wrong_trigger_id"], "late": ["held_up"],
        "wrong_counter": ["wrong_trigger_id"], "short_reply": ["damaged_event"], "garbage": ["damaged_event", "bad_header"],
        "stall": ["held_up"], "reboot": ["disconnects"], "clock_change": ["clock_backwards", "clock_restarts"]}),
    "fcio": Board("flashcam", "fcio.toml", "127.0.0.1:3050", "127.0.0.1:{}", 0.004, {
        "lost": ["number_gap"], "repeated": ["duplicate_record"], "reordered": ["late_records"], "late": ["held_up"],
        "wrong_counter": ["number_disagreements"], "short_reply": ["short_message"], "garbage": ["stream_lost"],
        "stall": ["held_up"], "reboot": ["connection_lost"], "clock_change": ["clock_restarts"]}),
}
BOARD = BOARDS[KIND]
# Of triggers, not of packets: they hold up the board for seconds.
RARE = {"stall": 0.002, "late": 0.002, "reboot": 0.004, "clock_change": 0.003}


def served(folder, station, triggers):
    """What the simulator makes, trigger by trigger, with their places."""
    text = station.path.read_text().replace(f'source = "{KIND}"', 'source = "simulator"').replace('pacing = "realtime"', 'pacing = "fast"')
    path = folder / "simulated.toml"
    path.write_text(re.sub(rf"(?sm)^\[board\.{KIND}[.\]].*?(?=^\[(?!board\.{KIND}))", "", text))
    alleycat("simulate", "--config", path, "--output", folder / "served.h5", "--triggers", triggers, "--seed", 1, patience=1200)
    with h5py.File(folder / "served.h5") as file:
        samples = file[f"raw/{BOARD.name}/samples"]
        return {samples[i].tobytes(): i for i in range(len(samples))}


def run_through(folder, rate, triggers):
    [port] = free_ports(1)
    config = (CONFIG / BOARD.config).read_text()
    replace = {BOARD.old: BOARD.new.format(port)}
    if KIND == "fcio":
        replace["tick_rate_hz = 0 "] = "tick_rate_hz = 60 "
    if 'pacing = "realtime"' in config:
        replace['pacing = "realtime"'] = 'pacing = "fast"'
    station = Station(folder, base=BOARD.config, replace=replace)
    faults = ",".join(f"{fault}={RARE.get(fault, BOARD.share)}" for fault in FAULTS)
    board = Process("emulate", KIND, "--config", station.path, "--rate", rate, "--faults", faults, "--seed", SEED)
    board.wait_for_output("listens on")
    with board:
        alleycat("run", "--config", station.path, "--seconds", triggers / 60, patience=1200)
        board.end()
    struck = {name.removeprefix("fault_"): int(count) for name, count in re.findall(r"(?m)^(\w+): (\d+)$", board.text)}
    verdict = json.loads(alleycat("verify", station.folder, "--json").stdout)
    assert verdict["ok"], verdict
    parts = station.files()
    assert assert_every_trigger_once(parts) == list(range(triggers))
    ledger_closes(parts[-1])
    # A board that reboots forgets what nobody has read yet: more are made than come.
    known = served(folder, station, 200 + 2 * max(triggers, struck.get("triggers_served", 0)))
    seen, newest = 0, -1
    for path in parts:
        with h5py.File(path) as part:
            rows = part[f"raw/{BOARD.name}"]
            flags = rows["flags"][()]
            names = rows["flags"].attrs["bits"].split(",")
            damaged = sum(1 << names.index(name) for name in ("missing_channel", "unexpected_length"))
            for i, samples in enumerate(rows["samples"]):
                if flags[i] & damaged:
                    continue
                place = known.get(samples.tobytes())  # one of those served, bit for bit
                assert place is not None, f"row {i} of {path} is none of those served"
                assert place > newest, (place, newest)
                seen, newest = seen + 1, place
            counters = {name: int(values[()][-1]) for name, values in part["counters"].items() if BOARD.name in name}
    assert seen > 0.95 * triggers, seen
    for fault, where in BOARD.seen.items():
        assert struck.get(fault, 0) > 0, (fault, struck)
        found = [counters.get(f"{stage}.{BOARD.name}.{name}", 0) for name in where for stage in ("readout", "builder")]
        assert any(found), (fault, struck, counters)


def check_every_fault(folder):
    """With every fault, at the rate of the beam: every untouched trigger is that of its place, all are accounted for"""
    run_through(folder, 60, 9_000 if MINUTES else 1_200)


def check_as_fast_as_possible(folder):
    """The same as fast as the daemon takes it"""
    run_through(folder, 0, 9_000)


main(globals(), [name for name in sys.argv[5:] if name != "--minutes"] or ([] if MINUTES else ["check_every_fault"]))
