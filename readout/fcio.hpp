#pragma once
// FlashCam's FCIO stream, on the wire and in files alike: a decoder over bytes as they come, which knows neither files
// nor sockets.
// source: readout/FCIO.md

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alleycat::fcio {

inline constexpr std::int32_t kProtocolTag = -1'000'000'001;  ///< begins every stream
inline constexpr std::size_t kProtocolBytes = 64;             ///< text after it, filled up with zeros
inline constexpr std::string_view kProtocol = "FlashCamV";

enum class Tag : std::int32_t { none = 0, config = 1, event = 3, status = 4, sparse_event = 6 };

inline constexpr std::uint32_t kMostTraces = 2400;
inline constexpr std::uint32_t kMostSamples = 32'768;
inline constexpr std::size_t kHeaderSamples = 2;  ///< in front of each trace: the board's baseline and integrator

/// What there is to read out.
struct Config {
    std::uint32_t adcs = 0, triggers = 0;  ///< traces of ADC channels, then those of trigger channels
    std::uint32_t samples = 0;             ///< per trace
    std::uint32_t adc_bits = 0;
    std::uint32_t master_cards = 0, trigger_cards = 0, adc_cards = 0;
    std::uint32_t gps = 0;  ///< 0: the clock runs free

    [[nodiscard]] std::uint32_t traces() const noexcept { return adcs + triggers; }
    friend bool operator==(const Config&, const Config&) = default;
};

/// One card of the status: master, trigger and ADC cards in that order.
struct CardStatus {
    std::uint32_t errors = 0;
    std::uint32_t readings = 0;                  ///< how many of those below it has
    std::array<std::int32_t, 16> environment{};  ///< 5 temperatures and, at 13 and 14, 2 more [mdegC], ...
};
struct Status {
    bool no_errors = true;
    std::vector<CardStatus> cards;
};

struct Event {
    std::int32_t type = 0;  ///< 1: an event, 2: of the pulser, 3: simulated
    bool sparse = false;    ///< holds some of the traces only
    std::int32_t number = 0;
    std::int32_t pps = 0;                              ///< seconds of the board's clock
    std::int32_t ticks = 0;                            ///< of 4 ns since the second began
    std::int32_t max_ticks = 0;                        ///< of the second before; 0: not told
    std::int32_t utc_offset_s = 0, utc_offset_us = 0;  ///< host's clock minus board's
    std::array<std::int32_t, 4> dead_region{};         ///< begin (pps, ticks) and end of the last dead time
};

/// What next() found.
enum class Item : std::uint8_t {
    need_more,            ///< nothing whole is there: add bytes
    start,                ///< a stream begins: its configuration follows
    config,               ///< config() is new
    status,               ///< status() is new
    event,                ///< event() and trace() are new
    unknown_tag,          ///< a message of a kind we do not know, skipped
    short_message,        ///< ended before all its parts were there, skipped
    bad_frame,            ///< a part of another length than it must have, or a trace that does not exist: skipped
    event_before_config,  ///< nothing tells how long its traces are, skipped
    bad_config,           ///< numbers that no FlashCam has, skipped; events after it are event_before_config
    lost,                 ///< bytes that are no stream: there is no way on. It stays so until restart().
};
inline constexpr std::array<std::string_view, 11> kItemNames{
    "need_more",           "start",      "config",     "status", "event", "unknown_tag", "short_message", "bad_frame",
    "event_before_config", "bad_config", "stream_lost"};

/// Bytes in, messages out. What event() and trace() give stands in the decoder's memory until the next call of next()
/// or space(). Memory grows to the largest message and is bounded by what the configuration lets expect.
class Decoder {
  public:
    /// Where bytes that come are to be written, at least `bytes`; then say how many with add().
    [[nodiscard]] std::span<std::byte> space(std::size_t bytes);
    void add(std::size_t bytes) noexcept { end_ += bytes; }

    [[nodiscard]] Item next();
    /// No bytes will follow: what stands there is all. An event whose last, dispensable part is missing comes out.
    [[nodiscard]] Item finish();
    /// Forgets all: another stream begins.
    void restart() noexcept;

    [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }  ///< "FlashCamV1"
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] bool has_config() const noexcept { return has_config_; }
    [[nodiscard]] const Status& status() const noexcept { return status_; }
    [[nodiscard]] const Event& event() const noexcept { return event_; }
    /// Samples of one trace of the event, little-endian uint16 at any address, shape (config().samples,) x 2 bytes;
    /// empty when the event does not have it.
    [[nodiscard]] std::span<const std::byte> trace(std::uint32_t number) const noexcept;
    /// Bytes that were added and belong to no message yet: not 0 at the end of a stream that was cut short.
    [[nodiscard]] std::size_t left_over() const noexcept { return end_ - message_; }

  private:
    struct Frame {
        std::size_t at = 0;  ///< from message_
        std::uint32_t bytes = 0;
    };
    enum class Length : std::uint8_t { right, wrong, unwanted };

    [[nodiscard]] Item begin_message(std::int32_t word);
    [[nodiscard]] Item begin_stream();
    [[nodiscard]] Item end_message(Item item) noexcept;
    [[nodiscard]] Length judge(std::uint32_t bytes) const noexcept;
    [[nodiscard]] bool is_whole() const noexcept;
    [[nodiscard]] Item parse();
    [[nodiscard]] Item parse_config();
    [[nodiscard]] Item parse_status();
    [[nodiscard]] Item parse_event();
    [[nodiscard]] std::span<const std::byte> frame(std::size_t index) const noexcept;
    [[nodiscard]] std::int32_t number(std::size_t frame, std::size_t index = 0) const noexcept;
    [[nodiscard]] std::size_t trace_bytes() const noexcept { return 2 * (config_.samples + kHeaderSamples); }

    std::vector<std::byte> buffer_;
    std::size_t message_ = 0;  ///< where the present message begins
    std::size_t at_ = 0;       ///< up to where it was looked at
    std::size_t end_ = 0;
    std::size_t skip_ = 0;  ///< bytes of a frame nobody wants that are still to come
    std::vector<Frame> frames_;
    Tag tag_ = Tag::none;  ///< of the message whose frames are collected; none: they are skipped
    bool started_ = false, lost_ = false, delivered_ = false;

    std::string protocol_;
    Config config_;
    bool has_config_ = false;
    Status status_;
    Event event_;
};

}  // namespace alleycat::fcio
