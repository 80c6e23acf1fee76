#include "readout/sis3316_link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <optional>

#include "daq/core/bytes.hpp"
#include "daq/core/error.hpp"
#include "readout/sis3316_registers.hpp"
#include "readout/udp.hpp"

namespace alleycat::sis3316 {
namespace {

using boost::asio::ip::udp;
using Clock = std::chrono::steady_clock;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kLargestPacket = 9216;      ///< a jumbo frame
constexpr std::size_t kMostPackets = 4096;        ///< of one memory read
constexpr std::size_t kSmallestPacketWords = 32;  ///< that such a read is divided into
constexpr std::uint32_t kModuleId = 0x3316;

udp::endpoint resolve(boost::asio::io_context& io, const LinkConfig& config) {
    udp::resolver resolver{io};
    ErrorCode error;
    const auto found = resolver.resolve(udp::v4(), config.host, std::to_string(config.port), error);
    if (error || found.empty()) throw Error{fmt::format("{}: {}", config.host, error.message())};
    return found.begin()->endpoint();
}

}  // namespace

/// One memory read: which of its packets came, and where each belongs. All but the last are of one length.
struct FifoRead {
    std::span<std::uint32_t> words;
    std::bitset<kMostPackets> there{};
    std::size_t packet_words = 0;  ///< 0: not known yet
    std::size_t arrived = 0, highest = 0;

    [[nodiscard]] std::size_t packets() const noexcept {
        return packet_words == 0 ? 0 : (words.size() + packet_words - 1) / packet_words;
    }
    [[nodiscard]] bool complete() const noexcept { return packet_words != 0 && arrived == packets(); }
};

struct Link::State {
    explicit State(const LinkConfig& configured) : config{configured}, socket{io} {
        const udp::endpoint board = resolve(io, config);
        ErrorCode error;
        socket.open(udp::v4(), error);
        if (!error) socket.bind(udp::endpoint{udp::v4(), config.local_port}, error);
        if (!error) socket.connect(board, error);
        if (!error) socket.non_blocking(true, error);
        if (error) throw Error{fmt::format("{}:{}: no socket: {}", config.host, config.port, error.message())};
        boost::asio::socket_base::receive_buffer_size size{config.receive_buffer_bytes};
        socket.set_option(size, error);  // as much as the system allows: read back
        socket.get_option(size, error);
        granted_bytes = error ? 0 : static_cast<std::size_t>(std::max(size.value(), 0));
        spoken = config.protocol == Protocol::automatic ? Protocol::identifier : config.protocol;
    }

    [[nodiscard]] bool with_identifier() const noexcept { return spoken == Protocol::identifier; }
    [[nodiscard]] std::size_t status_at() const noexcept { return with_identifier() ? 2 : 1; }
    void count(LinkCount what, std::uint64_t n = 1) noexcept { counts[static_cast<std::size_t>(what)] += n; }

    /// A packet of what `put` writes after command and identifier. Nobody listens: an unsent packet is a lost one.
    template <class Put>
    void send(std::uint8_t command, bool identified, Put&& put) {
        ByteWriter writer{request};
        writer.put(command);
        if (identified) writer.put(++identifier);
        put(writer);
        ErrorCode ignored;
        socket.send(boost::asio::buffer(request.data(), writer.size()), 0, ignored);
    }

    /// The next packet, or nothing until the deadline.
    std::span<const std::byte> receive(Clock::time_point deadline) {
        for (;;) {
            ErrorCode error;
            const std::size_t bytes = socket.receive(boost::asio::buffer(packet), 0, error);
            if (!error && bytes != 0) return std::span{packet}.first(bytes);
            // A refusal (nobody listens there) is no answer: the deadline is waited for all the same.
            if (Clock::now() >= deadline) return {};
            if (error == boost::asio::error::would_block) (void)wait_readable(socket, deadline);
        }
    }

    /// Before a request: what is still in the socket answers none. In the plain dialect an answer that did not come in
    /// time could be taken for another's: one time-out is listened into nothing. False: that was all there is time for.
    bool settle() {
        const bool quiet = std::exchange(must_settle, false) && !with_identifier();
        const Clock::time_point until = quiet ? Clock::now() + config.timeout : Clock::time_point{};
        while (!receive(until).empty()) count(LinkCount::packets_late);
        return !quiet;
    }

