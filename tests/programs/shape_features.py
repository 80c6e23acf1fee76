"""The profiles' own features against a second, slow way: plain numpy on the recorded samples, from trigger/README.md.

The simulated stations run with their features and with one of every other kind beside them; each value of each window with an
arrival is made again from the samples in the file.
"""
import math
import tomllib

import h5py
import numpy

from support import CONFIG, alleycat, main

# One of every kind, for a station with the channels {all}, {b} the last of them; times in samples of the board.
EXTRA = """
[[trigger.feature]]
name = "x_charge"
kind = "charge"
channel = "{b}"
baseline = "median"
start_ns = {minus10}
length_ns = {n40}
[[trigger.feature]]
name = "x_ratio"
kind = "charge_ratio"
numerator = {{start_ns = {n10}, length_ns = {n20}}}
denominator = {{start_ns = 0, length_ns = {n40}}}
[[trigger.feature]]
name = "x_region"
kind = "charge"
from = "window"
[[trigger.feature]]
name = "x_charge_rise"
kind = "rise_time"
of = "charge"
low = 0.2
high = 0.7
length_ns = {n40}
[[trigger.feature]]
name = "x_mean"
kind = "mean_time"
length_ns = {n40}
[[trigger.feature]]
name = "x_height"
kind = "peak_height"
[[trigger.feature]]
name = "x_slope"
kind = "max_slope"
over_ns = {n4}
length_ns = {n40}
[[trigger.feature]]
name = "x_trapezoid"
kind = "trapezoid"
rise_ns = {n40}
flat_ns = {n10}
decay_ns = 2000
start_ns = {n10}
length_ns = {n40}
[[trigger.feature]]
name = "x_peaks"
kind = "peak_count"
channel = "{b}"
start_ns = {minus10}
length_ns = {n40}
"""
COINCIDENCE = """
[[trigger.feature]]
name = "x_coincidence"
kind = "coincidence"
channels = {parts}
threshold_adc = 7
min_samples = 2
start_ns = {minus10}
length_ns = {n40}
"""


class Trace:
    """Heights of one channel, or of several added up, and its peaks."""

    def __init__(self, codes, negative, trigger):
        codes = codes.astype(numpy.int64)
        first = numpy.sort(codes[:trigger.samples(trigger.config["baseline_ns"])])
        median = first[(len(first) - 1) // 2]
        self.heights = median - codes if negative else codes - median
        self.trigger = trigger

    def peaks(self, threshold, shortest):
        at_end = self.trigger.config["peaks"].get("close_at_trace_end", False)
        above = numpy.concatenate([[0], (self.heights >= threshold).astype(int), [0]])
        edges = numpy.flatnonzero(numpy.diff(above))
        return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])
                if b - a >= shortest and (at_end or b < len(self.heights))]

    def own_peaks(self):
        return self.peaks(self.trigger.threshold, self.trigger.shortest)

    def local(self, end):
        length, band = self.trigger.samples(self.trigger.config["local_baseline"]["length_ns"]), self.trigger.config["local_baseline"]["band_adc"]
        before = self.heights[max(0, end - length):end]
        quiet = before[abs(before) <= band]
        return quiet.mean() if len(quiet) else math.nan


