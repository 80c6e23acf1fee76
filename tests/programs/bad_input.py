"""Whatever is wrong, the program says so in a line that names it and ends with the right status: 0, 1 or 2."""
import json
import re
import resource
import signal
import socket
import subprocess

import h5py

from support import ALLEYCAT, CONFIG, PATIENCE_S, SOURCE, Process, Station, alleycat, free_ports, main, real, refused

BGO, HPGE, CSI, MINUTES = (CONFIG / f"{name}.toml" for name in ("bgo-coincidence", "hpge", "csi", "csi-labview"))
COMMANDS = {  # every command and every option its help has to mention
    "run": ["--config", "--folder", "--seconds", "--rate-boost", "--test"],
    "daq": ["--config", "--folder", "--test"],
    "write": ["--config", "--folder"],
    "archive": ["--config", "--folder", "--once", "--check", "--json"],
    "replay": ["INPUT", "--config", "--output", "--jobs", "--kernels", "--paced", "--recalibrate"],
    "simulate": ["--config", "--output", "--triggers", "--seed", "--rate-boost", "--format"],
    "emulate": ["kind", "--config", "--board", "--input", "--port", "--rate", "--first-trigger", "--triggers", "--faults", "--seed", "--first-clock",
                "--drift-ppm"],
    "check": ["STATION", "--connect"],
    "info": ["FILE", "--json"],
    "verify": ["FILE", "--repair", "--catalogue", "--json"],
    "control": ["COMMAND", "TEXT", "--reason", "--author", "--test", "--connect", "--config", "--json"],
    "excess": ["--on", "--off", "--alpha", "--json"],
    "keygen": ["FILE"],
}


def simulated(folder, triggers=30):
    output = folder / "simulated.h5"
    alleycat("simulate", "--config", CSI, "--output", output, "--triggers", triggers, "--seed", 5)
    return output


def cut(source, target, size):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes()[:size])
    return target


def no_file_above(limit):
    """For a child before it begins: writing beyond this many bytes fails, as on a full disk"""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def check_help(_):
    """--help of every command: status 0, every option; no command is missing here"""
    listed = re.findall(r"(?m)^  (\w+) ", alleycat("--help").stdout.split("Subcommands:")[1])
    assert sorted(set(listed) & set(COMMANDS)) == sorted(COMMANDS), listed
    for command, options in COMMANDS.items():
        text = alleycat(command, "--help").stdout
        for option in options:
            assert option in text, f"{command} --help: no {option}"
        for option in re.findall(r"(?<![\w-])--[\w-]+", text):
            known = [*options, "--help", "--log", "--version"]
            assert option in known, f"{command} --help has {option}, this test does not"
    assert alleycat("--version").stdout.startswith("alleycat ")


def check_command_line(folder):
    """Wrong command lines: status 2, a line that names the word"""
    refused(status=2, names="command")
    refused("frobnicate", status=2, names="frobnicate")
    refused("run", status=2, names="--config")
    refused("run", "--config", CSI, "--seconds", "-1", status=2, names="--seconds")
    refused("run", "--config", CSI, "--second", "1", status=2, names="--second")
    refused("replay", "--config", CSI, status=2, names="INPUT")
    refused("replay", folder, "--config", CSI, "--jobs", "0", status=2, names="--jobs")
    refused("simulate", "--config", CSI, "--output", "x", "--triggers", "0", "--seed", "1", status=2, names="--triggers")
    refused("simulate", "--config", CSI, "--output", "x", "--triggers", "1", status=2, names="--seed")
    refused("simulate", "--config", CSI, "--output", "x", "--triggers", "1", "--seed", "1", "--format", "root", status=2, names="--format")
    refused("info", status=2, names="FILE")
    refused("control", "explode", status=2, names="explode")
    refused("control", "status", "--connect", "nowhere", status=2, names="nowhere")
    refused("control", "comment", status=2, names="the comment is empty")
    refused("control", "comment", "two\nlines", status=2, names="one line")
    refused("control", "comment", "x", "--author", "", status=2, names="author")
    refused("control", "comment", "x", "--test", status=2, names=["--test", "start"])
    refused("control", "stop", "now", status=2, names="now")
    refused("control", "mark", "fine", "--reason", "x", status=2, names="fine")
    refused("control", "mark", "tainted", status=2, names="the reason is empty")
    refused("archive", "--config", CSI, status=2, names="neither a destination nor a hook")
    refused("excess", "--on", "3", "--off", "-1", "--alpha", "1", status=2, names="--off")
    for alpha in ("0", "-1", "nan", "inf", "one"):
        refused("excess", "--on", "3", "--off", "1", "--alpha", alpha, status=2, names=["--alpha", alpha])
    for number in ("0", "nan", "-inf", "1e300"):
        refused("run", "--config", CSI, "--seconds", number, status=2, names=["--seconds", number])
        refused("simulate", "--config", CSI, "--output", "x", "--triggers", "1", "--seed", "1", "--rate-boost", number, status=2,
                names=["--rate-boost", number])
    refused("simulate", "--config", CSI, "--output", "x", "--triggers", "1", "--seed", "-1", status=2, names=["--seed", "-1"])
    refused("--log", "loud", "excess", "--on", "1", "--off", "1", "--alpha", "1", status=2, names="loud")


