#include <hdf5.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "builders.hpp"
#include "daq/core/error.hpp"
#include "daq/store/single_file_writer.hpp"

using namespace alleycat;
using namespace alleycat::testing;

namespace {

/// 40 triggers (20 to 22 refused), beam on for all but 0 to 4 (off), 5 (no-beam cycle) and 39 (never resolved).
void write_run(const std::filesystem::path& file, Compression compression, const RawSelection& raw = RawData::all) {
    SingleFileWriter writer{file, compression, raw};
    RunFrames frames{make_run(123)};
    const auto put = [&](const RunFrames::Frame& frame) { writer.append(view(frame)); };
    put(frames.start());
    put(frames.calibration(0, 70));
    put(frames.beam_frames({{1000, 105, 1.0e6f, 24e6f, 17, 3, 1, {}}, {2000, 106, -1, -1, 0x3FF, 0, 0, {}}}));
    for (std::uint64_t s = 0; s < 40; ++s) {
        if (s == 10) put(frames.counters(10, {{"readout.digitizer.refused", 0}}));
        if (s == 20) put(frames.dead_time(20, 22));
        if (s >= 20 && s <= 22) continue;
        put(s == 30 ? frames.trigger_without_veto(s) : s == 31 ? frames.trigger_with_truth(s) : frames.trigger(s));
        if (s == 25) (void)writer.sync();  // a part is read and goes on
    }
    put(frames.beam_states(6, 38, BeamState::on, 1.2e6f));
    put(frames.beam_states(0, 4, BeamState::off, 0));
    put(frames.beam_states(5, 5, BeamState::no_beam_cycle, 1.2e6f));
    put(frames.note(NoteKind::comment, "ann", "cart \xC2\xB5"));
    put(frames.note(NoteKind::tainted, "bob", std::string(1000, 'x')));
    put(frames.readings({{3'000, 1, {"temperature_core", 41.5, "degC"}}, {3'000, 0, {"busy", 0.25, ""}}}));
    put(frames.readings({{4'000, 1, {"temperature_core", 40.75, "degC"}}}));
    put(frames.counters(40, {{"readout.digitizer.refused", 3}, {"run.new/one", 9}}));
    put(frames.end(40, 3));
    writer.finish();
}

constexpr const char* kCheck = R"PY(
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1], "r")
def eq(got, expected, what):
    assert np.array_equal(got, expected), (what, got, expected)
eq(f.attrs["format"], "alleycat", "format"); eq(f.attrs["format_version"], 3, "version")
eq(f.attrs["run"], 123, "run"); eq(f.attrs["part"], 1, "part")
eq(f.attrs["start_time_utc"], "2015-10-02T12:00:00.000Z", "start"); eq(f.attrs["profile"], "csi", "profile")
eq(f.attrs["software"], "alleycat test", "software"); eq(f.attrs["host"], "somewhere", "host")
eq(f.attrs["end_time_utc"], "2015-10-02T12:00:00.000Z", "end"); eq(f.attrs["test_run"], 1, "test"); eq(f.attrs["revision"], "abc123", "revision")
eq(f.attrs["compiler"], "GCC 12.2.0", "compiler"); assert f.attrs["libraries"].startswith("HDF5 1.") and ",blosc 1." in f.attrs["libraries"]
eq(f.attrs["boards"], "digitizer,panels", "boards"); eq(f.attrs["board_serials"], "A1,", "serials")
eq(f["raw"].attrs["datatype"], "struct{digitizer,panels}", "raw"); eq(f["windows"].attrs["datatype"], "struct{anticoincident,coincident}", "windows")
c = f["comments"]
eq(c["kind"][:], [0, 2], "kinds"); assert c["kind"].attrs["values"] == "comment,good,tainted" and c["utc_ns"].attrs["units"] == "ns"
eq(c["author"].asstr()[:], ["ann", "bob"], "authors"); eq(c["text"].asstr()[:], ["cart \u00b5", "x" * 1000], "texts")
r = f["readings"]
eq(r["utc_ns"][:], [3000, 3000, 4000], "reading times"); eq(r["board"][:], [1, 0, 1], "their boards"); eq(r["value"][:], [41.5, 0.25, 40.75], "readings")
eq(r["name"].asstr()[:], ["temperature_core", "busy", "temperature_core"], "their names"); eq(r["unit"].asstr()[:], ["degC", "", "degC"], "their units")
assert f["config"].asstr()[()] == '[station]\nprofile = "csi"  # mu: \u00b5\n'

seq = np.array([s for s in range(40) if not 20 <= s <= 22], dtype=np.uint64)
t = f["triggers"]
eq(t["sequence"][:], seq, "sequence"); assert t["sequence"].dtype == np.uint64
eq(t["time_ps"][:], seq.astype(np.int64) * 10**12, "time"); assert t["time_ps"].attrs["units"] == "ps"
assert t["utc_ns"].attrs["units"] == "ns" and t["utc_ns"].dtype == np.int64
state = np.where(seq < 5, 0, np.where(seq == 5, 2, np.where(seq == 39, -1, 1)))
eq(t["beam_state"][:], state, "beam_state"); assert t["beam_state"].dtype == np.int8
power = np.where(seq < 5, 0, np.where(seq == 39, -1, 1.2e6)).astype(np.float32)
eq(t["beam_power_w"][:], power, "power"); assert t["beam_power_w"].attrs["units"] == "W"
assert t["flags"].attrs["bits"].split(",")[:3] == ["overflow", "muon_veto", "linear_gate"]
eq(t["flags"][:], np.where(seq % 5 == 0, 2, 0), "flags")
eq(t["baseline_sigma_adc"][:], np.full(37, 1.5), "sigma"); assert t["baseline_sigma_adc"].attrs["units"] == "adc"

names = t.attrs["datatype"]
assert names.startswith("table{") and set(names[6:-1].split(",")) == set(t.keys()), names
for w, offset in (("coincident", 0), ("anticoincident", 1000)):
    g = f["windows/" + w]
    assert set(g.attrs["datatype"][6:-1].split(",")) == set(g.keys())
    eq(g["sequence"][:], seq, w); eq(g["charge_pe"][:], seq.astype(float) - offset, "charge")
    assert g["charge_pe"].attrs["units"] == "pe" and g["charge_adc"].attrs["units"] == "adc*sample" and g["t50_ns"].attrs["units"] == "ns"
    eq(g["cuts"][:], np.where(seq % 3 == 0, 4, 0), "cuts"); eq(g["accepted"][:], seq % 3 != 0, "accepted")
    assert g["cuts"].attrs["bits"] == "no_peak,does_not_fit,pretrace"
    assert g["pretrace_peaks"].dtype == np.uint32 and g["arrival_sample"].dtype == np.int32 and g["charge_adc"].dtype == np.float64
    eq(g["late_peaks"][:], np.full(37, 4), "own feature")
    assert g.attrs["role"] == w
assert np.isnan(f["windows/anticoincident/arrival_ns"][:]).all()

d = f["raw/digitizer"]
regular = np.array([s for s in seq if s != 30])
eq(d["sequence"][:], regular, "raw sequence")
samples = d["samples"]
assert samples.shape == (36, 2, 50) and samples.dtype == np.int8 and samples.fletcher32
assert samples.attrs["datatype"] == "array_of_equalsized_arrays<1,2>{real}" and samples.attrs["units"] == "adc"
expected = (regular[:, None, None].astype(int) + np.arange(2)[None, :, None] + np.arange(50)[None, None, :]) % 100
eq(samples[:], expected, "samples")
eq(d["counter"][:], regular + 100, "counter"); eq(d["clock"][:], regular * 2000, "clock"); eq(d["flags"][:], 0 * regular, "flags")
assert d["time_ps"].attrs["units"] == "ps" and d.attrs["channels"] == "csi,veto" and d.attrs["sample_period_ps"] == 2000
assert d["flags"].attrs["bits"] == "clock_backwards,missing_channel,unexpected_length,duplicate,bad_time,clock_restarted"
i = d["irregular"]
eq(i["sequence"][:], [30], "irregular"); eq(i["samples/cumulative_length"][:], [50], "ends"); eq(i["flags"][:], [2], "irregular flags")
eq(i["samples/flattened_data"][:], (30 + np.arange(50)) % 100, "irregular samples")

p = f["raw/panels"]
hits = np.array([s for s in seq if s % 2 == 1 and s != 31])
eq(p["sequence"][:], np.repeat(hits, 2), "hits"); eq(p["channel"][:], np.tile([0, 2], len(hits)), "channels")
lengths = np.repeat(hits % 7, 2)
eq(p["samples/cumulative_length"][:], np.cumsum(lengths), "cumulative_length")
assert p["samples"].attrs["datatype"] == "array<1>{array<1>{real}}" and p["samples/flattened_data"].dtype == np.uint16
eq(p["samples/flattened_data"][:], np.concatenate([40000 + s + np.arange(2 * (s % 7)) for s in hits]), "hit samples")

eq(f["ticks/sequence"][:], seq, "ticks"); eq(f["ticks/flags"][:], t["flags"][:], "tick flags")
eq(f["beam/cycle"][:], [17, 1023], "cycle"); eq(f["beam/charge_pc"][:], np.float32([24e6, -1]), "charge"); eq(f["beam/tick"][:], [105, 106], "tick")
assert f["beam/charge_pc"].attrs["units"] == "pC"
eq(f["truth/sequence"][:], [31], "truth"); eq(f["truth/photoelectrons"][:], [31], "truth pe"); eq(f["truth/kind"][:], [0], "kind")
assert f["truth/kind"].attrs["values"].split(",")[0] == "cevns_prompt"
eq(f["calibration/spe_charge_adc"][:], [70], "calibration"); assert f["calibration/spe_charge_adc"].attrs["units"] == "adc*sample"
eq(f["dead_time/first_sequence"][:], [20], "dead time"); eq(f["dead_time/last_sequence"][:], [22], "dead time")
assert f["dead_time/reason"].attrs["values"].split(",")[f["dead_time/reason"][0]] == "buffer_full"
eq(f["counters/sequence"][:], [10, 40], "counters"); eq(f["counters/readout.digitizer.refused"][:], [0, 3], "counter"); eq(f["counters/run.new_one"][:], [0, 9], "late counter")

s = f["summary"].attrs
eq(s["triggers"], 37, "triggers"); eq(s["first_sequence"], 0, "first"); eq(s["last_sequence"], 39, "last"); eq(s["refused_buffer_full"], 3, "refused")
assert s["end_reason"] == "stopped" and s["clean"] == 1 and s["run_ended"] == 1
assert s["quality"] == "degraded,tainted", s["quality"]
reasons = s["quality_reasons"].split("\n")
assert reasons[0] == "degraded: 3 of 40 triggers were refused" and reasons[1].startswith("tainted: xxx") and len(reasons) == 2
x = f["summary/exposure"].attrs
eq([x["ticks_on"], x["ticks_off"], x["ticks_no_beam_cycle"], x["ticks_unknown"]], [30, 5, 1, 1], "exposure")
assert abs(x["beam_energy_gwh"] - 30 * 1.2e6 / 60 / 3.6e12) < 1e-18
flow = f["summary/cut_flow/coincident"].attrs
cut = int((seq % 3 == 0).sum())
eq([flow["rows"], flow["accepted"], flow["rejected_pretrace"], flow["rejected_no_peak"]], [37, 37 - cut, cut, 0], "cut flow")
box = [q for q in seq if q % 3 and 6 <= q < 30]      # beam on, 6 <= PE < 30
eq(f["summary/box/coincident"].attrs["beam_tick"], [0, len(box), 0, 0], "box"); eq(f["summary/excess"].attrs["n_on"], len(box), "n_on")
eq(f["summary/excess"].attrs["n_off"], 0, "n_off"); eq(f["summary/ledger"].attrs["recorded"], 37, "ledger")

def visit(name, o):
    if isinstance(o, h5py.Dataset) and name not in ("config", "run_description"):
        assert "units" in o.attrs and o.attrs["datatype"].startswith("array"), name
        assert o.fletcher32, name
f.visititems(visit)
print("all equal")
)PY";

}  // namespace

TEST_CASE("stock h5py finds every number, unit and LH5 datatype of a part, with each compression", "[store][h5py]") {
    for (const Compression compression : {Compression::none, Compression::deflate, Compression::blosc}) {
        const TemporaryFolder folder;
        write_run(folder / "a.h5", compression);
        REQUIRE_FALSE(std::filesystem::exists(folder / "a.h5.part"));
        int status = 0;
        REQUIRE(run_python(kCheck, {(folder / "a.h5").string()}, status) == "all equal\n");
        REQUIRE(status == 0);
    }
}

TEST_CASE("HDF5's own C API reads the samples of a part and verifies their checksum", "[store][hdf5]") {
    const TemporaryFolder folder;
    write_run(folder / "a.h5", Compression::blosc);
    const hid_t file = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    REQUIRE(file >= 0);
    const hid_t samples = H5Dopen2(file, "/raw/digitizer/samples", H5P_DEFAULT);
    const hid_t type = H5Dget_type(samples);
    REQUIRE(H5Tequal(type, H5T_STD_I8LE) > 0);
    std::vector<std::int8_t> codes(36 * 2 * kSamples);
    REQUIRE(H5Dread(samples, H5T_NATIVE_INT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, codes.data()) >= 0);
    REQUIRE(codes[0] == 0);
    REQUIRE(codes[1 * 100 + 50 + 3] == 5);     // record 1 is trigger 1, channel 1, sample 3
    REQUIRE(codes[35 * 100 + 49] == 39 + 49);  // the last record is trigger 39
    const hid_t creation = H5Dget_create_plist(samples);
    REQUIRE(H5Pget_nfilters(creation) == 2);
    REQUIRE(H5Pall_filters_avail(creation) > 0);
    for (const hid_t id : {creation, type}) H5Idec_ref(id);
    H5Dclose(samples);
    H5Fclose(file);
}

TEST_CASE("raw data are kept of all, of accepted, or of no triggers", "[store][part]") {
    const TemporaryFolder folder;
    write_run(folder / "accepted.h5", Compression::none, RawData::accepted);
    write_run(folder / "none.h5", Compression::none, RawData::none);
    int status = 0;
    const std::string script = R"PY(
import sys, h5py
a, n = h5py.File(sys.argv[1]), h5py.File(sys.argv[2])
s = a["raw/digitizer/sequence"][:]
print(len(s), (s % 3 == 0).any(), len(a["triggers/sequence"]), "raw" in n, len(n["truth/kind"]))
)PY";
    // 37 triggers, of which 0 3 6 ... 39 but 21 (refused) fail a cut: 13; one more (none: 30 is divisible by 3) is
    // irregular.
    REQUIRE(run_python(script, {(folder / "accepted.h5").string(), (folder / "none.h5").string()}, status) ==
            "24 False 37 False 1\n");
}

