"""The trigger stage a second time: the rules of the published CsI[Na] analysis in plain Python, slow and exact.

Written from the description of that analysis and from station files, sharing nothing with `trigger/`: it is there to disagree.
Counts and sums are integers, so nothing is rounded before the last division. Start at `analyse()`.

Words: a *code* is what the ADC wrote, a *count* what is left after the code map, a *height* a count's distance from the
median in the direction of a pulse. Sample indices count from the beginning of the trace; regions are [begin, end).
"""
import dataclasses
import math
import tomllib

import numpy as np


# The PCI-5153 leaves out one code in eleven; the published rules close the holes. Python's // rounds down, as they do.
CODE_MAPS = {
    "plain": lambda code: code,
    "pci5153_signal": lambda code: code - (code + 5) // 11,
    "pci5153_veto": lambda code: code + (-1 if code < 0 else 1) * ((4 - abs(code)) // 11),
}


class NotCovered(Exception):
    """The station asks for something that the published analysis does not have."""


@dataclasses.dataclass
class Channel:
    board: str
    row: int  # in the board's samples
    sign: int  # -1: pulses go down
    counts: np.ndarray  # of every code from `lowest` on
    lowest: int

    def count(self, codes):
        return self.counts[codes.astype(np.int64) - self.lowest]


# What cuts may ask for, and whether a window without an arrival lacks it.
FEATURES = {"pretrace_peaks": False, "roi_peaks": False, "window_peaks": True, "arrival_sample": True, "arrival_ns": True,
            "charge_adc": True, "charge_global_adc": True, "charge_pe": True, "t10_ns": True, "t50_ns": True, "t90_ns": True,
            "t10_global_ns": True, "t50_global_ns": True, "t90_global_ns": True, "rise_10_90_ns": True}


@dataclasses.dataclass
class Window:
    name: str
    pretrace_start: int
    roi_start: int
    roi_end: int
    integration: int


class Station:
    """What a station file says about the trigger stage, times in samples of the signal channel."""

    def __init__(self, text):
        file = tomllib.loads(text)
        trigger = file["trigger"]
        boards = {board["name"]: board for board in file["board"]}
        self.signal = self.channel(boards, trigger["signal"])
        self.veto = self.channel(boards, trigger["veto"]) if "veto" in trigger else None
        board = boards[self.signal.board]
        self.period_ns = board["sample_period_ps"] / 1000
        limits = np.iinfo(board.get("sample_type", "int8"))
        self.overflow_low = trigger.get("overflow_low_code", limits.min)
        self.overflow_high = trigger.get("overflow_high_code", limits.max)
        self.baseline_samples = self.samples(trigger.get("baseline_ns", 40_000))
        self.baseline_band = trigger.get("baseline_band_adc", 5)
        self.peaks = {"threshold_adc": 3, "min_samples": 4, "margin_samples": 2, "close_at_trace_end": False,
                      **trigger.get("peaks", {})}
        self.veto_peaks = {"threshold_adc": 10, "min_samples": 3, "margin_samples": 0, "close_at_trace_end": False,
                           **trigger.get("veto_peaks", {})}
        self.gate = {"closed_at_adc": 18, "min_baseline_adc": 50, **trigger["linear_gate"]} if "linear_gate" in trigger else None
        local = trigger.get("local_baseline", {})
        self.local_samples = self.samples(local.get("length_ns", 1000))
        self.local_band = local.get("band_adc", 3)
        tick = self.samples(trigger.get("tick_position_ns", 0))
        self.windows = []
        for one in trigger["window"]:
            start = tick + self.samples(one.get("start_ns", 0))
            self.windows.append(Window(one["name"], start - self.samples(one.get("pretrace_ns", 0)), start,
                                       start + self.samples(one["length_ns"]), self.samples(one.get("integration_ns", 3000))))
        self.cuts = trigger.get("cut", [])
        self.cut_names = ["no_peak", "does_not_fit"] + [cut["name"] for cut in self.cuts]
        conditions = [condition for cut in self.cuts for condition in cut.get("any", [cut])]
        unknown = {condition[key] for condition in conditions for key in ("feature", "below") if key in condition} - FEATURES.keys()
        if unknown:
            raise NotCovered(f"cuts on {', '.join(sorted(unknown))}")

    @staticmethod
    def channel(boards, name):
        wanted = name.split(".")
        for board in boards.values():
            for row, channel in enumerate(board["channel"]):
                if channel["name"] == wanted[-1] and wanted[:-1] in ([], [board["name"]]):
                    if not board.get("samples"):
                        raise NotCovered(f"records of {board['name']} that differ in length")
                    limits = np.iinfo(board.get("sample_type", "int8"))
                    mapped = CODE_MAPS[channel.get("codes", "plain")]
                    counts = np.array([mapped(code) for code in range(limits.min, limits.max + 1)], np.int64)
                    return Channel(board["name"], row, -1 if channel.get("pulses", "negative") == "negative" else 1, counts, limits.min)
        raise NotCovered(f"no channel {name}")

    def samples(self, ns):
        return round(ns / self.period_ns)


def median(counts):
    """The smallest count such that at least half of the samples are no larger."""
    half = (len(counts) + 1) // 2
    return int(np.sort(counts)[half - 1])


def mean_and_sigma(counts, centre, band):
    """Of the counts from centre - band to centre + band - 1; sigma with N - 1, 0 for a single sample."""
    chosen = counts[(counts >= centre - band) & (counts < centre + band)]
    n, total, squares = len(chosen), int(chosen.sum()), int((chosen * chosen).sum())
    return total / n, math.sqrt((n * squares - total * total) / (n * (n - 1))) if n > 1 else 0.0


def find_peaks(heights, threshold_adc, min_samples, margin_samples, close_at_trace_end):
    """(onset, integration start, last sample integrated) of each run of heights at or above the threshold, in order of time."""
    above = np.concatenate(([False], heights >= threshold_adc, [False]))
    changes = np.flatnonzero(above[1:] != above[:-1])
    peaks = []
    for onset, behind in zip(changes[0::2].tolist(), changes[1::2].tolist()):
        ended = behind < len(heights) or close_at_trace_end
        if ended and behind - onset >= min_samples:
            peaks.append((onset, max(onset - margin_samples, 0), min(behind - 1 + margin_samples, len(heights) - 1)))
    return peaks


def gate_is_flagged(counts, centre, closed_at_adc, min_baseline_adc):
    """More closings than openings or the other way round, counted one by one; or closed from the start."""
    before, now = counts[:-1], counts[1:]
    closings = np.count_nonzero((now <= closed_at_adc) & (before > closed_at_adc))
    openings = np.count_nonzero((before <= closed_at_adc) & (now > closed_at_adc))
    return closings != openings or centre < min_baseline_adc


def crossing(curve, level):
    """Where the curve rises through the level for the last time, between samples; 0 where it never does, as it starts above it."""
    rises = np.flatnonzero((curve[:-1] < level) & (curve[1:] >= level))
    if len(rises) == 0:
        return 0.0
    i = rises[-1]
    return float(i + (level - curve[i]) / (curve[i + 1] - curve[i]))


def charge_curves(heights, peaks, arrival, length, local_samples, local_band):
    """Cumulative charge in peaks over `length` samples from the arrival on: with the median, and less the local baseline."""
    inside = np.zeros(length, bool)
    for _, start, last in peaks:
        if start >= arrival:
            inside[start - arrival:last - arrival + 1] = True  # a slice ends with the window by itself
    window = np.where(inside, heights[arrival:arrival + length], 0)
    before = heights[max(arrival - local_samples, 0):arrival]
    quiet = before[np.abs(before) <= local_band]
    baseline = int(quiet.sum()) / len(quiet) if len(quiet) else math.nan
    return np.cumsum(window).astype(float), np.cumsum(np.where(inside, window - baseline, 0.0)), len(quiet)


def analyse_window(heights, peaks, window, station, spe_charge_adc):
    """Columns of /windows/<name> but the cuts."""
    onsets = [onset for onset, _, _ in peaks]
    result = {
        "pretrace_peaks": sum(window.pretrace_start <= onset < window.roi_start for onset in onsets),
        "roi_peaks": sum(window.roi_start <= onset < window.roi_end for onset in onsets),
        "window_peaks": 0, "arrival_sample": -1, "arrival_ns": math.nan, "charge_adc": 0.0, "charge_global_adc": 0.0, "charge_pe": 0.0,
        **{f"t{part}_{which}ns": 0.0 for part in (10, 50, 90) for which in ("", "global_")},
    }
    starting = [start for onset, start, _ in peaks if start >= window.roi_start and onset < window.roi_end]
    result["starting"] = len(starting)  # not a column: for the cuts
    if not starting or starting[0] >= window.roi_end - window.integration:
        return result
    arrival = starting[0]
    global_curve, local_curve, quiet = charge_curves(heights, peaks, arrival, window.integration, station.local_samples, station.local_band)
    result["window_peaks"] = sum(arrival <= onset < arrival + window.integration for onset in onsets)
    result["arrival_sample"] = arrival
    result["arrival_ns"] = (arrival - window.roi_start) * station.period_ns
    for curve, charge, which in ((local_curve, "charge_adc", ""), (global_curve, "charge_global_adc", "global_")):
        result[charge] = float(curve[-1])
        for part in (10, 50, 90):
            result[f"t{part}_{which}ns"] = crossing(curve, part / 100 * curve[-1]) * station.period_ns
    result["charge_pe"] = result["charge_adc"] / spe_charge_adc
    result["quiet_samples"] = quiet  # not a column: for the census
    return result


def feature_passes(condition, features):
    value = features[condition["feature"]]
    return (condition.get("min", -math.inf) <= value <= condition.get("max", math.inf)
            and ("below" not in condition or value < features[condition["below"]]))


def failed_cuts(window, flags, cuts):
    """A bit per failed cut: no_peak (none starts in the region), does_not_fit, then the station's own.

    What a window without an arrival does not have is not judged.
    """
    arrived = window["arrival_sample"] >= 0
    features = {**window, "rise_10_90_ns": window["t90_ns"] - window["t10_ns"]}
    failed = [window["starting"] == 0, window["starting"] > 0 and not arrived]
    for cut in cuts:
        if "flag" in cut:
            failed.append(cut["flag"] in flags)
            continue
        conditions = cut.get("any", [cut])
        judged = arrived or not any(FEATURES[condition["feature"]] for condition in conditions)
        failed.append(judged and not any(feature_passes(condition, features) for condition in conditions))
    return sum(1 << bit for bit, fails in enumerate(failed) if fails)


def analyse(signal_codes, veto_codes, station, spe_charge_adc):
    """One trigger: (trigger columns and the names of its flags, {window: columns}). Codes as the ADC wrote them, shape (samples,)."""
    counts = station.signal.count(signal_codes)
    centre = median(counts[:station.baseline_samples])
    mean, sigma = mean_and_sigma(counts[:station.baseline_samples], centre, station.baseline_band)
    heights = station.signal.sign * (counts - centre)
    peaks = find_peaks(heights, **station.peaks)

    flags = set()
    if (signal_codes <= station.overflow_low).any() or (signal_codes >= station.overflow_high).any():
        flags.add("overflow")
    if station.veto:
        veto = station.veto.count(veto_codes)
        veto_heights = station.veto.sign * (veto - median(veto[:station.baseline_samples]))
        if find_peaks(veto_heights, **station.veto_peaks):
            flags.add("muon_veto")
    if station.gate and gate_is_flagged(counts, centre, **station.gate):
        flags.add("linear_gate")

    trigger = {"baseline_median_adc": float(centre), "baseline_mean_adc": mean, "baseline_sigma_adc": sigma, "flags": flags, "peaks": peaks,
               "cut_off_peak": bool(heights[-1] >= station.peaks["threshold_adc"])}
    windows = {}
    for window in station.windows:
        result = analyse_window(heights, peaks, window, station, spe_charge_adc)
        result["cuts"] = failed_cuts(result, flags, station.cuts)
        result["accepted"] = int(result["cuts"] == 0)
        windows[window.name] = result
    return trigger, windows
