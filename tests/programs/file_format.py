"""daq/store/FORMAT.md against real files, both ways: what it describes is there, what is there it describes."""
import re

import h5py

from support import CONFIG, SOURCE, alleycat, main

TEXT = (SOURCE / "daq/store/FORMAT.md").read_text()
TYPES = {"u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16", "u32": "uint32", "u64": "uint64", "i32": "int32", "i64": "int64", "f32": "float32", "f64": "float64",
         "S16": "|S16", "S64": "|S64", "S100": "|S100", "S1000": "|S1000"}


def rows_below(heading):
    """The cells of the first table behind a line that begins with `heading`."""
    lines = TEXT[TEXT.index(heading):].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[first + 1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def described(table):
    """Columns of a table: {name: (types, unit, words)}; "*" stands for columns that others name."""
    columns = {}
    for names, types, unit, words in (row + [""] * (4 - len(row)) for row in rows_below(f"**/{table}**")):
        entry = ({TYPES[t] for t in re.findall(r"\w+", types) if t in TYPES}, None if unit == "theirs" else unit, words)
        for name in re.findall(r"`(\w+)`", names) or ["*"]:
            columns[name] = entry
    assert columns, table
    return columns


TABLES = {name: described(name) for name in re.findall(r"(?m)^\*\*/(\w+)\*\*", TEXT)}
assert {"triggers", "ticks", "beam", "dead_time", "calibration", "counters", "readings", "comments", "truth"} <= set(TABLES), TABLES
WINDOW, RAW = described("windows/\\<name\\>"), described("raw/\\<board\\>")


def compare_dataset(path, dataset, columns, name):
    """One column against its line."""
    types, unit, words = columns.get(name) or columns.get("*") or (None, None, None)
    assert types, f"{path} is not in FORMAT.md"
    assert dataset.dtype.str.lstrip("<") in types or str(dataset.dtype) in types, f"{path}: FORMAT.md says {types}, the file {dataset.dtype}"
    expected, _, or_of_station = (unit or "").partition(", or the `")
    if or_of_station:  # of a key of the station file
        named = re.search(rf'(?m)^{or_of_station.split("`")[0]} = "(.*?)"', dataset.file["config"].asstr()[()])
        expected = named.group(1) if named else expected
    assert unit is None or dataset.attrs["units"] == expected, f"{path}: FORMAT.md says [{expected}], the file [{dataset.attrs['units']}]"
    assert dataset.fletcher32, f"{path} has no checksum"
    listed = re.search(r"`(bits|values)`: ([^|;]*)", words)
    if listed:
        names = re.sub(r"\([^)]*\)", "", listed.group(2)).replace(" ", "")
        assert dataset.attrs[listed.group(1)] == names, f"{path}: FORMAT.md says {names}, the file {dataset.attrs[listed.group(1)]}"


def compare_group(path, group, columns, wanted):
    """A table of the file: its datasets are described, and what is `wanted` is there."""
    members = {name for name, item in group.items() if isinstance(item, h5py.Dataset) or name == "samples"}
    assert group.attrs["datatype"].startswith("table{"), path
    assert set(group.attrs["datatype"][6:-1].split(",")) == members, (path, group.attrs["datatype"], members)
    for name in members:
        if isinstance(group[name], h5py.Dataset):
            compare_dataset(f"{path}/{name}", group[name], columns, name)
    absent = wanted - members - {"*"}
    assert not absent, f"{path}: FORMAT.md describes {absent}, the file does not have it"
    return {f"{path}/{name}" for name in members}


def compare_samples_of_hits(path, group, fixed):
    """A vector of vectors."""
    assert group.attrs["datatype"] == "array<1>{array<1>{real}}", path
    assert sorted(group) == ["cumulative_length", "flattened_data"] and str(group["cumulative_length"].dtype) == "uint64", path
    expected = {"int32"} if fixed else RAW["samples"][0]
    assert str(group["flattened_data"].dtype) in expected and group["flattened_data"].attrs["units"] == "adc", path
    return {f"{path}/cumulative_length", f"{path}/flattened_data"}


def compare_board(path, group, irregular=False):
    """One board below /raw, of either kind."""
    hits = isinstance(group["samples"], h5py.Group)
    only_hits = {name for name, (_, _, words) in RAW.items() if words.startswith("of hits")}
    only_irregular = {name for name, (_, _, words) in RAW.items() if words.startswith("of irregular")}
    wanted = set(RAW) - (set() if hits else only_hits) - (set() if irregular else only_irregular)
    assert only_hits == {"channels", "channel"} and only_irregular == {"sample_type"}
    seen = compare_group(path, group, RAW, wanted)
    if hits:
        seen |= compare_samples_of_hits(f"{path}/samples", group["samples"], irregular)
    if "irregular" in group:
        seen |= compare_board(f"{path}/irregular", group["irregular"], True)
    return seen


def compare_root(file):
    """Attributes of the file, both ways."""
    listed = {}
    for names, types, *_ in rows_below("## Root attributes"):
        kinds = [t for t in re.findall(r"\w+", types) if t in TYPES or t == "text"]
        for i, name in enumerate(re.findall(r"`(\w+)`", names)):
            listed[name] = (kinds[min(i, len(kinds) - 1)], "optional" in types)
    assert set(file.attrs) <= set(listed), f"not in FORMAT.md: {set(file.attrs) - set(listed)}"
    absent = {name for name, (_, optional) in listed.items() if not optional} - set(file.attrs)
    assert not absent, f"FORMAT.md describes {absent}, the file does not have it"
    for name, value in file.attrs.items():
        kind = listed[name][0]
        assert isinstance(value, str) if kind == "text" else str(value.dtype) == TYPES[kind], (name, kind, type(value))


def compare_summary(group):
    """Every attribute below /summary stands in FORMAT.md, by its name or as one of a kind."""
    section = TEXT[TEXT.index("## /summary"):TEXT.index("## The catalogue")]
    kinds = (r"triggers_\w+", r"refused_\w+", r"rejected_\w+")

    def visit(path, item):
        for name in item.attrs:
            known = f"`{name}`" in section or any(re.fullmatch(kind, name) for kind in kinds)
            assert known or path.startswith(("box", "ledger", "exposure")), f"/summary/{path}: {name} is not in FORMAT.md"

    visit("", group)
    group.visititems(visit)


def compare_file(path):
    with h5py.File(path) as file:
        compare_root(file)
        seen = {"config", "run_description"}
        for name, columns in TABLES.items():
            seen |= compare_group(name, file[name], columns, set(columns))
        for name, group in file["windows"].items():
            seen |= compare_group(f"windows/{name}", group, WINDOW, set(WINDOW))
        for name, group in file["raw"].items():
            seen |= compare_board(f"raw/{name}", group)
        for parent in ("windows", "raw"):
            datatype = file[parent].attrs["datatype"]
            assert datatype.startswith("struct{") and set(datatype[7:-1].split(",")) == set(file[parent]), datatype
        compare_summary(file["summary"])
        there = set()
        file.visititems(lambda name, item: there.add(name) if isinstance(item, h5py.Dataset) else None)
        assert there <= seen, f"not in FORMAT.md: {there - seen}"
        for name in there:
            assert file[name].attrs["datatype"], name


def simulated(folder, profile, triggers):
    output = folder / f"{profile}.h5"
    alleycat("simulate", "--config", CONFIG / f"{profile}.toml", "--output", output, "--triggers", triggers, "--seed", 3)
    return output


def check_traces(folder):
    """FORMAT.md is a file of traces of fixed length: every dataset, type, unit, bit and attribute"""
    compare_file(simulated(folder, "csi", 30))
    compare_file(simulated(folder, "lar", 30))


def check_hits(folder):
    """FORMAT.md is a file of hits and of ticks apart"""
    compare_file(simulated(folder, "nai", 200))


def check_it_would_notice(folder):
    """A column of another type, unit, name or bit, and one too many or too few, is found"""
    source = simulated(folder, "csi", 5)
    compare_file(source)

    def damage(change):
        changed = folder / "changed.h5"
        changed.write_bytes(source.read_bytes())
        with h5py.File(changed, "r+") as file:
            change(file)
        try:
            compare_file(changed)
        except (AssertionError, KeyError):
            return
        raise RuntimeError("nothing was noticed")

    def retype(file):
        del file["ticks/tick"]
        column = file.create_dataset("ticks/tick", data=[1, 2], dtype="i2", fletcher32=True)
        column.attrs["units"], column.attrs["datatype"] = "", "array<1>{real}"

    def add(file):
        file["beam"].create_dataset("more", data=[1])
        file["beam"].attrs["datatype"] = file["beam"].attrs["datatype"][:-1] + ",more}"

    damage(retype)
    damage(add)
    damage(lambda file: file["triggers/time_ps"].attrs.__setitem__("units", "ns"))
    damage(lambda file: file["raw/pci5153/flags"].attrs.__setitem__("bits", "clock_backwards"))
    damage(lambda file: file.__delitem__("comments/kind"))
    damage(lambda file: file.attrs.__setitem__("colour", "red"))
    damage(lambda file: file.attrs.__delitem__("revision"))
    damage(lambda file: file["summary"].attrs.__setitem__("mood", 1))


main(globals())