TEST_CASE("of the triggers that were not accepted every so many-th keeps its samples", "[store][part]") {
    const TemporaryFolder folder;
    write_run(folder / "rest.h5", Compression::blosc, {RawData::accepted, 9});
    int status = 0;
    const std::string script = R"PY(
import sys, h5py
f = h5py.File(sys.argv[1])
kept = sorted(set(f["raw/digitizer/sequence"][:]))
print([int(s) for s in kept if s % 3 == 0], sum(s % 3 != 0 for s in kept), f.attrs["raw"], f.attrs["raw_prescale"])
)PY";
    // Triggers divisible by 3 fail a cut; of these 0 9 18 27 36 are divisible by 9. The 24 others are accepted.
    REQUIRE(run_python(script, {(folder / "rest.h5").string()}, status) == "[0, 9, 18, 27, 36] 24 accepted 9\n");
}

TEST_CASE("no file is ever overwritten, neither the final one nor one being written", "[store][part]") {
    const TemporaryFolder folder;
    std::ofstream{folder / "a.h5"} << "precious";
    REQUIRE_THROWS_WITH(SingleFileWriter(folder / "a.h5", Compression::none, RawData::all),
                        Catch::Contains("a.h5: exists already and is not overwritten"));
    std::ofstream{folder / "b.h5.part"} << "precious";
    REQUIRE_THROWS_WITH(SingleFileWriter(folder / "b.h5", Compression::none, RawData::all),
                        Catch::Contains("b.h5.part: exists already"));

    // A file that appears while the part is written.
    RunFrames frames{make_run(1)};
    SingleFileWriter writer{folder / "c.h5", Compression::none, RawData::all};
    writer.append(view(frames.start()));
    std::ofstream{folder / "c.h5"} << "precious";
    REQUIRE_THROWS_WITH(writer.finish(), Catch::Contains("c.h5: exists already"));
    for (const char* name : {"a.h5", "b.h5.part", "c.h5"}) {
        std::stringstream text;
        text << std::ifstream{folder / name}.rdbuf();
        REQUIRE(text.str() == "precious");
    }
}