class Trigger:
    """[trigger] of a station, and how each kind is calculated: trigger/README.md#shape"""

    def __init__(self, station):
        self.config, self.board = station["trigger"], station["board"][0]
        self.period_ns = self.board["sample_period_ps"] / 1000
        self.threshold, self.shortest = self.config["peaks"]["threshold_adc"], self.config["peaks"]["min_samples"]
        self.margin = self.config["peaks"]["margin_samples"]
        signal = self.config["signal"]
        self.signal = [signal] if isinstance(signal, str) else signal

    def samples(self, time_ns):
        return round(time_ns / self.period_ns)

    def open(self, codes):
        """Traces of a record by channel name; the signal's under None."""
        channels = {channel["name"]: (codes[i], channel.get("pulses", "negative") == "negative")
                    for i, channel in enumerate(self.board["channel"])}
        self.traces = {name: Trace(codes, negative, self) for name, (codes, negative) in channels.items()}
        total = sum(channels[name][0].astype(numpy.int64) for name in self.signal)
        self.traces[None] = Trace(total, channels[self.signal[0]][1], self)

    def gate(self, feature, window, arrival):
        origin = arrival if feature.get("from", "arrival") == "arrival" else window["roi_start"]
        begin = origin + self.samples(feature.get("start_ns", 0))
        if "length_ns" in feature:
            return origin, begin, begin + self.samples(feature["length_ns"])
        return origin, begin, window["roi_end"] if feature.get("from") == "window" else arrival + window["integration"]

    def measure(self, feature, window, arrival, values):
        kind = feature["kind"]
        if kind == "linear":
            return feature.get("offset", 0) + feature["slope"] * values[feature["of"]]
        if kind == "ratio":
            return values[feature["of"]] / values[feature["over"]]
        origin, begin, end = self.gate(feature, window, arrival)
        if kind == "coincidence":
            threshold, shortest = feature["threshold_adc"], feature["min_samples"]
            return sum(any(begin <= onset < end for onset, _ in self.traces[name].peaks(threshold, shortest)) for name in feature["channels"])
        trace = self.traces[feature.get("channel")]
        if kind == "peak_count":
            return sum(begin <= onset < end for onset, _ in trace.own_peaks())
        baseline = trace.local(origin) if feature.get("baseline", "local") == "local" else 0.0
        h = trace.heights - baseline
        return getattr(self, kind)(feature, trace, h, origin, begin, end)

    def charge(self, feature, trace, h, origin, begin, end):
        return h[begin:end].sum()

    def charge_ratio(self, feature, trace, h, origin, begin, end):
        part = [h[origin + self.samples(g.get("start_ns", 0)):][:self.samples(g["length_ns"])].sum()
                for g in (feature["numerator"], feature["denominator"])]
        return part[0] / part[1] if part[1] > 0 else math.nan

    def prompt_fraction(self, feature, trace, h, origin, begin, end):
        total = h[begin:end].sum()
        return h[begin:begin + self.samples(feature["prompt_ns"])].sum() / total if total > 0 else math.nan

    def rise_time(self, feature, trace, h, origin, begin, end):
        low, high = feature.get("low", 0.1), feature.get("high", 0.9)
        if feature.get("of", "height") == "charge":
            curve = numpy.concatenate([[0], h[begin:end].cumsum()])
            if curve[-1] <= 0:
                return math.nan
            at = [first_crossing(curve, part * curve[-1]) for part in (low, high)]
        else:
            average = self.samples(feature.get("average_ns", self.period_ns))
            curve = numpy.convolve(h[begin:end], numpy.ones(average) / average, mode="valid")
            if curve.max() <= 0:
                return math.nan
            upper = first_crossing(curve, high * curve.max())
            if math.isnan(upper):
                return math.nan
            before = curve[:math.ceil(upper) + 1]
            rises = [i for i in range(1, len(before)) if before[i - 1] < low * curve.max() <= before[i]]
            if not rises:
                return math.nan
            last = rises[-1]
            at = [last - 1 + (low * curve.max() - before[last - 1]) / (before[last] - before[last - 1]), upper]
        return (at[1] - at[0]) * self.period_ns

    def mean_time(self, feature, trace, h, origin, begin, end):
        weights = h[begin:end]
        return (numpy.arange(begin, end) * weights).sum() / weights.sum() * self.period_ns - origin * self.period_ns if weights.sum() > 0 else math.nan

    def peak_height(self, feature, trace, h, origin, begin, end):
        return h[begin:end].max()

    def max_slope(self, feature, trace, h, origin, begin, end):
        over = self.samples(feature.get("over_ns", self.period_ns))
        return (trace.heights[begin + over:end] - trace.heights[begin:end - over]).max() / (over * self.period_ns)

    def trapezoid(self, feature, trace, h, origin, begin, end):
        rise, flat = self.samples(feature["rise_ns"]), self.samples(feature.get("flat_ns", 0))
        decay = feature.get("decay_ns", 0) / self.period_ns
        lost = 1 - math.exp(-1 / decay) if decay else 0
        first = begin - 2 * rise - flat + 1
        piece = h[first:end]
        restored = piece + lost * (piece.cumsum() - piece)
        sums = numpy.concatenate([[0], restored.cumsum()])
        newest = numpy.arange(begin - first, end - first)
        output = (sums[newest + 1] - sums[newest + 1 - rise] - sums[newest + 1 - rise - flat] + sums[newest + 1 - 2 * rise - flat]) / rise
        return output.max() if feature.get("measure", "energy") == "energy" else (begin + output.argmax() - origin) * self.period_ns

    def delayed_coincidence(self, feature, trace, h, origin, begin, end):
        peaks = [peak for peak in trace.own_peaks()]
        for onset, _ in peaks:
            if not begin <= onset < end:
                continue
            start, stop = onset - self.margin, onset - self.margin + self.samples(feature["cluster_ns"])
            inside = numpy.zeros(len(h), bool)
            for a, b in peaks:
                if a >= onset:
                    inside[max(a - self.margin, start):b + self.margin] = True
            charge = h[start:stop][inside[start:stop]].sum()
            if charge >= feature["min_charge_adc"]:
                return (start - origin) * self.period_ns if feature.get("measure", "time") == "time" else charge
        return math.nan


