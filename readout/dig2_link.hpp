#pragma once
// The two TCP connections to a CAEN 27xx: control (requests in JSON) and data (blocks of events). Protocol: DIG2.md.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/error.hpp"

namespace alleycat::dig2 {

inline constexpr std::uint16_t kControlPort = 0xCAE0;
inline constexpr std::size_t kFrameHeaderBytes = 32;  ///< before every request, reply and block
inline constexpr std::uint64_t kLongestReply = 16u << 20;

struct Address {
    std::string host;  ///< a name or an address
    std::uint16_t port = kControlPort;

    friend bool operator==(const Address&, const Address&) = default;
};
/// "10.0.0.12", "digitizer.lab:51936", "[fd00::1]:51936"; nullopt: none of these.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

/// Whom an error names, and how long the board has for an answer.
struct LinkOptions {
    std::string who;  ///< "board adc (10.0.0.12)"
    std::chrono::milliseconds timeout{3000};
    std::stop_token stop{};  ///< whoever waits for the board gives up
};

/// The board answered, and said no.
class Refused : public Error {
  public:
    using Error::Error;
};

/// The control connection: one request, one reply. Every failure is an Error that names board, address and parameter.
class Control {
  public:
    /// Connects and introduces itself.
    Control(const Address& address, LinkOptions options);
    Control(Control&&) noexcept;
    Control& operator=(Control&&) noexcept;
    ~Control();

    [[nodiscard]] std::string get(std::string_view path);
    void set(std::string_view path, std::string_view value);
    /// True: the board forgets its data with it, and says so by an empty block on the data connection.
    bool command(std::string_view path);
    /// Of the data connection.
    [[nodiscard]] std::uint16_t data_port();
    /// For the requests that follow.
    void set_options(std::chrono::milliseconds timeout, std::stop_token stop);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The data connection. A block is events one after another; a long one comes in several pieces, joined here. The
/// bytes of one block at a time stand here until they are consumed.
class DataLink {
  public:
    enum class Received : std::uint8_t {
        bytes,       ///< something came
        nothing,     ///< not within the time
        closed,      ///< the connection is gone
        bad_header,  ///< a block header that cannot be: where the next one is nobody knows
    };

    DataLink(const Address& address, LinkOptions options);
    DataLink(DataLink&&) noexcept;
    DataLink& operator=(DataLink&&) noexcept;
    ~DataLink();

    /// A header that says more than this is no header.
    void limit_blocks(std::uint64_t bytes) noexcept;
    /// Takes what has come, waiting for it at most so long. Allocates nothing.
    [[nodiscard]] Received receive(std::chrono::milliseconds wait);
    /// What came of the current block and was not consumed yet.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
    void consume(std::size_t bytes) noexcept;
    /// The current block came whole.
    [[nodiscard]] bool block_is_whole() const noexcept;
    /// Events that the headers of the current block promise.
    [[nodiscard]] std::uint64_t promised_events() const noexcept;
    /// Room for so many bytes that belong together. Only here memory is taken.
    void make_room(std::size_t bytes);
    /// So many bytes may be in what is left of the current block, as far as its headers say.
    [[nodiscard]] bool can_bring(std::size_t bytes) const noexcept;

    /// Drops all until the empty block that follows a connection, arm, clear or reset. Throws Error without one.
    void drop_to_empty_block();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace alleycat::dig2
