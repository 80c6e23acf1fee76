"""Files that were damaged in every way a seed finds: verify, info and replay never crash or hang, and verify never says "whole" of
a file in which h5py sees anything else than in the original.

More options behind the usual three arguments: --rounds N, --seed S. ALLEYCAT_UNDER_TEST in the environment names another build of
the program to be tested (one with AddressSanitizer); the files are made by the one given as argument.
"""
import argparse
import hashlib
import os
import pathlib
import random
import resource
import subprocess
import sys

import h5py
import numpy as np

import support
from support import CONFIG, alleycat, main

PATIENCE_S = 120  # of one program on one file, under a sanitizer on a busy machine
UNDER_TEST = pathlib.Path(os.environ.get("ALLEYCAT_UNDER_TEST", support.ALLEYCAT)).resolve()
CRASHES = ("AddressSanitizer", "LeakSanitizer", "runtime error", "terminate called", "HDF5-DIAG", "what():", "bad_alloc")


def content(path):
    """What digest_of() says, asked in a process of its own: HDF5 may die of the file; None then."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, (digest_of(path) or "").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said or None


def digest_of(path):
    """All that h5py sees: every name, type, shape, attribute and value; None when it cannot read all of it."""
    digest = hashlib.sha256()

    def add(*parts):
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode()
            digest.update(len(data).to_bytes(8, "little") + data)

    def plain(value):
        return value.tobytes() if isinstance(value, (np.ndarray, np.generic)) else value if isinstance(value, bytes) else str(value)

    def walk(group, path):
        for name in sorted(group.attrs):
            add("attribute", path, name, getattr(group.attrs[name], "dtype", "text"), np.shape(group.attrs[name]), plain(group.attrs[name]))
        if isinstance(group, h5py.Dataset):
            add("dataset", path, group.dtype, group.shape, plain(group[()]))
            return
        for name in sorted(group):
            walk(group[name], f"{path}/{name}")

    try:
        with h5py.File(path, "r") as file:
            walk(file, "")
    except Exception:  # whatever h5py has to say of a damaged file: it does not see the original
        return None
    return digest.hexdigest()


def flip_bits(data, rng):
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return "bits flipped"


def flip_metadata(data, rng):
    """Where HDF5 keeps its trees, headers and heaps: most of a file is samples, which every flip in them is seen in."""
    marks = [at for mark in (b"TREE", b"SNOD", b"HEAP", b"GCOL", b"\x01\x00", b"\x89HDF") for at in find_all(data, mark)]
    at = min(len(data) - 1, rng.choice(marks) + rng.randrange(64))
    data[at] ^= 1 << rng.randrange(8)
    return f"a bit of HDF5's own bytes flipped at {at}"


def find_all(data, mark):
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def overwrite(data, rng):
    at, n = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 64, 4096))
    data[at:at + n] = bytes(rng.randrange(256) for _ in data[at:at + n])
    return f"{n} bytes at {at} overwritten"


def cut(data, rng):
    del data[rng.randrange(len(data)):]
    return f"cut to {len(data)} bytes"


def zero_tail(data, rng):
    at = rng.randrange(len(data))
    data[at:] = bytes(len(data) - at)
    return f"zeros from {at} on"


def zero_pages(data, rng):
    for _ in range(rng.choice((1, 1, 3))):
        at = rng.randrange(len(data) // 4096 + 1) * 4096
        data[at:at + 4096] = bytes(len(data[at:at + 4096]))
    return "pages zeroed"


def swap_blocks(data, rng):
    n = rng.choice((8, 512, 4096))
    a, b = (rng.randrange(max(1, len(data) // n - 1)) * n for _ in range(2))
    data[a:a + n], data[b:b + n] = data[b:b + n], data[a:a + n]
    return f"{n} bytes at {a} and {b} swapped"


def append(data, rng):
    data += bytes(rng.randrange(1, 4096))
    return "zeros appended"


MUTATIONS = (flip_bits, flip_metadata, flip_metadata, overwrite, cut, zero_tail, zero_pages, swap_blocks, append)


def run(*arguments):
    """Exit status of the program under test; anything but an orderly end fails."""
    command = [str(UNDER_TEST), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          env={**os.environ, "ALLEYCAT_LOG": "off", "ASAN_OPTIONS": "allocator_may_return_null=0:detect_leaks=0"})
    said = f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    assert done.returncode in (0, 1), said
    for crash in CRASHES:
        assert crash not in done.stderr, said
    return done.returncode


def station(folder, compression):
    path = folder / f"{compression}.toml"
    text = (CONFIG / "csi.toml").read_text()
    assert text.count('compression = "') == 1
    start, _, rest = text.partition('compression = "')
    path.write_text(start + f'compression = "{compression}"' + rest[rest.index('"') + 1:])
    return path


def make_originals(folder):
    """Small files of each compression, and a folder of a run in parts, with their content as h5py sees it."""
    originals = []
    for compression in ("none", "deflate", "blosc"):
        config, path = station(folder, compression), folder / f"original_{compression}.h5"
        alleycat("simulate", "--config", config, "--output", path, "--triggers", 40, "--seed", 3)
        alleycat("verify", path)
        originals.append((path, config, content(path)))
        assert originals[-1][2]
    return originals


def for_each_mutation(folder, rounds, label, check):
    """check(path, original, data) of so many damaged files; what it raises says which one that was."""
    originals = make_originals(folder)
    path = folder / "mutated.h5"
    for round_ in range(rounds):
        rng = random.Random(f"{OPTIONS.seed} {label}{round_}")
        original = originals[rng.randrange(len(originals))]
        data = bytearray(original[0].read_bytes())
        mutation = rng.choice(MUTATIONS)(data, rng)
        path.write_bytes(data)
        try:
            check(path, original, data)
        except Exception as e:
            raise AssertionError(f"round {round_} of seed {OPTIONS.seed}: {original[0].name}, {mutation}: {e}") from e
        for left in [*folder.glob("mutated.h5*"), *folder.glob("out.h5*")]:
            left.unlink()


def check_mutated_files(folder):
    """Damaged files: no crash, no hang, and "whole" only of what h5py sees as the original"""
    counts = {"whole": 0, "not whole": 0, "info": 0, "replay": 0}

    def look(path, original, _):
        _, config, expected = original
        whole = run("verify", path) == 0
        assert not whole or content(path) == expected, "verify says whole, h5py sees something else"
        counts["whole" if whole else "not whole"] += 1
        counts["info"] += run("info", path) == 0
        counts["replay"] += run("replay", path, "--config", config, "--output", folder / "out.h5") == 0

    for_each_mutation(folder, OPTIONS.rounds, "", look)
    print(f"{OPTIONS.rounds} files: verify called {counts['whole']} whole and {counts['not whole']} not; info read {counts['info']}, "
          f"replay went through {counts['replay']}")
    assert counts["not whole"] > OPTIONS.rounds / 2


def check_repair_of_mutated_files(folder):
    """Damaged files, salvaged: what is saved is whole by itself, and every row in it is one of the original's"""
    saved = 0

    def look(path, original, data):
        nonlocal saved
        run("verify", "--repair", path)
        kept = folder / "mutated.h5.damaged"
        if not kept.exists():
            assert path.read_bytes() == data, "it was changed and not kept"
            return
        saved += 1
        assert_rows_of(path, original[0])
        assert kept.read_bytes() == data, "the original was not kept"

    for_each_mutation(folder, max(5, OPTIONS.rounds // 6), "repair ", look)
    print(f"{saved} files salvaged")


def assert_rows_of(saved, original):
    """Every trigger, window and record in `saved` is bit for bit that of `original`."""
    with h5py.File(saved) as new, h5py.File(original) as old:
        rows = np.searchsorted(old["triggers/sequence"][()], new["triggers/sequence"][()])
        for group in ["triggers"] + [f"windows/{name}" for name in old["windows"]]:
            for name, column in old[group].items():
                assert new[group][name][()].tobytes() == column[()][rows].tobytes(), f"{group}/{name}"
        for board, group in old["raw"].items():
            rows = np.searchsorted(group["sequence"][()], new["raw"][board]["sequence"][()])
            for name, column in group.items():
                assert new["raw"][board][name][()].tobytes() == column[()][rows].tobytes(), f"raw/{board}/{name}"


def check_swapped_parts(folder):
    """Parts of a run under each other's names: named, and never whole"""
    sim = station(folder, "deflate")
    for name, seed in (("run_000001_part_0001.h5", 5), ("run_000001_part_0002.h5", 6)):
        alleycat("simulate", "--config", sim, "--output", folder / name, "--triggers", 10, "--seed", seed)
    assert run("verify", folder / "run_000001_part_0001.h5") == 0
    done = alleycat("verify", folder / "run_000001_part_0002.h5", status=1)
    assert "its name says part 2 of run 1, its content part 1 of run 1" in done.stdout, done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261126)
    OPTIONS, chosen = parser.parse_known_args(sys.argv[4:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(globals(), chosen)