def first_crossing(curve, level):
    """Where the curve first reaches the level, on a straight line from the point before."""
    at = int(numpy.argmax(curve >= level))
    return math.nan if at == 0 else at - 1 + (level - curve[at - 1]) / (curve[at] - curve[at - 1])


def compare(name, folder, triggers, **changes):
    station_text = (CONFIG / f"{name}.toml").read_text()
    for before, after in changes.get("replace", []):
        assert before in station_text, before
        station_text = station_text.replace(before, after)
    station = tomllib.loads(station_text)
    period = station["board"][0]["sample_period_ps"] / 1000
    names = [channel["name"] for channel in station["board"][0]["channel"]]
    times = {f"n{n}": n * period for n in (4, 10, 20, 40)}
    recipes = EXTRA + (COINCIDENCE if len(names) > 1 else "")  # a signal of one channel coincides with nothing
    extra = recipes.format(parts=str(names).replace("'", '"'), b=names[-1], minus10=-10 * period, **times)
    path = folder / f"{name}.toml"
    path.write_text(station_text.replace("[analysis]", extra + "\n[analysis]", 1))
    output = folder / f"{name}.h5"
    alleycat("simulate", "--config", path, "--output", output, "--triggers", triggers, "--seed", 11)

    trigger = Trigger(station)
    features = tomllib.loads(path.read_text())["trigger"]["feature"]
    compared = {feature["name"]: 0 for feature in features}
    with h5py.File(output) as file:
        samples = file[f"raw/{station['board'][0]['name']}/samples"]
        for window in file["windows"].values():
            place = {key: int(window.attrs[key]) for key in ("roi_start", "roi_end", "integration")}
            columns = {column: window[column][()] for column in window}
            for row in numpy.flatnonzero(columns["arrival_sample"] >= 0):
                trigger.open(samples[row])
                values = {column: float(columns[column][row]) for column in columns}
                for feature in features:
                    expected = trigger.measure(feature, place, int(columns["arrival_sample"][row]), values)
                    found = values[feature["name"]]
                    scale = 1e-9 * max(1.0, abs(expected)) if math.isfinite(expected) else 0
                    same = math.isnan(expected) and math.isnan(found) or abs(found - expected) <= 100 * scale
                    assert same, f"{name}, row {row}, {feature['name']}: {found}, in numpy {expected}"
                    compared[feature["name"]] += math.isfinite(found)
    print(f"    {name}: {compared}", flush=True)
    assert min(compared.values()) > 5, compared


def check_lar(folder):
    """Liquid argon: every feature of every window with an arrival as numpy makes it from the samples"""
    compare("lar", folder, 600)


def check_germanium(folder):
    """Germanium: the same"""
    compare("germanium", folder, 1500, replace=[("rate_boost = 30_000", "rate_boost = 60_000")])


def check_mars(folder):
    """The capture-gated detector: the same"""
    compare("mars", folder, 1200)


main(globals())
