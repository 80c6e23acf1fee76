#pragma once
// The SIS3316's Ethernet interface: requests and answers over UDP, in its two dialects.
//
// Boards whose VME FPGA is V_3316-2008 or later put one byte, a packet identifier, after the command and repeat it in
// the answer; older ones do not. With it an answer that comes late is known for what it is. Without, the link keeps
// quiet for one time-out after an answer did not come, and a memory read that failed is asked for again from its
// beginning, never from where it broke off: so a packet of the first try says what the same packet of the second does.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace alleycat::sis3316 {

enum class Protocol : std::uint8_t { automatic, plain, identifier };

struct LinkConfig {
    std::string host;  ///< name or address
    std::uint16_t port = 0xE000;
    std::uint16_t local_port = 0;  ///< 0: any
    Protocol protocol = Protocol::automatic;
    std::chrono::milliseconds timeout{50};
    int receive_buffer_bytes = 8 << 20;  ///< asked for; the system grants what net.core.rmem_max allows
};

enum class Answer : std::uint8_t {
    ok,
    timeout,         ///< no answer, or not a whole one
    no_grant,        ///< the board takes no orders from this interface
    fifo_timeout,    ///< the memory gave no words
    protocol_error,  ///< the board did not understand
};

/// Each thing that can go wrong on the way has a counter of its own.
enum class LinkCount : std::uint8_t {
    timeouts,            ///< requests that nothing, or not all, was answered to in time
    rerequests,          ///< memory reads asked for again
    packets_lost,        ///< packets of a memory read that never came
    packets_repeated,    ///< came twice
    packets_reordered,   ///< came after a later one
    packets_late,        ///< answers to a request that was given up (known by their identifier)
    counter_mismatches,  ///< packet counter that cannot be, or two packets of one number that differ
    short_replies,       ///< end before their length says
    garbage_packets,     ///< not an answer to anything
    no_grants,           ///< status bit 4
    fifo_timeouts,       ///< status bit 5
    protocol_errors,     ///< status bit 6
};
inline constexpr std::array<std::string_view, 12> kLinkCountNames{
    "timeouts",          "rerequests",   "packets_lost",       "packets_repeated",
    "packets_reordered", "packets_late", "counter_mismatches", "short_replies",
    "garbage_packets",   "no_grants",    "fifo_timeouts",      "protocol_errors"};
using LinkCounts = std::array<std::uint64_t, kLinkCountNames.size()>;

struct RegisterValue {
    std::uint32_t address = 0, value = 0;
};

/// No request takes longer than one time-out; none is repeated here. Used by one thread.
class Link {
  public:
    /// Throws Error when the address cannot be resolved or no socket be had.
    explicit Link(const LinkConfig& config);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    /// Asks for the module id in the configured dialect, or in each by turns; what is answered is spoken from then on.
    [[nodiscard]] Answer find_protocol(std::uint32_t& module_id);
    [[nodiscard]] Protocol protocol() const noexcept;

    /// Clears the board's end of the link. No answer comes.
    void reset();

    /// Registers below 0x20, which belong to the interface itself: no grant is needed. A write has no answer.
    [[nodiscard]] Answer read_link(std::uint32_t address, std::uint32_t& value);
    void write_link(std::uint32_t address, std::uint32_t value);

    /// All other registers, at most 64 at once. `values` is as long as `addresses`.
    [[nodiscard]] Answer read(std::span<const std::uint32_t> addresses, std::span<std::uint32_t> values);
    [[nodiscard]] Answer write(std::span<const RegisterValue> registers);

    /// The next words that a transfer delivers, at most request_words(). Anything but `ok`: start it anew.
    [[nodiscard]] Answer read_fifo(std::uint32_t address, std::span<std::uint32_t> words);

    /// Words whose packets fit into the socket's buffer together, as the system granted it.
    [[nodiscard]] std::size_t request_words() const noexcept;

    /// Waits without listening.
    void pause(std::chrono::microseconds length);

    [[nodiscard]] const LinkCounts& counts() const noexcept;
    void count(LinkCount what, std::uint64_t n = 1) noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat::sis3316