    /// Is this an answer to the request that was sent last?
    bool answers(std::span<const std::byte> bytes, std::uint8_t command) {
        if (bytes.size() <= status_at() || std::to_integer<std::uint8_t>(bytes[0]) != command) {
            // With an identifier of a request before this one it is an answer to that.
            const bool late = with_identifier() && bytes.size() > 2 && known_command(bytes[0]) && is_earlier(bytes[1]);
            count(late ? LinkCount::packets_late : LinkCount::garbage_packets);
            return false;
        }
        if (with_identifier() && std::to_integer<std::uint8_t>(bytes[1]) != identifier) {
            count(is_earlier(bytes[1]) ? LinkCount::packets_late : LinkCount::counter_mismatches);
            return false;
        }
        return true;
    }
    [[nodiscard]] bool is_earlier(std::byte id) const noexcept {
        const auto back = static_cast<std::uint8_t>(identifier - std::to_integer<std::uint8_t>(id));
        return back >= 1 && back < 128;
    }
    [[nodiscard]] static bool known_command(std::byte first) noexcept {
        const auto value = std::to_integer<std::uint8_t>(first);
        return value == command::read_link || value == command::read || value == command::write ||
               value == command::read_fifo;
    }

    /// What the status byte of an answer complains of.
    Answer complaint(std::byte byte) {
        const auto value = std::to_integer<std::uint8_t>(byte);
        if ((value & status::no_grant) != 0) {
            count(LinkCount::no_grants);
            return Answer::no_grant;
        }
        if ((value & status::protocol_error) != 0) {
            count(LinkCount::protocol_errors);
            return Answer::protocol_error;
        }
        if ((value & status::fifo_timeout) != 0) {
            count(LinkCount::fifo_timeouts);
            return Answer::fifo_timeout;
        }
        return Answer::ok;
    }

    Answer timed_out() {
        count(LinkCount::timeouts);
        must_settle = true;
        return Answer::timeout;
    }

    /// The answer to a request for registers, `reply_bytes` after the status byte.
    Answer await(std::uint8_t command, std::size_t reply_bytes, std::span<const std::byte>& reply) {
        const Clock::time_point deadline = Clock::now() + config.timeout;
        for (;;) {
            const std::span<const std::byte> bytes = receive(deadline);
            if (bytes.empty()) return timed_out();
            if (!answers(bytes, command)) continue;
            const Answer answer = complaint(bytes[status_at()]);
            if (answer != Answer::ok && !(command == command::write && answer == Answer::fifo_timeout)) return answer;
            if (bytes.size() == status_at() + 1 + reply_bytes) {
                reply = bytes.subspan(status_at() + 1);
                return Answer::ok;
            }
            count(bytes.size() < status_at() + 1 + reply_bytes ? LinkCount::short_replies : LinkCount::garbage_packets);
        }
    }

    /// Puts a packet of a memory read where it belongs.
    Answer place(std::span<const std::byte> bytes, FifoRead& read) {
        const std::byte status_byte = bytes[status_at()];
        const Answer answer = complaint(status_byte);
        if (answer != Answer::ok) return answer;
        const std::span<const std::byte> data = bytes.subspan(status_at() + 1);
        const std::size_t words = data.size() / 4;
        const unsigned number = std::to_integer<unsigned>(status_byte) & status::packet;
        if (read.packet_words == 0) {
            if (number != 0) return Answer::ok;  // where it belongs cannot be known: it counts as lost
            if (data.size() % 4 != 0 || words > read.words.size() ||
                (words < kSmallestPacketWords && words < read.words.size())) {
                count(LinkCount::short_replies);
                return Answer::ok;
            }
            read.packet_words = words;
        }
        // The counter counts to 16: the packet nearest to the one that comes next.
        const std::size_t next = read.arrived == 0 ? 0 : read.highest + 1;
        const auto ahead = static_cast<std::ptrdiff_t>((number - next + 8) & status::packet) - 8;
        const std::ptrdiff_t index = static_cast<std::ptrdiff_t>(next) + ahead;
        if (index < 0 || index >= static_cast<std::ptrdiff_t>(read.packets())) {
            count(LinkCount::counter_mismatches);
            return Answer::ok;
        }
        const auto i = static_cast<std::size_t>(index);
        const std::size_t at = i * read.packet_words;
        if (data.size() != 4 * std::min(read.packet_words, read.words.size() - at)) {
            count(LinkCount::short_replies);
            return Answer::ok;
        }
        if (read.there[i]) {
            const bool same = std::memcmp(read.words.data() + at, data.data(), data.size()) == 0;
            count(same ? LinkCount::packets_repeated : LinkCount::counter_mismatches);
            return same ? Answer::ok : Answer::timeout;
        }
        std::memcpy(read.words.data() + at, data.data(), data.size());
        read.there.set(i);
        if (read.arrived++ != 0 && i < read.highest) count(LinkCount::packets_reordered);
        read.highest = std::max(read.highest, i);
        return Answer::ok;
    }

