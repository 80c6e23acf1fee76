"""Recordings of real instruments through `alleycat replay`, against decoders that share nothing with the project."""
import csv
import struct

import h5py
import numpy

from support import CONFIG, alleycat, main, real


def decode_wavedump(path):
    """(counter, time tag, samples) per event: six u32 words, the first the event's size in bytes, then u16 samples."""
    data, at, events = path.read_bytes(), 0, []
    while at < len(data):
        size, _, _, channel, counter, tag = struct.unpack_from("<6I", data, at)
        events.append((counter, tag, channel, numpy.frombuffer(data, "<u2", (size - 24) // 2, at + 24)))
        at += size
    return events


def lower_median(codes):
    """The smallest code with at least half of the codes at or below it."""
    return int(numpy.sort(codes)[(len(codes) - 1) // 2])


def runs(above, shortest):
    """First samples of the runs of at least `shortest` samples that are true; one that the end cuts off has none."""
    edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], above.astype(int)])))
    return [int(first) for first, end in zip(edges[::2], edges[1::2]) if end - first >= shortest]


def replayed(folder, config, *inputs):
    output = folder / "out.h5"
    alleycat("replay", *inputs, "--config", CONFIG / config, "--output", output)
    alleycat("verify", output)
    return h5py.File(output)


def check_bgo(folder):
    """BGO coincidence, two WaveDump files: 41 triggers x 2 channels x 6006 samples as an independent decoder reads them"""
    paths = [real(f"wavedump/SiPM_BGO_coinc_DT5751_wave{channel}.dat") for channel in (0, 1)]
    events = [decode_wavedump(path) for path in paths]
    with replayed(folder, "bgo-coincidence.toml", *paths) as file:
        samples = file["raw/dt5751/samples"][()]
        assert samples.shape == (41, 2, 6006) and samples.dtype == numpy.uint16
        for channel in (0, 1):
            assert [len(event[3]) for event in events[channel]] == [6006] * 41
            assert (samples[:, channel] == [event[3] for event in events[channel]]).all()
        # Facts published with the recording.
        assert samples[0, 0, :4].tolist() == [94, 98, 93, 93] and samples[0, 1, :4].tolist() == [77, 76, 76, 74]
        assert [(samples[:, c].min(), samples[:, c].max()) for c in (0, 1)] == [(83, 355), (64, 490)]
        tags = file["raw/dt5751/clock"][()].astype(numpy.int64) & 0x7FFFFFFF
        assert tags.tolist() == [event[1] & 0x7FFFFFFF for event in events[0]]
        assert tags[:3].tolist() == [3190661, 3764781, 6124449] and tags[-1] == 230622939
        assert file["raw/dt5751/counter"][()].tolist() == list(range(41))
        assert (file["triggers/time_ps"][()] == (tags - tags[0]) * 8000).all()  # 8 ns per tick of the tag
        assert (file["triggers/flags"][()] == 0).all()
        window = {name: column[()] for name, column in file["windows/coincident"].items()}
        assert (window["roi_peaks"] >= 1).all() and (window["charge_adc"] > 0).all()
        # The largest sample of each trace lies behind the arrival, which lies behind the trigger's pretrace.
        largest = samples[:, 0].argmax(axis=1)
        assert (window["arrival_sample"] >= 400).all() and (window["arrival_sample"] <= largest).all()
        # The coincidence profile, from the samples: light of both arrays in 3.5 us, and who has a peak from -0.3 to 1 us.
        coincident = 0
        for row, both in enumerate(samples.astype(int)):
            heights = [codes - lower_median(codes[:300]) for codes in both]
            arrival = int(window["arrival_sample"][row])
            assert arrival == [onset - 2 for onset in runs(heights[0] >= 12, 4) if onset >= 402][0]
            charges = [int(h[arrival:arrival + 3500].sum()) for h in heights]
            assert [window["first_adc"][row], window["second_adc"][row]] == charges, row
            assert numpy.isclose(window["balance"][row], charges[1] / charges[0], rtol=1e-14)
            partner = any(arrival - 300 <= onset < arrival + 1000 for onset in runs(heights[1] >= 12, 4))
            assert window["coincident_arrays"][row] == partner and window["accepted"][row] == partner
            coincident += partner
        assert coincident == 40 and len(samples) == 41  # in one record the first array fires long before the pulse


