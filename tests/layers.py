#!/usr/bin/python3
"""Checks that every folder includes only what stands below it.

    layers.py ROOT         reads every #include of the sources under ROOT; prints FILE:LINE: what is wrong
    layers.py --self-test  proves, on a small tree with planted violations, that each kind of them is found

Exit status: 0 nothing found, 1 something found, 2 wrong command line. CMake's links enforce half of the layering (a folder
that is not linked does not resolve its symbols); headers and inline code get past them, so this reads the text.
"""

import re
import sys
import tempfile
from pathlib import Path

# Which folders each folder may include, besides itself. Folders on one layer never include each other.
MAY_INCLUDE = {
    "proto": set(),
    "daq/core": set(),
    "daq/store": {"daq/core"},
    "daq/wire": {"daq/core", "proto"},
    "readout": {"daq/core"},
    "trigger": {"daq/core"},
    "monitor": {"daq/core"},
    "daq/run": {"readout", "trigger", "monitor", "daq/core", "daq/store", "daq/wire"},
    "gui": {"monitor", "daq/core", "daq/store", "daq/wire"},
    "tools": {"proto", "readout", "trigger", "monitor", "daq/core", "daq/store", "daq/wire", "daq/run"},
}

# Libraries that one layer keeps to itself: pattern of the header, its name, the folders that may use it.
LIBRARIES = [
    (re.compile(r"Q[A-Z]\w*$|Qt\w+/|qcustomplot\.h$"), "Qt", {"gui"}),
    (re.compile(r"zmq\w*\.hp?p?$"), "ZeroMQ", {"daq/wire", "tools"}),
    (re.compile(r"hdf5\w*\.h$|H5\w+\.h$"), "HDF5", {"daq/store", "tools"}),
    (re.compile(r"boost/asio"), "Asio", {"readout", "tools"}),
    (re.compile(r"hwy/"), "Highway", {"trigger"}),
    (re.compile(r"benchmark/"), "Google Benchmark", {"tools"}),
    (re.compile(r"google/protobuf/"), "Protobuf", {"proto", "daq/wire"}),
]

ROOTS = sorted({folder.split("/")[0] for folder in MAY_INCLUDE})
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def folder_of(path):
    """The folder of the design that a path from the root lies in, or None."""
    parts = path.split("/")
    for length in (2, 1):
        if len(parts) > length and "/".join(parts[:length]) in MAY_INCLUDE:
            return "/".join(parts[:length])
    return None


def problem_of(root, source, folder, quote, header):
    """What is wrong with one include, or None."""
    first = header.split("/")[0]
    if header.endswith(".pb.h"):
        target = "proto"
    elif first in ROOTS and "/" in header:
        target = folder_of(header)
        if target is None:
            return f'includes "{header}", which is in no folder of the design'
    elif first == "tests":
        return f'includes "{header}": nothing outside tests/ uses tests'
    elif quote == '"' and (source.parent / header).exists():
        return f'includes "{header}" beside it: includes start at the root ("{folder}/...")'
    else:
        for pattern, library, users in LIBRARIES:
            if pattern.match(header) and folder not in users:
                return f"includes <{header}>: {library} is for {' and '.join(sorted(users))} only"
        return None
    if target == folder or target in MAY_INCLUDE[folder]:
        return None
    allowed = ", ".join(sorted(MAY_INCLUDE[folder])) or "nothing of the project"
    return f'includes "{header}", but {folder} may include only itself and: {allowed}'


def check(root):
    """All problems under `root`, as FILE:LINE: sentences; and how many files and includes were read."""
    problems, files, includes = [], 0, 0
    for top in ROOTS:
        for source in sorted(p for p in (root / top).rglob("*") if p.suffix in (".hpp", ".cpp", ".h")):
            name = source.relative_to(root).as_posix()
            files += 1
            folder = folder_of(name)
            if folder is None:
                problems.append(f"{name}:1: is in no folder of the design")
                continue
            for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                includes += 1
                problem = problem_of(root, source, folder, *found.groups())
                if problem:
                    problems.append(f"{name}:{number}: {problem}")
    return problems, files, includes


