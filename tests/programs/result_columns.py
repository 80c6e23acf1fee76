"""The results in two files, compared bit for bit: which column differs, in which row, and how."""
import h5py
import numpy

from support import columns

GROUPS = ("triggers", "windows", "ticks", "calibration")
OBSERVED = ("utc_ns",)  # when the host saw it: nothing that was measured on the samples


def same(left, right):
    """Per row: the same bits, or both NaN, of whatever kind."""
    bits = left.view(f"u{left.itemsize}") == right.view(f"u{right.itemsize}")
    return bits | (numpy.isnan(left) & numpy.isnan(right)) if left.dtype.kind == "f" else bits


def column_difference(name, left, right):
    """A line on what differs, or None."""
    if left.dtype != right.dtype:
        return f"{name}: {left.dtype} and {right.dtype}"
    if left.shape != right.shape:
        return f"{name}: {left.shape[0]} and {right.shape[0]} rows"
    rows = numpy.flatnonzero(~same(left, right))
    if not len(rows):
        return None
    first = rows[0]
    return f"{name} row {first}: {left[first]!r} and {right[first]!r} ({len(rows)} of {len(left)} rows differ)"


def results(file):
    """Every result column by its path."""
    found = {}
    for group in GROUPS:
        if group in file:
            found.update({f"{group}/{name}": column for name, column in columns(file[group]).items()})
    return {path: column for path, column in found.items() if path.rsplit("/", 1)[1] not in OBSERVED}


def differences(first, second):
    """A line per result column that differs between the files, or that only one of them has."""
    with h5py.File(first) as one, h5py.File(second) as other:
        left, right = results(one), results(other)
    assert len(left) > 20 and len(left["triggers/sequence"]), f"{first}: {len(left)} result columns"
    lines = [f"{path}: only in {first if path in left else second}" for path in sorted(left.keys() ^ right.keys())]
    lines += [column_difference(path, left[path], right[path]) for path in sorted(left.keys() & right.keys())]
    return [line for line in lines if line]


def assert_same_results(first, second):
    found = differences(first, second)
    assert not found, f"{first} and {second} differ:\n" + "\n".join(found)
