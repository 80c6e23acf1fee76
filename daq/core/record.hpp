#pragma once
// A record is what one board delivers for one trigger: a header, the raw samples exactly as the ADC gave them,
// and, from the simulator only, the truth. Records are written and read in place, in the ring.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

namespace alleycat {

/// The ADC's own integer type. Codes keep it until the baseline is off.
enum class SampleType : std::uint8_t { int8 = 0, uint8 = 1, int16 = 2, uint16 = 3 };

[[nodiscard]] constexpr std::size_t bytes_per_sample(SampleType type) noexcept {
    return type == SampleType::int8 || type == SampleType::uint8 ? 1 : 2;
}
[[nodiscard]] std::string_view to_text(SampleType type) noexcept;

/// Calls `f` with a value of the integer type behind `type`: with_sample_type(t, []<class T>(T) {...}).
template <class F>
constexpr decltype(auto) with_sample_type(SampleType type, F&& f) {
    switch (type) {
        case SampleType::int8: return f(std::int8_t{});
        case SampleType::uint8: return f(std::uint8_t{});
        case SampleType::int16: return f(std::int16_t{});
        case SampleType::uint16: break;
    }
    return f(std::uint16_t{});
}

/// `hit`: a self-triggered board saw something; the ticks of such a station are records of their own (TickRecord).
enum class TriggerClass : std::uint8_t { beam_tick = 0, strobe = 1, calibration = 2, random = 3, hit = 4 };
inline constexpr std::array<std::string_view, 5> kTriggerClassNames{"beam_tick", "strobe", "calibration", "random",
                                                                    "hit"};

/// Why a record holds no samples. A stub stands in the ring for every record that was refused.
enum class RefusalReason : std::uint8_t {
    none = 0,          ///< not refused: a record with samples
    buffer_full = 1,   ///< no space in the ring: the trigger stage, the data stream or the disk is behind
    bad_record = 2,    ///< the board sent something that could not be decoded
    run_stopping = 3,  ///< given up while draining
    not_kept = 4,      ///< replay: recorded, but its samples were not kept. No dead time: it was measured when it came
};
inline constexpr std::array<std::string_view, 5> kRefusalReasonNames{"none", "buffer_full", "bad_record",
                                                                     "run_stopping", "not_kept"};

/// Bits of RecordHeader::flags: what the source noticed about this record.
namespace record_flag {
inline constexpr std::uint32_t clock_backwards = 1u << 0;    ///< clock ran backwards without a roll-over
inline constexpr std::uint32_t missing_channel = 1u << 1;    ///< a configured channel is not in this record
inline constexpr std::uint32_t unexpected_length = 1u << 2;  ///< sample count differs from the board's configuration
inline constexpr std::uint32_t duplicate = 1u << 3;          ///< counter seen before
inline constexpr std::uint32_t bad_time = 1u << 4;           ///< no usable time stamp: time_ps is a stand-in
inline constexpr std::uint32_t clock_restarted = 1u << 5;    ///< first one since the board came back: its clock and
                                                             ///< counter may have begun anew
}  // namespace record_flag
inline constexpr std::array<std::string_view, 6> kRecordFlagNames{
    "clock_backwards", "missing_channel", "unexpected_length", "duplicate", "bad_time", "clock_restarted"};

inline constexpr std::uint64_t kNoSequence = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::size_t kMaxChannels = 64;
inline constexpr std::size_t kMaxBoards = 16;

/// Fixed part of a record, little endian as in memory. No padding: it is journalled and sent as it stands.
struct RecordHeader {
    std::uint64_t counter = 0;              ///< board's trigger counter, unwrapped; the refused ones count too
    std::uint64_t clock = 0;                ///< board's clock as delivered [its own ticks, not unwrapped]
    std::int64_t time_ps = 0;               ///< board's clock, unwrapped [ps]; its origin is the board's
    std::int64_t utc_ns = 0;                ///< what the host observed [ns since 1970]
    std::uint64_t sequence = kNoSequence;   ///< recorded membership (replay of an Alleycat file); else kNoSequence
    std::uint64_t channel_mask = 0;         ///< channels present, bit = index in the board's channel list
    std::uint32_t samples_per_channel = 0;  ///< stub: how many of its triggers are beam ticks
    std::uint32_t refused = 0;              ///< stub: how many consecutive triggers it stands for; else 0
    std::int64_t refused_last_time_ps = 0;  ///< stub: time of the last of them
    std::uint32_t flags = 0;                ///< record_flag
    std::uint16_t board = 0;                ///< index in the station's board list
    std::uint16_t channels = 0;             ///< number of channels in the payload
    std::uint16_t truth_count = 0;          ///< TruthPulses after the samples (simulator only)
    SampleType sample_type = SampleType::int8;
    TriggerClass trigger_class = TriggerClass::beam_tick;
    RefusalReason refusal = RefusalReason::none;
    std::array<std::uint8_t, 3> reserved{};

    friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};
static_assert(std::is_trivially_copyable_v<RecordHeader> && std::has_unique_object_representations_v<RecordHeader>);
static_assert(sizeof(RecordHeader) == 80);

/// What the simulator put into a trace: one row per injected event.
enum class TruthKind : std::uint8_t {
    cevns_prompt = 0,
    cevns_delayed = 1,
    prompt_neutron = 2,
    background = 3,
    cherenkov = 4,
    big_pulse = 5,
    gated = 6,
    muon_veto = 7,
    nuclear_recoil = 8,
    electron_recoil = 9,
    neutron = 10,
    gamma = 11,
    neutron_capture = 12,
    preamp_reset = 13,
    beam_pulse = 14,  ///< in the beam-rich channel
};
inline constexpr std::array<std::string_view, 15> kTruthKindNames{
    "cevns_prompt", "cevns_delayed", "prompt_neutron",  "background",     "cherenkov",
    "big_pulse",    "gated",         "muon_veto",       "nuclear_recoil", "electron_recoil",
    "neutron",      "gamma",         "neutron_capture", "preamp_reset",   "beam_pulse"};

struct TruthPulse {
    float onset_ns = 0;                ///< from the first sample of the trace [ns]
    std::uint32_t photoelectrons = 0;  ///< number injected
    TruthKind kind = TruthKind::background;
    std::array<std::uint8_t, 3> reserved{};

    friend bool operator==(const TruthPulse&, const TruthPulse&) = default;
};
static_assert(std::is_trivially_copyable_v<TruthPulse> && sizeof(TruthPulse) == 12);

/// Bytes of samples and truth that follow the header.
[[nodiscard]] constexpr std::size_t payload_bytes(const RecordHeader& h) noexcept {
    const std::size_t samples = std::size_t{h.channels} * h.samples_per_channel * bytes_per_sample(h.sample_type);
    return (samples + 3) / 4 * 4 + h.truth_count * sizeof(TruthPulse);
}

/// A record where it stands: header and payload in the ring, in a frame or in a file's buffer.
class RecordView {
  public:
    RecordView() noexcept = default;
    /// `payload` holds payload_bytes(header) bytes and is at least 4-byte aligned.
    RecordView(const RecordHeader& header, std::span<const std::byte> payload) noexcept
        : header_{&header}, payload_{payload} {}

    [[nodiscard]] const RecordHeader& header() const noexcept { return *header_; }
    [[nodiscard]] std::span<const std::byte> payload() const noexcept { return payload_; }
    [[nodiscard]] bool is_stub() const noexcept { return header_->refusal != RefusalReason::none; }

    /// All samples, shape (channels, samples_per_channel), raw ADC codes.
    [[nodiscard]] std::span<const std::byte> sample_bytes() const noexcept {
        return payload_.first(std::size_t{header_->channels} * header_->samples_per_channel *
                              bytes_per_sample(header_->sample_type));
    }
    /// Raw codes of the channel that stands at `position` in the payload, shape (samples_per_channel,).
    template <class Sample>
    [[nodiscard]] std::span<const Sample> channel(std::size_t position) const noexcept {
        const std::size_t n = header_->samples_per_channel;
        return {reinterpret_cast<const Sample*>(payload_.data()) + position * n, n};
    }
    [[nodiscard]] std::span<const TruthPulse> truth() const noexcept {
        const std::size_t bytes = header_->truth_count * sizeof(TruthPulse);
        return {reinterpret_cast<const TruthPulse*>(payload_.data() + (payload_.size() - bytes)), header_->truth_count};
    }

  private:
    const RecordHeader* header_ = nullptr;
    std::span<const std::byte> payload_;
};

}  // namespace alleycat
