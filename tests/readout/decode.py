"""Second decoder of the recorded formats, for the tests: numpy and zipfile, nothing of the project.

    decode.py labview  MINUTE.zip       per trigger: 7 bytes of stamp, 35000 codes of the signal, 35000 of the veto
    decode.py wavedump FILE...          per trigger: u32 time tag, u32 counter, u32 samples, then the samples per file
    decode.py sis3316  FILE...          per trigger: u64 time stamp, u32 samples, then the raw samples per file

Writes bytes to stdout. WaveDump events and SIS3316 events are matched by their time; only times that are in every file are written.
"""
import sys
import zipfile

import numpy


def labview(path, out):
    with zipfile.ZipFile(path) as archive:
        data = archive.read(archive.namelist()[0])
    at = 0
    while at < len(data):
        columns, channels = (int(n) for n in numpy.frombuffer(data, ">i4", 2, at))
        if columns > 350070:
            return
        table = numpy.frombuffer(data, numpy.int8, columns * channels, at + 8).reshape(-1, 35007, channels)
        for waveform in table:
            out.write(waveform[:7, 1].tobytes() + waveform[7:, 0].tobytes() + waveform[7:, 1].tobytes())
        at += 8 + columns * channels


def wavedump(paths, out):
    files = []
    for path in paths:
        data, events, at = open(path, "rb").read(), {}, 0
        while at < len(data):
            size, _, _, _, counter, tag = (int(n) for n in numpy.frombuffer(data, "<u4", 6, at))
            events[tag & 0x7FFFFFFF] = counter, numpy.frombuffer(data, "<u2", (size - 24) // 2, at + 24)
            at += size
        files.append(events)
    for tag in sorted(set.intersection(*(set(events) for events in files))):
        counter, samples = files[0][tag]
        out.write(numpy.array([tag, counter, len(samples)], "<u4").tobytes())
        for events in files:
            out.write(events[tag][1].tobytes())


def sis3316(paths, out):
    files = []
    for path in paths:
        data, events, at = open(path, "rb").read(), {}, 0
        while at < len(data):
            first, low = (int(n) for n in numpy.frombuffer(data, "<u4", 2, at))
            at += 8 + 4 * sum(n for bit, n in enumerate((7, 2, 3, 2)) if first >> bit & 1)
            lengths = [int(numpy.frombuffer(data, "<u4", 1, at)[0])]
            if lengths[0] >> 28 == 0xA:
                lengths.append(int(numpy.frombuffer(data, "<u4", 1, at + 4)[0]))
            at += 4 * len(lengths)
            raw = lengths[0] & 0x3FFFFFF
            events[(first >> 16 << 32) + low] = numpy.frombuffer(data, "<u2", 2 * raw, at)
            at += 4 * sum(n & 0x3FFFFFF for n in lengths)
        files.append(events)
    for time in sorted(set.intersection(*(set(events) for events in files))):
        out.write(numpy.array([time], "<u8").tobytes() + numpy.array([len(files[0][time])], "<u4").tobytes())
        for events in files:
            out.write(events[time].tobytes())


if sys.argv[1] == "labview":
    labview(sys.argv[2], sys.stdout.buffer)
elif sys.argv[1] == "sis3316":
    sis3316(sys.argv[2:], sys.stdout.buffer)
else:
    wavedump(sys.argv[2:], sys.stdout.buffer)