def check_station_file(folder):
    """A station file that is absent, a folder, empty, endless, a recording: status 2"""
    empty = folder / "empty.toml"
    empty.touch()
    for path, why in ((folder / "absent.toml", "no such file"), (folder, "folder"), (empty, "empty"), ("/dev/zero", "too long"),
                      (simulated(folder), "too long"), (SOURCE / "LICENSE", "not TOML")):
        for arguments in (["check", path], ["run", "--seconds", "1", "--config", path], ["replay", folder, "--config", path]):
            done = alleycat(*arguments, status=2)
            assert len(done.stderr.splitlines()) == 1 and str(path) in done.stderr and why in done.stderr, done.stderr


def check_bad_stations(_):
    """config/bad: each wrong station file is told exactly what its first lines say, by line and column"""
    paths = sorted((CONFIG / "bad").glob("*.toml"))
    assert len(paths) > 30
    for path in paths:
        said = re.findall(r"(?m)^#   (.*)$", path.read_text().split("\n\n")[0])
        assert said, path
        found = alleycat("check", path, status=2).stderr.splitlines()
        # "..." at the end: a list of names that grows.
        matches = len(found) == len(said) and all(
            line == f"{path}:{expected}" or expected.endswith("...") and line.startswith(f"{path}:{expected[:-3]}")
            for line, expected in zip(found, said))
        assert matches, f"{path.name}: expected\n{said}\nfound\n{found}"
    ten = alleycat("run", "--seconds", "1", "--config", CONFIG / "bad" / "ten-mistakes.toml", status=2).stderr.splitlines()
    assert len(ten) == 10, ten


def check_shipped_stations(_):
    """Every station file as shipped is free of problems"""
    paths = sorted(CONFIG.glob("*.toml"))
    assert len(paths) >= 4
    for path in paths:
        assert "no problem found" in alleycat("check", path).stdout


def check_keys_are_documented(_):
    """Every key that the program asks for stands in config/README.md, those of the simulator in the stations with their ranges"""
    documented = (CONFIG / "README.md").read_text()
    stations = [path.read_text() for path in CONFIG.glob("*.toml")]
    simulator = {key for text in stations if "[simulator]" in text
                 for key in re.findall(r"(?m)^(?:# )?(\w+) = .*#", text.split("[simulator]")[1].split("[builder]")[0])}
    sources = [path for folder in ("daq", "readout", "trigger", "monitor") for path in sorted((SOURCE / folder).rglob("*.cpp"))]
    # Readers of files count defects by names, too: those are no keys.
    asked = re.compile(r"(?<!log\.)(?<!log_\.)\b(?:required_)?(?:number|integer|boolean|text|short_text|text_list|number_list|name|choice|samples|count|power_of_two_mb|"
                       r"parse_channel_ref|section|sections)\((?:\w+, )?\"([a-z0-9_]+)\"")
    keys = set()
    assert len(simulator) > 50, simulator
    for path in sources:
        text = path.read_text()
        if "ConfigSection" in text:
            keys |= set(asked.findall(text)) | set(re.findall(r"(?m)^    \{\"(\w+)\", &\w+Config::", text))
    for name, unit in (("charge", "pe"), ("arrival", "ns")):  # parse_binning composes them
        keys |= {f"{name}_{what}_{unit}" for what in ("min", "max", "bin")}
    keys |= {f"against_{what}" for what in ("min", "max", "bin")}
    assert len(keys) > 100, sorted(keys)
    absent = sorted(key for key in keys - simulator if not re.search(rf"`{key}`|\[{key}|\.{key}\]", documented))
    assert not absent, f"not in config/README.md: {absent}"


