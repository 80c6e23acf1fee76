"""Closed parts are moved away: nothing is deleted that is not verified elsewhere, and what goes wrong is named and mended."""
import hashlib
import json
import resource
import sqlite3
import subprocess
import time

from support import ALLEYCAT, Process, Skipped, Station, alleycat, main, refused, wait_for


def make_station(folder, seconds=4, **keys):
    """A run of several small parts, closed, and where they are to go."""
    destination = folder / "elsewhere"
    destination.mkdir()
    station = Station(folder, pacing='"fast"', part_size_mb=3)
    alleycat("run", "--config", station.path, "--seconds", seconds)
    archive = {"destination": f'"{destination}"', **keys}
    with station.path.open("a") as file:
        file.write("\n[archive]\n" + "".join(f"{key} = {value}\n" for key, value in archive.items()))
    parts = station.files()
    assert len(parts) >= 2, parts
    return station, destination, parts


def rows(station, query):
    with sqlite3.connect(f"file:{station.folder}/catalogue.sqlite?mode=ro", uri=True) as catalogue:
        return catalogue.execute(query).fetchall()


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def assert_all_there(station, destination, parts):
    """The copies are the parts, by our own digest and the catalogue's, and with them is the catalogue."""
    expected = digests(parts)
    assert digests(destination.glob("run_*")) == expected, list(destination.iterdir())
    assert digests(destination.glob("catalogue*")) == digests(station.folder.glob("catalogue*"))
    assert dict(rows(station, "SELECT part, sha256 FROM copies WHERE state = 'verified'")) == expected


def check_copies(folder):
    """Every closed part is copied once, byte for byte, and stands in the catalogue; a second round does nothing"""
    station, destination, parts = make_station(folder)
    done = alleycat("archive", "--config", station.path, "--once")
    assert done.stdout == f"{len(parts)} copied and verified, 0 hooks run, 0 deleted here\n", done.stdout
    assert_all_there(station, destination, parts)
    before = {path: path.stat().st_mtime_ns for path in destination.iterdir()}
    assert alleycat("archive", "--config", station.path, "--once").stdout.startswith("0 copied")
    assert {path: path.stat().st_mtime_ns for path in destination.iterdir()} == before
    assert station.files() == parts
    alleycat("verify", station.folder)
    alleycat("verify", destination / parts[0].name)