# file -> (its text, the lines that must be reported, in words the report must hold)
PLANTED = {
    "daq/core/ring.hpp": ("#pragma once\n#include <atomic>\n", {}),
    "daq/core/config.cpp": ('#include "daq/core/ring.hpp"\n#include "proto/alleycat.pb.h"\n', {2: "daq/core may include"}),
    "daq/store/part.cpp": ('#include "daq/core/ring.hpp"\n\n#include "daq/wire/link.hpp"\n#include <hdf5.h>\n', {3: "daq/store may"}),
    "daq/wire/link.cpp": ('#include "alleycat.pb.h"\n#include <zmq.hpp>\n#include "daq/run/pipeline.hpp"\n', {3: "daq/wire may"}),
    "daq/wire/link.hpp": ("#pragma once\n", {}),
    "daq/run/pipeline.cpp": (
        '#include "readout/source.hpp"\n#include "trigger/stage.hpp"\n#include "monitor/state.hpp"\n'
        '#include "daq/store/part.hpp"\n  #  include "gui/window.hpp"\n#include "proto/x.pb.h"\n',
        {5: "daq/run may", 6: "daq/run may"},
    ),
    "daq/extra/new.cpp": ("", {1: "no folder of the design"}),
    "readout/source.cpp": ('#include "trigger/stage.hpp"\n#include <boost/asio.hpp>\n', {1: "readout may"}),
    "trigger/stage.hpp": ("#pragma once\n", {}),
    "trigger/peaks.cpp": (
        '// #include "gui/window.hpp" is only talked about\n#include "stage.hpp"\n#include <readout/source.hpp>\n'
        '#include "hwy/foreach_target.h"\n#include "daq/store/part.hpp"\n',
        {2: "start at the root", 3: "trigger may", 5: "trigger may"},
    ),
    "trigger/calibration/fit.cpp": ('#include "trigger/stage.hpp"\n#include "monitor/state.hpp"\n', {2: "trigger may"}),
    "monitor/state.cpp": (
        "#include <QString>\n#include <zmq.hpp>\n#include <boost/histogram.hpp>\n#include <hwy/highway.h>\n",
        {1: "Qt", 2: "ZeroMQ", 4: "Highway"},
    ),
    "gui/window.cpp": (
        '#include <QWidget>\n#include "monitor/state.hpp"\n#include "trigger/stage.hpp"\n#include "daq/run/pipeline.hpp"\n',
        {3: "gui may", 4: "gui may"},
    ),
    "tools/alleycat.cpp": ('#include "daq/run/pipeline.hpp"\n#include "gui/window.hpp"\n', {2: "tools may"}),
    "tools/bench/ring.cpp": ('#include "daq/core/ring.hpp"\n#include "tests/core/help.hpp"\n', {2: "outside tests/"}),
}


def self_test():
    """0 when exactly the planted violations are found, each at its line and for its reason."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, _) in PLANTED.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found, files, _ = check(Path(folder))
    expected = {f"{name}:{line}": words for name, (_, lines) in PLANTED.items() for line, words in lines.items()}
    wrong = [f"found, not planted: {p}" for p in found if not any(p.startswith(place + ": ") for place in expected)]
    for place, words in expected.items():
        reports = [p for p in found if p.startswith(place + ": ")]
        if len(reports) != 1 or words not in reports[0]:
            wrong.append(f"planted at {place} ({words}), found: {reports}")
    if files != len(PLANTED):
        wrong.append(f"{files} of {len(PLANTED)} files were read")
    print("\n".join(wrong) if wrong else f"all {len(expected)} planted violations were found")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    problems, files, includes = check(Path(arguments[0]))
    for problem in problems:
        print(problem)
    if files == 0:
        problems = [f"{arguments[0]}: holds no sources"]
        print(problems[0])
    print(f"{files} files, {includes} includes, {len(problems)} against the layers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