def check_torn_minute(folder):
    """A LabVIEW minute torn in the middle: the whole triggers before the tear are used, the tear is named, status 0"""
    whole = real("labview/Run-15-10-02-12-00-00/151002/120000.zip")
    torn = cut(whole, folder / "151002" / "120000.zip", whole.stat().st_size // 2)
    done = alleycat("replay", torn, "--config", MINUTES, "--output", folder / "torn.h5")
    assert "120000.zip" in done.stderr and "torn" in done.stderr
    alleycat("replay", whole, "--config", MINUTES, "--output", folder / "whole.h5")
    with h5py.File(folder / "torn.h5") as part, h5py.File(folder / "whole.h5") as all_of_it:
        count = len(part["triggers/sequence"])
        assert 10 < count < 40, count
        for column in ("raw/pci5153/samples", "windows/coincident/charge_adc"):
            assert (part[column][()] == all_of_it[column][:count]).all(), column


def check_torn_wavedump(folder):
    """A WaveDump file that ends inside an event: the whole events before are used, the end is named, status 0"""
    source = real("wavedump/HPGe_DT5720_wave0.dat")
    torn = cut(source, folder / "wave0.dat", 3 * (24 + 20000) + 5000)
    done = alleycat("replay", torn, "--config", HPGE, "--output", folder / "torn.h5")
    assert "wave0.dat" in done.stderr and "3 whole" in done.stderr, done.stderr
    with h5py.File(folder / "torn.h5") as file:
        assert file["raw/dt5720/samples"].shape == (3, 1, 10000)


def check_torn_hdf5(folder):
    """A file cut in half is refused, by replay, info and verify, with one line: nothing of it is returned"""
    source = simulated(folder)
    for share in (0.02, 0.5, 0.999):
        torn = cut(source, folder / "torn.h5", int(source.stat().st_size * share))
        refused("replay", torn, "--config", CSI, "--output", folder / "out.h5", status=1, names=["torn.h5", "cut short"])
        refused("info", torn, status=1, names=["torn.h5", "cut short"])
        refused("verify", torn, status=1, names="torn.h5")
        assert not (folder / "out.h5").exists()


def check_damaged_hdf5(folder):
    """A file with one byte of its samples changed: verify finds it; replay takes what is before it, fails, and its file says why"""
    source = simulated(folder)
    damaged = folder / "damaged.h5"
    with h5py.File(source) as file:
        samples = file["raw/pci5153/samples"]
        chunk = samples.id.get_chunk_info(1)  # the second: there are triggers before it
        first = chunk.chunk_offset[0]
        end = min(first + samples.chunks[0], len(samples)) - 1
    assert 0 < first < end
    data = bytearray(source.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0x10
    damaged.write_bytes(data)
    refused("verify", damaged, status=1, names="damaged.h5")
    for jobs, out in ((1, folder / "out1.h5"), (2, folder / "out2.h5")):
        done = alleycat("replay", damaged, "--config", CSI, "--output", out, "--jobs", jobs, status=1)
        last = done.stderr.splitlines()[-1]
        assert last == f"alleycat: {damaged}: cannot read rows {first} to {end} of /raw/pci5153/samples: data error detected by Fletcher32 checksum", last
        with h5py.File(out) as file:
            assert file["summary"].attrs["clean"] == 0 and "damaged.h5" in file["summary"].attrs["end_reason"]
            assert len(file["triggers/sequence"]) == first  # what stands before it


def check_foreign_files(folder):
    """Empty, absent, a folder, a device, a picture, a text, noise: replay, info and verify refuse each by name, status 1"""
    (folder / "empty.h5").touch()
    (folder / "empty.dat").touch()
    (folder / "nothing").mkdir()
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20)
    (folder / "noise.BIN").write_bytes(bytes((i * 7919 >> 3) & 255 for i in range(5000)))
    (folder / "signature.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (folder / "zip.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with h5py.File(folder / "other.h5", "w") as file:
        file["samples"] = [1, 2, 3]
    inputs = [folder / name for name in ("empty.h5", "empty.dat", "nothing", "picture.png", "noise.BIN", "signature.h5", "zip.zip",
                                         "other.h5", "absent")]
    for path in [*inputs, "/dev/null", SOURCE / "README.md", CSI]:
        refused("replay", path, "--config", MINUTES, status=1, names=str(path))
        refused("info", path, status=1, names=str(path))
        refused("verify", path, status=1, names=str(path))


def check_wrong_station(folder):
    """Inputs of another station, or of two kinds: refused with the names of both, status 1 or 2"""
    own = simulated(folder)
    recorded = real("wavedump/HPGe_DT5720_wave0.dat")
    bgo = [real(f"wavedump/SiPM_BGO_coinc_DT5751_wave{channel}.dat") for channel in (0, 1)]
    minute = real("labview/Run-15-10-02-12-00-00")

    for inputs, config, name in (([own], HPGE, "pci5153"), ([own], BGO, "pci5153"), ([recorded], CSI, "channel"), (bgo, HPGE, "channel"),
                                 ([minute], HPGE, "channel"), ([recorded], MINUTES, "channel"), ([own, recorded], CSI, "together"),
                                 ([minute, recorded], MINUTES, "together"), ([own, own], CSI, "simulated.h5"), ([recorded, recorded], HPGE, "twice")):
        refused("replay", *inputs, "--config", config, "--output", folder / "out.h5", status=(1, 2), names=name)
        assert not list(folder.glob("out.h5*"))


def check_wrong_sample_type(folder):
    """A station file with another sample type, period or channel than the recording: refused by name, status 1"""
    own = simulated(folder, 3)
    changed = folder / "changed.toml"
    for names, replacements in ((["sample type", "int16", "int8"], [('sample_type = "int8"', 'sample_type = "int16"'), ('codes = ', '# codes = ')]),
                                (["sample period", "1000", "2000"], [("sample_period_ps = 2000 ", "sample_period_ps = 1000 "), ("samples = 35000", "samples = 70000")]),
                                (["channel", "nai", "csi"], [('name = "csi"', 'name = "nai"'), ('signal = "csi"', 'signal = "nai"')])):
        text = CSI.read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        changed.write_text(text)
        refused("replay", own, "--config", changed, status=1, names=names)


def check_nothing_is_overwritten(folder):
    """An output that exists, is a folder, or has no folder to stand in: refused, and what was there is untouched"""
    there = simulated(folder)
    before = there.read_bytes()
    refused("simulate", "--config", CSI, "--output", there, "--triggers", 2, "--seed", 1, status=1, names=["simulated.h5", "exists"])
    refused("replay", there, "--config", CSI, "--output", there, status=1, names=["simulated.h5", "exists"])
    refused("replay", there, "--config", CSI, "--output", folder, status=1, names=[str(folder), "exists"])
    refused("replay", there, "--config", CSI, "--output", folder / "no" / "such.h5", status=1, names="such.h5")
    refused("simulate", "--config", CSI, "--output", there, "--triggers", 2, "--seed", 1, "--format", "labview", status=1, names="simulated.h5")
    assert there.read_bytes() == before


def check_control_without_daemon(_):
    """control without a daemon: one line with the endpoint, status 1, for every command"""
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    refused("control", "stop", "--connect", endpoint, status=1, names=endpoint)


def check_port_in_use(folder):
    """run and daq on a port that somebody has: one line with the endpoint, status 1"""
    station = Station(folder, pacing='"fast"')
    for command, endpoint in (("run", station.control), ("run", station.monitor), ("daq", station.data)):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
            taken.listen()
            refused(command, "--config", station.path, *(["--seconds", 1] if command == "run" else []), status=1, names=endpoint)


def check_replay_only_station(folder):
    """run with a station of recorded files says to replay them, simulate too"""
    recorded = folder / "recorded.toml"
    data, monitor, control = free_ports(3)
    recorded.write_text(MINUTES.read_text() + "".join(f'\n[{name}]\nendpoint = "tcp://127.0.0.1:{port}"\n' for name, port in
                                                      (("data", data), ("monitor_stream", monitor), ("control", control))))
    refused("run", "--config", recorded, "--folder", folder, "--seconds", 1, status=1, names=["pci5153", "replay"])
    refused("simulate", "--config", HPGE, "--output", folder / "x.h5", "--triggers", 1, "--seed", 1, status=1, names=["dt5720", "simulate"])


def check_folder_in_use(folder):
    """A second run into the same folder is refused while the first goes on"""
    first = Station(folder)
    with Process("run", "--config", first.path) as process:
        first.wait("the first run", lambda status: status["ledger"]["recorded"] > 0)
        (folder / "second").mkdir()
        second = Station(folder / "second", folder=f'"{first.folder}"')
        refused("run", "--config", second.path, "--seconds", 1, status=1, names=str(first.folder))
        process.end()


def check_full_output(folder):
    """stdout on a full device: what was asked for did not come out, status 1"""
    own = simulated(folder, 3)
    with open("/dev/full", "w") as full:
        done = subprocess.run([ALLEYCAT, "info", own], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and "standard output" in done.stderr, done


def check_full_disk(folder):
    """A file that cannot grow any further, at its beginning, in its samples or at its end: one line says so, status 1"""
    own = simulated(folder)
    size = own.stat().st_size
    for i, limit in enumerate((0, 100_000, size // 2, size - 20_000)):
        out = folder / f"out{i}.h5"
        done = subprocess.run([ALLEYCAT, "--log", "off", "replay", own, "--config", CSI, "--output", out], stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S, preexec_fn=lambda: no_file_above(limit))
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and len(lines) == 1, (limit, done.returncode, done.stderr)
        assert lines[0].startswith("alleycat: ") and lines[0].endswith("File too large"), lines[0]
        assert not out.exists()


def check_json(folder):
    """--json prints one object on stdout, also for what is not whole"""
    own = simulated(folder, 3)
    assert json.loads(alleycat("info", own, "--json").stdout)["triggers"] == 3
    assert json.loads(alleycat("verify", own, "--json").stdout)["ok"] is True
    torn = cut(own, folder / "torn.h5", 5000)
    assert json.loads(alleycat("verify", torn, "--json", status=1).stdout)["ok"] is False


main(globals())
