"""Seeds of the fuzz targets, a few hundred bytes each, written after the formats' descriptions: seeds.py FOLDER"""
import io
import pathlib
import struct
import sys
import zipfile


def words(*values):
    return b"".join(struct.pack("<I", value & 0xFFFFFFFF) for value in values)


def caen(mask, counter, tag, payload, suppressed=False):
    return words(0xA0000000 | 4 + len(payload), mask & 0xFF | suppressed << 24, (mask >> 8) << 24 | counter, tag, *payload)


def caen_seeds():
    plain = caen(3, 0, 0x7FFFFF00, [0x00010000, 0x00030002]) + caen(3, 1, 0x80000064, [0x00050004, 0x00070006]) + words(0xFFFFFFFF)
    upper = caen(0x101, 0, 5, [1, 2, 3, 4])
    suppressed = caen(3, 0, 1, [5, 2, 0x80000001, 0x0BBB0AAA, 1, 4, 0x80000001, 0x00020001, 3], suppressed=True)
    ten_bits = caen(1, 0, 1, [0xFFF00803, 0x80001404])
    return {f"family_{family}_{name}": bytes([family | 0x80]) + stream
            for name, stream in (("plain", plain), ("upper", upper), ("suppressed", suppressed), ("ten_bits", ten_bits)) for family in (0, 1, 4, 6)}


def compass_record(board, channel, time, fields, samples=(1, 2, 3)):
    record = struct.pack("<HHQ", board, channel, time)
    record += struct.pack("<H", 798) if fields & 1 else b""
    record += struct.pack("<d", 661.7) if fields & 2 else b""
    record += struct.pack("<H", 135) if fields & 4 else b""
    record += struct.pack("<I", 0x4000)
    return record + (struct.pack(f"<BI{len(samples)}H", 1, len(samples), *samples) if fields & 8 else b"")


def compass_seeds():
    return {f"fields_{fields:x}": struct.pack("<H", 0xCAE0 | fields) + b"".join(compass_record(0, i % 2, 1000 * i, fields) for i in range(4))
            for fields in range(16)}


def settings_seeds():
    entry = "<entry><key>{}</key><value><value>{}</value></value></entry>"
    return {"settings": ("<configuration><board><modelName>DT5730</modelName><sampleTime>2000</sampleTime><parameters>"
                         + entry.format("SRV_PARAM_RECLEN", "2000.0") + entry.format("SRV_PARAM_CH_POLARITY", "POLARITY_NEGATIVE")
                         + "</parameters><channel><index>0</index><values/></channel></board></configuration>").encode()}


def frame(content):
    return words(len(content)) + content


def fcio_message(tag, *frames):
    return words(-tag) + b"".join(map(frame, frames))


def fcio_seeds():
    start = words(-1_000_000_001) + b"FlashCamV1".ljust(64, b"\0")
    config = fcio_message(1, *[words(n) for n in (2, 0, 3, 1, 1, 16, 1, 0, 1, 0)], words(0, 1))
    status = fcio_message(4, words(1), words(*[0] * 10), words(1), words(140), words(*range(35)))
    stamp = words(0, 1, 100, 249_999_999)
    event = fcio_message(3, words(1), words(0), words(1, 2), stamp, struct.pack("<10H", *range(10)), words(0, 0, 0, 0, 0))
    sparse = fcio_message(6, words(1), words(0), words(1, 2), stamp, words(0, 0, 0, 0), words(1), struct.pack("<H", 1), struct.pack("<5H", *range(5)))
    unknown = fcio_message(99, b"abc")
    return {"whole": bytes([255]) + start + config + status + event + sparse + unknown + event, "in_pieces": bytes([6]) + start + config + sparse + event}


def wavedump_seeds():
    event = lambda counter, tag: words(24 + 8, 31, 0x47, 0, counter, tag) + struct.pack("<4H", 1, 2, 3, 4)
    return {"headers": b"\0" + event(0, 0x7FFFFFF0) + event(1, 5) + event(2, 100), "bytes": b"\1" + event(0, 1) + event(1, 2),
            "bare": b"\2" + struct.pack("<32H", *range(32))}


def labview_seeds():
    """One waveform, deflated: 70 kB of two codes become some hundred bytes."""
    stamp = b"".join(bytes([0, part]) for part in (15, 10, 2, 12, 0, 0, 25))
    member = struct.pack(">ii", 35_007, 2) + stamp + bytes([110, 20]) * 35_000
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("120000", member)
    return {"minute": file.getvalue()}


if __name__ == "__main__":
    for target, seeds in (("caen_events", caen_seeds()), ("compass", compass_seeds()), ("compass_settings", settings_seeds()), ("fcio", fcio_seeds()),
                          ("wavedump", wavedump_seeds()), ("labview", labview_seeds())):
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)