TEST_CASE("frames that do not follow each other, or contradict their run, are refused by number", "[store][part]") {
    const TemporaryFolder folder;
    RunFrames frames{make_run(9)};
    const auto start = frames.start(), first = frames.trigger(0), second = frames.trigger(1), third = frames.trigger(2);
    SingleFileWriter writer{folder / "a.h5", Compression::none, RawData::all};
    REQUIRE_THROWS_WITH(writer.append(view(first)),
                        Catch::Contains("run 9: frame 1 came first: frames 0 to 0 are missing"));
    writer.append(view(start));
    writer.append(view(first));
    REQUIRE_THROWS_WITH(writer.append(view(third)),
                        Catch::Contains("run 9: frame 3 came after frame 1: frames 2 to 2 are missing"));
    writer.append(view(first));  // taken before: ignored
    writer.append(view(second));
    RunFrames narrow{[] {
        RunDescription run = make_run(9);
        run.windows.pop_back();
        return run;
    }()};
    for (int i = 0; i < 3; ++i) (void)narrow.start();  // same run, next ordinal, another number of windows
    Event event = make_event(narrow.run(), 5);
    event.window_count = 1;
    Trigger trigger;
    std::vector<std::byte> space(4096);
    space.resize(encode_trigger(space, 9, 3, trigger, event));
    REQUIRE_THROWS_WITH(writer.append(view(space)), Catch::Contains("run 9, frame 3: its event has 1 windows"));
    event = make_event(narrow.run(), 0);
    space.resize(4096);
    space.resize(encode_trigger(space, 9, 3, trigger, event));
    REQUIRE_THROWS_WITH(writer.append(view(space)), Catch::Contains("trigger 0 came after trigger 1"));
    writer.append(view(third));
    writer.finish();
}