def check_wrong_bytes(folder):
    """A file of that name with a wrong byte is not taken for the copy; a part that has changed is not copied: nothing is deleted"""
    station, destination, parts = make_station(folder, keep_free_mb=100_000_000)
    wrong = bytearray(parts[0].read_bytes())
    wrong[len(wrong) // 2] ^= 1
    (destination / parts[0].name).write_bytes(wrong)
    whole = parts[1].read_bytes()
    changed = bytearray(whole)
    changed[-100] ^= 1
    parts[1].write_bytes(changed)
    done = alleycat("archive", "--config", station.path, "--once", status=1)
    assert f"{destination / parts[0].name}: exists already, is something else" in done.stderr, done.stderr
    assert f"{parts[1].name}.new: is not what the part was" in done.stderr, done.stderr
    assert parts[0].exists() and parts[1].exists(), "deleted without a verified copy"
    assert not list(destination.glob("*.new")) and not (destination / parts[1].name).exists()
    copied = {name for name, in rows(station, "SELECT part FROM copies")}
    assert copied == {part.name for part in parts[2:]}, copied
    # Mended.
    (destination / parts[0].name).unlink()
    parts[1].write_bytes(whole)
    expected = digests(parts[:2])
    alleycat("archive", "--config", station.path, "--once", status=1)  # there is never room enough: all goes
    assert not station.files()
    assert {name: digest for name, digest in digests(destination.glob("run_*")).items() if name in expected} == expected
    assert rows(station, "SELECT count(*), min(state), max(state) FROM copies") == [(len(parts), "moved", "moved")]


def check_killed_in_the_middle(folder):
    """Killed while it copies: no row, no name; the next round takes what was left away and copies anew"""
    station, destination, parts = make_station(folder)
    limit = 1_000_000  # the system ends it by a signal when it writes the first byte behind
    killed = subprocess.run([str(ALLEYCAT), "archive", "--config", str(station.path), "--once"], capture_output=True,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert killed.returncode < 0, killed
    assert [path.name for path in destination.iterdir()] == [f"{parts[0].name}.new"]
    assert not rows(station, "SELECT * FROM copies")
    alleycat("archive", "--config", station.path, "--once")
    assert_all_there(station, destination, parts)
    # And between the name and its row.
    with sqlite3.connect(station.folder / "catalogue.sqlite") as catalogue:
        catalogue.execute("DELETE FROM copies WHERE part = ?", (parts[0].name,))
    alleycat("archive", "--config", station.path, "--once")
    assert_all_there(station, destination, parts)


def check_comments_follow(folder):
    """What is said after the run's end is there after the next round: info and verify say it at the second place too"""
    station, destination, parts = make_station(folder)
    alleycat("archive", "--config", station.path, "--once")
    catalogue = station.folder / "catalogue.sqlite"
    said = (1, 1_700_000_000_000_000_000, "ann", "tainted", "cart parked under the hall")
    with sqlite3.connect(catalogue) as db:
        db.execute("INSERT INTO comments VALUES (?,?,?,?,?)", said)
    alleycat("archive", "--config", station.path, "--once")
    with sqlite3.connect(f"file:{destination}/catalogue.sqlite?mode=ro", uri=True) as db:
        assert db.execute("SELECT * FROM comments").fetchall() == [said]
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert digests([destination / catalogue.name]) == digests([catalogue])
    alleycat("verify", destination)
    comments = json.loads(alleycat("info", "--json", destination / parts[0].name).stdout)["files"][0]["comments"]
    assert [(c["author"], c["text"]) for c in comments] == [said[2::2]], comments
    # Made anew from the files it lacks what was said: the one that knows it is kept.
    catalogue.unlink()
    alleycat("verify", "--catalogue", station.folder)
    done = alleycat("archive", "--config", station.path, "--once", status=1)
    assert "what ann said of run 1" in done.stderr and "is not replaced" in done.stderr, done.stderr
    with sqlite3.connect(f"file:{destination}/catalogue.sqlite?mode=ro", uri=True) as db:
        assert db.execute("SELECT * FROM comments").fetchall() == [said]


def check_what_is_where(folder):
    """--check says what is here, verified elsewhere, deleted and left to do, and changes nothing"""
    station, destination, parts = make_station(folder)

    def look(status=0):
        before = digests(station.folder.iterdir()), sorted(destination.iterdir())
        said = json.loads(alleycat("archive", "--config", station.path, "--check", "--json", status=status).stdout)
        assert (digests(station.folder.iterdir()), sorted(destination.iterdir())) == before
        return said

    def numbers(said):
        return tuple(said[key] for key in ("here", "verified", "deleted_here", "to_be_copied", "hooks_to_be_run"))

    n = len(parts)
    assert numbers(look()) == (n, 0, 0, n, 0)
    alleycat("archive", "--config", station.path, "--once")
    said = look()
    assert numbers(said) == (n, n, 0, 0, 0) and not said["problems"]
    assert [part["file"] for part in said["parts"]] == [part.name for part in parts]
    text = alleycat("archive", "--config", station.path, "--check").stdout
    assert f"{parts[0].name}: " in text and f"here, verified in {destination} at 20" in text, text
    assert f"{n} parts: {n} here, {n} verified elsewhere (0 of them deleted here), 0 to be copied" in text, text
    station.path.write_text(station.path.read_text() + "keep_free_mb = 100_000_000\n")
    alleycat("archive", "--config", station.path, "--once", status=1)  # there is never room enough: all goes
    assert numbers(look()) == (0, n, n, 0, 0)
    (destination / parts[0].name).unlink()
    said = look(status=1)
    assert numbers(said) == (0, n - 1, n - 1, 0, 0)
    assert said["problems"] == [f"{destination / parts[0].name}: was verified there and is not any more"]
    refused("archive", "--config", station.path, "--check", "--once", status=2, names="--check")


def check_target(folder):
    """The target is absent, full, read-only: each is named, nothing is deleted; then there is room, and all goes well"""
    station, destination, parts = make_station(folder, keep_free_mb=100_000_000)
    destination.rmdir()
    refused("archive", "--config", station.path, "--once", status=1, names=[str(destination), "no such folder"])
    destination.mkdir()

    def mount(*options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", destination], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skipped(f"SKIPPED: no permission to mount a small tmpfs: {done.stderr.strip()}")

    mount(f"size={min(part.stat().st_size for part in parts) // 2}")  # not even the last one, which is short, fits
    try:
        done = alleycat("archive", "--config", station.path, "--once", status=1)
        assert str(destination) in done.stderr and "are free" in done.stderr and station.files() == parts, done.stderr
        assert not list(destination.glob("run_*"))
        subprocess.run(["mount", "-o", "remount,ro", destination], check=True)
        subprocess.run(["mount", "-o", f"remount,ro,size={4 * sum(part.stat().st_size for part in parts)}", destination], check=True)
        done = alleycat("archive", "--config", station.path, "--once", status=1)
        assert "Read-only" in done.stderr and station.files() == parts, done.stderr
        subprocess.run(["mount", "-o", "remount,rw", destination], check=True)
        alleycat("archive", "--config", station.path, "--once", status=1)  # the disk still has less free than was asked for
        assert not station.files() and len(list(destination.glob("run_*"))) == len(parts)
    finally:
        subprocess.run(["umount", destination], check=True)


def check_hook(folder):
    """The hook gets each part's path, no shell between; one that fails or hangs is named and run again, and nothing is deleted before"""
    log, broken = folder / "log", folder / "broken"
    hook = folder / "hook; touch oops"
    hook.write_text(f'#!/bin/sh\n[ -e "{broken}" ] && {{ sleep "$(cat "{broken}")"; exit 3; }}\necho "$1 $2" >> "{log}"\n')
    hook.chmod(0o755)
    station, destination, parts = make_station(folder, hook=f'["{hook}", "it\'s $HOME"]', keep_free_mb=100_000_000, hook_timeout_s=1)
    for how, says in (("0", "left with status 3"), ("1000", "did not end within 1 s")):
        broken.write_text(how)
        done = alleycat("archive", "--config", station.path, "--once", status=1)
        for part in parts:
            assert f"{part.name}: the hook '{hook} it's $HOME' {says}" in done.stderr, done.stderr
        assert station.files() == parts and not log.exists()
    assert_all_there(station, destination, parts)  # copies do not wait for the hook
    broken.unlink()
    alleycat("archive", "--config", station.path, "--once", status=1)
    assert log.read_text().splitlines() == [f"it's $HOME {part}" for part in parts], log.read_text()
    assert not station.files()
    assert not (folder / "oops").exists()
    refused("archive", "--config", station.path, "--once", status=1, names="are free")
    assert len(log.read_text().splitlines()) == len(parts)


def check_copy_that_went(folder):
    """A copy that was verified and is gone: the part here stays"""
    station, destination, parts = make_station(folder)
    alleycat("archive", "--config", station.path, "--once")
    (destination / parts[0].name).unlink()
    station.path.write_text(station.path.read_text() + "keep_free_mb = 100_000_000\n")
    done = alleycat("archive", "--config", station.path, "--once", status=1)
    assert f"{destination / parts[0].name}: was verified there and is not any more" in done.stderr, done.stderr
    assert station.files() == parts[:1]
    # What was moved is not missing; what is nowhere is.
    said = alleycat("verify", station.folder).stdout
    assert all(f"{part.name} was moved to {destination}" in said for part in parts[1:]), said
    with sqlite3.connect(station.folder / "catalogue.sqlite") as catalogue:
        catalogue.execute("DELETE FROM copies WHERE part = ?", (parts[-1].name,))
    assert f"{parts[-1].name} is in the catalogue and not in the folder" in alleycat("verify", station.folder, status=1).stdout


def check_beside_a_run(folder):
    """It runs beside the writer, takes parts as they are closed, is alone, and ends by a signal; a hanging hook does not hold it"""
    station, destination, parts = make_station(folder, hook='["sleep", "1000"]', look_every_s=1)
    with Process("archive", "--config", station.path) as archive:
        wait_for("all copies but for the hook", lambda: (destination / parts[0].name).exists())
        refused("archive", "--config", station.path, "--once", status=1, names="another archive")
        begin = time.monotonic()
        archive.end()
        assert time.monotonic() - begin < 60
    station.path.write_text(station.path.read_text().replace('hook = ["sleep", "1000"]\n', ""))
    with Process("archive", "--config", station.path) as archive:
        alleycat("run", "--config", station.path, "--seconds", 2)
        new = sorted(set(station.files()) - set(parts))
        assert new
        wait_for("the new parts", lambda: rows(station, f"SELECT * FROM copies WHERE part = '{new[-1].name}'"))
        wait_for("the catalogue", lambda: digests(destination.glob("catalogue.sqlite")) == digests([station.folder / "catalogue.sqlite"]))
        archive.end()
    assert_all_there(station, destination, station.files())


main(globals())