def check_hpge(folder):
    """Germanium, one WaveDump file: 8 traces x 10000 samples as an independent decoder reads them, a pulse in each"""
    path = real("wavedump/HPGe_DT5720_wave0.dat")
    events = decode_wavedump(path)
    with replayed(folder, "hpge.toml", path) as file:
        samples = file["raw/dt5720/samples"][()]
        assert samples.shape == (8, 1, 10000) and samples.max() == 491
        assert (samples[:, 0] == [event[3] for event in events]).all()
        tags = file["raw/dt5720/clock"][()]
        assert tags[:3].tolist() == [5918357, 130630223, 255343189] and tags[-1] == 878906347
        assert (file["windows/coincident/roi_peaks"][()] >= 1).all()
        assert (file["windows/coincident/charge_adc"][()] > 0).all()
        # The germanium profile, from the samples: all eight are the same pulse, a step of some 252 counts in some 23 ns.
        window = {name: column[()] for name, column in file["windows/coincident"].items()}
        assert window["accepted"].tolist() == [1] * 8
        for row, codes in enumerate(samples[:, 0].astype(float)):
            step = int(numpy.argmax(numpy.diff(codes) > 20))
            # As energy the difference of two long means around the step: noise of 0.9 counts makes it good to 0.04 and the
            # trapezoid's maximum, over 4 us on either side, at most some 0.1 higher.
            energy = codes[step + 20:step + 1770].mean() - codes[step - 1250:step - 5].mean()
            assert energy - 0.2 < window["energy_adc"][row] < energy + 0.6, (row, energy, window["energy_adc"][row])
            # Its definition: means over 1000 samples, 250 samples apart, largest between the arrival and 7 us later.
            sums = numpy.concatenate([[0], codes.cumsum()])
            arrival = int(window["arrival_sample"][row])
            last = numpy.arange(arrival, arrival + 1750)
            trapezoid = (sums[last + 1] - sums[last - 999] - sums[last - 1249] + sums[last - 2249]) / 1000
            assert numpy.isclose(window["energy_adc"][row], trapezoid.max(), rtol=1e-12)
            slope = (codes[5:] - codes[:-5])[arrival - 100:arrival + 495].max() / 20
            assert numpy.isclose(window["current_adc_ns"][row], slope, rtol=1e-12)
            assert numpy.isclose(window["a_over_e"][row], slope / trapezoid.max(), rtol=1e-12)
        assert 251 < window["energy_adc"].min() and window["energy_adc"].max() < 254
        assert 20 < window["rise_ns"].min() and window["rise_ns"].max() < 26


def decode_compass(path):
    """(input, time [ps], samples) per hit of a list whose word is 0xCAED: both energies, flags and a waveform."""
    data, at, hits = path.read_bytes(), 2, []
    while at < len(data):
        _, channel, time, _, _, _, _, samples = struct.unpack_from("<HHQHHIBI", data, at)
        hits.append((channel, time, numpy.frombuffer(data, "<u2", samples, at + 25)))
        at += 25 + 2 * samples
    return hits


def check_compass(folder):
    """A CoMPASS list, two inputs of a DT5730, one of them as the timing signal: hits and ticks as an independent decoder reads them"""
    path = real("compass/compass_test_data.BIN")
    hits = decode_compass(path)
    assert len(hits) == 102
    with replayed(folder, "compass.toml", path) as file:
        ticks = sorted(time for channel, time, _ in hits if channel == 1)
        assert (file["ticks/time_ps"][()] == numpy.array(ticks) - ticks[0]).all() and len(ticks) == 51
        signal = sorted((time, samples.tolist()) for channel, time, samples in hits if channel == 0)
        assert (file["triggers/time_ps"][()] == [time - ticks[0] for time, _ in signal]).all() and len(signal) == 51
        assert ticks[0] == 97876200006 and signal[0][0] == 97876200000
        assert (file["triggers/since_tick_ps"][()] == [time - tick for (time, _), tick in zip(signal, ticks)]).all()
        assert (file["triggers/flags"][()] == 0).all()
        flattened = file["raw/dt5730/samples/flattened_data"][()]
        assert flattened.tolist() == [sample for _, samples in signal for sample in samples]
        # All 51 are one pulser's pulse: some 780 counts above a baseline of 2745.
        window = file["windows/coincident"]
        assert (window["accepted"][()] == 1).all()
        heights = [max(samples) - lower_median(numpy.array(samples[:50])) for _, samples in signal]
        assert 770 < min(heights) and max(heights) < 790
        for row, (_, samples) in enumerate(signal):
            first = runs(numpy.array(samples) - lower_median(numpy.array(samples[:50])) >= 100, 4)[0]
            assert window["arrival_sample"][row] == first - 2
    described = alleycat("info", folder / "out.h5").stdout
    assert "51" in described, described


def check_labview_minute(folder):
    """A LabVIEW minute: 40 triggers, every feature as the experiment's published program printed it"""
    real("labview/Run-15-10-02-12-00-00")
    run = real("labview/Run-15-10-02-12-00-00/151002/120000.zip").parent.parent
    with replayed(folder, "csi-labview.toml", run) as file:
        for window in ("coincident", "anticoincident"):
            published = list(csv.DictReader(real(f"labview/published_program_{window}.csv").open()))
            triggers, found = file["triggers"], file[f"windows/{window}"]
            assert len(published) == 40 and len(triggers["sequence"]) == 40 and len(found["sequence"]) == 40
            flags = triggers["flags"][()]
            for bit, name in enumerate(triggers["flags"].attrs["bits"].split(",")):
                if name in published[0]:
                    assert [(int(f) >> bit) & 1 for f in flags] == [int(row[name]) for row in published], name
            for name in ("pretrace_peaks", "roi_peaks", "window_peaks", "arrival_sample"):
                assert found[name][()].tolist() == [int(row[name]) for row in published], f"{window} {name}"
            baseline = {"baseline_median": "baseline_median_adc", "baseline_mean": "baseline_mean_adc", "baseline_sigma": "baseline_sigma_adc"}
            charges = {"charge_global": "charge_global_adc", "charge_local": "charge_adc"}
            times = {f"t{part}_{which}": f"t{part}_{'global_' if which == 'global' else ''}ns" for part in (10, 50, 90) for which in ("global", "local")}
            for theirs, ours in {**baseline, **charges, **times}.items():
                table = triggers if theirs in baseline else found
                values = table[ours][()] / (2 if theirs in times else 1)  # samples of 2 ns
                expected = numpy.array([float(row[theirs]) for row in published])
                # Six digits are printed; what is 0 there must be 0 here.
                assert numpy.allclose(values, expected, rtol=1e-5, atol=1e-12, equal_nan=True), \
                    f"{window} {theirs}: {values[values != expected][:3]} is not {expected[values != expected][:3]}"


main(globals())