/// Stands in for matplotlib, which the build needs for nothing else: prints what would be drawn.
const std::string kNoPlot = R"PY(
import sys, types
matplotlib, pyplot = types.ModuleType("matplotlib"), types.ModuleType("matplotlib.pyplot")
matplotlib.pyplot = pyplot
pyplot.stairs = lambda values, edges, label: print(label, f"from {edges[3]} to {edges[4]}: {values[3]}")
pyplot.xlabel = lambda text: None
pyplot.legend, pyplot.savefig = (lambda: None), print
sys.modules.update({"matplotlib": matplotlib, "matplotlib.pyplot": pyplot})
)PY";

TEST_CASE("the examples of FORMAT.md run as they stand", "[store][h5py]") {
    const TemporaryFolder folder;
    write_run(folder / "a.h5", Compression::blosc);
    std::ifstream document{std::string{ALLEYCAT_SOURCE_DIR} + "/daq/store/FORMAT.md"};
    std::vector<std::string> scripts;
    bool inside = false;
    for (std::string line; std::getline(document, line);) {
        if (line == "```python") {
            inside = true;
            scripts.emplace_back();
        } else if (line == "```") {
            inside = false;
        } else if (inside) {
            scripts.back() += line + "\n";
        }
    }
    REQUIRE(scripts.size() == 2);
    int status = -1;
    // Accepted, beam on, coincident: 6 <= s <= 38 without multiples of 3 and 20, 22 = 20 windows, first bins [6,8)
    // holds 7.
    const std::string spectra = run_python(kNoPlot + scripts[0], {(folder / "a.h5").string()}, status);
    REQUIRE(status == 0);
    REQUIRE(spectra == "coincident: 20 from 6 to 8: 1\nanticoincident: 0 from 6 to 8: 0\nspectra.png\n");
    REQUIRE(std::ranges::count(scripts[0], '\n') <= 20);
    const std::string waveforms = run_python(scripts[1], {(folder / "a.h5").string()}, status);
    REQUIRE(status == 0);
    REQUIRE_THAT(waveforms, Catch::Contains("trigger 39"));
}