    LinkConfig config;
    boost::asio::io_context io;
    udp::socket socket;
    Protocol spoken;
    std::uint8_t identifier = 0;  ///< of the request sent last
    bool must_settle = false;
    std::size_t granted_bytes = 0;
    LinkCounts counts{};
    std::array<std::byte, 1024> request{};
    std::array<std::byte, kLargestPacket> packet{};
};

Link::Link(const LinkConfig& config) : state_{std::make_unique<State>(config)} {}
Link::~Link() = default;

Protocol Link::protocol() const noexcept { return state_->spoken; }
const LinkCounts& Link::counts() const noexcept { return state_->counts; }
void Link::count(LinkCount what, std::uint64_t n) noexcept { state_->count(what, n); }

std::size_t Link::request_words() const noexcept {
    // The kernel tells twice what it grants and charges a packet up to 1.7 times its bytes: half of what it tells.
    const std::size_t words = state_->granted_bytes / 2 / 4;
    return std::clamp<std::size_t>(words, 256, kMostFifoWords);
}

void Link::pause(std::chrono::microseconds length) {
    boost::asio::steady_timer timer{state_->io, length};
    ErrorCode ignored;
    timer.wait(ignored);
}

Answer Link::find_protocol(std::uint32_t& module_id) {
    State& s = *state_;
    const bool automatic = s.config.protocol == Protocol::automatic;
    const LinkCounts before = s.counts;
    s.must_settle = false;  // a late answer says the same
    Answer answer = read_link(reg::modid, module_id);
    // A board of the other dialect may answer something to what it misunderstood.
    if (answer == Answer::ok && automatic && module_id >> 16 != kModuleId) answer = Answer::timeout;
    if (answer != Answer::ok && automatic) {
        s.spoken = s.spoken == Protocol::plain ? Protocol::identifier : Protocol::plain;
    }
    s.counts = before;  // to be silent, or to speak the other dialect, is no fault of a packet
    return answer;
}

void Link::reset() {
    state_->send(command::reset, false, [](ByteWriter&) {});
}

Answer Link::read_link(std::uint32_t address, std::uint32_t& value) {
    State& s = *state_;
    if (!s.settle()) return Answer::timeout;
    s.send(command::read_link, s.with_identifier(), [&](ByteWriter& to) { to.put(address); });
    const Clock::time_point deadline = Clock::now() + s.config.timeout;
    for (;;) {
        const std::span<const std::byte> bytes = s.receive(deadline);
        if (bytes.empty()) return s.timed_out();
        if (!s.answers(bytes, command::read_link)) continue;
        ByteReader reader{bytes.subspan(s.with_identifier() ? 2 : 1)};
        const auto echoed = reader.get<std::uint32_t>();
        value = reader.get<std::uint32_t>();
        if (!reader.failed() && reader.left() == 0 && echoed == address) return Answer::ok;
        s.count(reader.failed() ? LinkCount::short_replies : LinkCount::garbage_packets);
    }
}

void Link::write_link(std::uint32_t address, std::uint32_t value) {
    state_->send(command::write_link, false, [&](ByteWriter& to) {
        to.put(address);
        to.put(value);
    });
}

Answer Link::read(std::span<const std::uint32_t> addresses, std::span<std::uint32_t> values) {
    State& s = *state_;
    if (!s.settle()) return Answer::timeout;
    s.send(command::read, s.with_identifier(), [&](ByteWriter& to) {
        to.put(static_cast<std::uint16_t>(addresses.size() - 1));
        to.put_bytes(std::as_bytes(addresses));
    });
    std::span<const std::byte> reply;
    const Answer answer = s.await(command::read, addresses.size_bytes(), reply);
    if (answer == Answer::ok) std::memcpy(values.data(), reply.data(), reply.size());
    return answer;
}

Answer Link::write(std::span<const RegisterValue> registers) {
    State& s = *state_;
    if (!s.settle()) return Answer::timeout;
    s.send(command::write, s.with_identifier(), [&](ByteWriter& to) {
        to.put(static_cast<std::uint16_t>(registers.size() - 1));
        to.put_bytes(std::as_bytes(registers));
    });
    std::span<const std::byte> reply;
    return s.await(command::write, 0, reply);
}

Answer Link::read_fifo(std::uint32_t address, std::span<std::uint32_t> words) {
    State& s = *state_;
    if (!s.settle()) return Answer::timeout;
    s.send(command::read_fifo, s.with_identifier(), [&](ByteWriter& to) {
        to.put(static_cast<std::uint16_t>(words.size() - 1));
        to.put(address);
    });
    FifoRead read{.words = words};
    const Clock::time_point deadline = Clock::now() + s.config.timeout;
    while (!read.complete()) {
        const std::span<const std::byte> bytes = s.receive(deadline);
        if (bytes.empty()) {
            s.count(LinkCount::packets_lost, std::max<std::size_t>(read.packets(), 1) - read.arrived);
            return s.timed_out();
        }
        if (!s.answers(bytes, command::read_fifo)) continue;
        const Answer answer = s.place(bytes, read);
        if (answer == Answer::timeout) s.must_settle = true;
        if (answer != Answer::ok) return answer;
    }
    return Answer::ok;
}

}  // namespace alleycat::sis3316
