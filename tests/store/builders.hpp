#pragma once
// Small runs with numbers that can be recomputed by hand: trigger i stands at i seconds, its sample k of channel c is
// (i + c + k) modulo 100, its coincident window holds i PE.

#include <filesystem>
#include <string>
#include <vector>

#include "daq/core/frame.hpp"
#include "tests/temporary_folder.hpp"

namespace alleycat::testing {

inline constexpr std::uint32_t kSamples = 50;
inline constexpr std::int64_t kSecondPs = 1'000'000'000'000;

/// Board "digitizer": two channels of 50 int8 samples. Board "panels": hits, uint16, any length.
/// Windows anticoincident and coincident; features: the core ones and "late_peaks"; cuts no_peak, does_not_fit,
/// pretrace.
[[nodiscard]] RunDescription make_run(std::uint64_t run);

/// Charge sequence PE; arrival at 1000 ns; every third trigger fails cut 2 (pretrace) in both windows; the
/// anticoincident window holds 1000 PE less, which is below the box.
[[nodiscard]] Event make_event(const RunDescription& run, std::uint64_t sequence);

/// Frames of one run, one after another. Each is kept by the caller; views() point into what is given.
class RunFrames {
  public:
    explicit RunFrames(RunDescription run) : run_{std::move(run)} {}
    using Frame = std::vector<std::byte>;

    [[nodiscard]] Frame start();
    /// A record of "digitizer" and, for odd sequences, two hits of "panels" with `sequence % 7` samples.
    [[nodiscard]] Frame trigger(std::uint64_t sequence);
    /// A trigger whose "digitizer" record has one channel only.
    [[nodiscard]] Frame trigger_without_veto(std::uint64_t sequence);
    /// A trigger with simulator truth: one prompt CEvNS of `sequence` photoelectrons at 10 ns.
    [[nodiscard]] Frame trigger_with_truth(std::uint64_t sequence);
    [[nodiscard]] Frame beam_states(std::uint64_t first, std::uint64_t last, BeamState state, float power_w);
    [[nodiscard]] Frame beam_frames(std::vector<BeamFrame> frames);
    [[nodiscard]] Frame dead_time(std::uint64_t first, std::uint64_t last);
    [[nodiscard]] Frame calibration(std::uint64_t from_sequence, double spe_charge_adc);
    [[nodiscard]] Frame counters(std::uint64_t sequence, CounterValues values);
    [[nodiscard]] Frame note(NoteKind kind, std::string author, std::string text);
    [[nodiscard]] Frame readings(std::vector<ReadingSample> readings);
    [[nodiscard]] Frame gap(const Gap& gap);
    [[nodiscard]] Frame end(std::uint64_t triggers, std::uint64_t refused = 0, std::uint64_t lost_estimated = 0);

    [[nodiscard]] const RunDescription& run() const noexcept { return run_; }
    [[nodiscard]] std::uint64_t next_ordinal() const noexcept { return ordinal_; }

  private:
    [[nodiscard]] Frame trigger_of(const Event& event, const std::vector<RecordView>& records);
    RunDescription run_;
    std::uint64_t ordinal_ = 0;
};

/// The frame in `bytes`; fails the test when there is none.
[[nodiscard]] FrameView view(const std::vector<std::byte>& bytes);

/// A record and the bytes it stands on.
struct OwnedRecord {
    RecordHeader header;
    std::vector<std::uint64_t> payload;
    [[nodiscard]] RecordView view() const {
        return {header, std::as_bytes(std::span{payload}).first(payload_bytes(header))};
    }
};
[[nodiscard]] OwnedRecord digitizer_record(std::uint64_t sequence, std::uint16_t channels = 2);
[[nodiscard]] OwnedRecord panels_record(std::uint64_t sequence);

/// All bytes of a file; and one of them made another.
[[nodiscard]] std::string bytes_of(const std::filesystem::path& path);
void put_byte(const std::filesystem::path& path, std::size_t at, char byte);

/// What `/usr/bin/python3 -c script args...` prints; its stderr goes to ours. Sets `status` to the exit status.
[[nodiscard]] std::string run_python(const std::string& script, const std::vector<std::string>& args, int& status);

}  // namespace alleycat::testing
