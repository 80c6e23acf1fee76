#include "readout/dig2_link.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <nlohmann/json.hpp>

#include "readout/asio.hpp"

namespace alleycat::dig2 {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using FrameHeader = std::array<std::byte, kFrameHeaderBytes>;

constexpr milliseconds kSlice{50};  // how often whoever waits looks at its stop token
constexpr std::size_t kFirstRoom = 4u << 20;

std::uint64_t get_be64(const FrameHeader& header) noexcept {
    std::uint64_t value;
    std::memcpy(&value, header.data(), sizeof value);
    return __builtin_bswap64(value);
}

std::uint32_t get_be32(const FrameHeader& header, std::size_t at) noexcept {
    std::uint32_t value;
    std::memcpy(&value, header.data() + at, sizeof value);
    return __builtin_bswap32(value);
}

/// A socket with deadlines: each call waits at most for the options' time-out, and no longer than until stop.
class Socket {
  public:
    explicit Socket(LinkOptions options) : options_{std::move(options)} {}

    void connect(const Address& address) {
        error_code failed;
        const std::vector<tcp::endpoint> found = resolve(address);
        asio::async_connect(socket_, found, [&](const error_code& e, const tcp::endpoint&) { failed = e; });
        await([&] { close(); }, failed, fmt::format("no connection to port {}", address.port));
        // A peer that is gone already shows with the first request.
        error_code ignored;
        socket_.set_option(tcp::no_delay{true}, ignored);
        socket_.set_option(asio::socket_base::keep_alive{true}, ignored);
    }
    template <class Buffers>
    void write(const Buffers& buffers, std::string_view what) {
        error_code failed;
        asio::async_write(socket_, buffers, [&](const error_code& e, std::size_t) { failed = e; });
        await([&] { close(); }, failed, what);
    }
    template <class Buffers>
    void read(const Buffers& buffers, std::string_view what) {
        error_code failed;
        asio::async_read(socket_, buffers, [&](const error_code& e, std::size_t) { failed = e; });
        await([&] { close(); }, failed, what);
    }
    [[nodiscard]] tcp::socket& raw() noexcept { return socket_; }
    [[nodiscard]] LinkOptions& options() noexcept { return options_; }

  private:
    /// A name is asked for; that can take as long as the system's resolver likes, so stations name addresses.
    std::vector<tcp::endpoint> resolve(const Address& address) {
        error_code failed;
        const asio::ip::address number = asio::ip::make_address(address.host, failed);
        if (!failed) return {{number, address.port}};
        tcp::resolver resolver{io_};
        std::vector<tcp::endpoint> found;
        resolver.async_resolve(address.host, std::to_string(address.port),
                               [&](const error_code& e, const tcp::resolver::results_type& results) {
                                   failed = e;
                                   for (const auto& result : results) found.push_back(result.endpoint());
                               });
        await([&] { resolver.cancel(); }, failed, "its name is not known");
        return found;
    }
    /// Runs the one operation that is under way.
    template <class Cancel>
    void await(const Cancel& cancel, error_code& failed, std::string_view what) {
        const Clock::time_point deadline = Clock::now() + options_.timeout;
        failed = {};
        io_.restart();
        while (!io_.stopped() && !options_.stop.stop_requested() && Clock::now() < deadline) {
            io_.run_for(std::min(kSlice, std::chrono::ceil<milliseconds>(deadline - Clock::now())));
        }
        if (!io_.stopped()) {
            cancel();
            io_.run();  // its handler refers to this frame
            const bool gave_up = options_.stop.stop_requested();
            throw Error{
                gave_up ? fmt::format("{}: {}: given up", options_.who, what)
                        : fmt::format("{}: {}: no answer within {} ms", options_.who, what, options_.timeout.count())};
        }
        if (failed) throw Error{fmt::format("{}: {}: {}", options_.who, what, failed.message())};
    }
    void close() noexcept {
        error_code ignored;
        socket_.close(ignored);
    }

    LinkOptions options_;
    asio::io_context io_;
    tcp::socket socket_{io_};
};

struct Reply {
    std::vector<std::string> values;
    std::string flag;
};

/// Throws Error with what is wrong with it, after `asked`.
Reply parse_reply(const std::string& text, std::string_view command, const std::string& asked) {
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    const auto text_at = [&](const char* key) -> std::string {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    };
    if (!json.is_object()) throw Error{fmt::format("{}: its reply is not JSON", asked)};
    if (text_at("cmd") != command) {
        throw Error{fmt::format("{}: its reply is one to '{}'", asked, text_at("cmd"))};
    }
    Reply reply{.values = {}, .flag = text_at("flag")};
    if (const auto found = json.find("value"); found != json.end() && found->is_array()) {
        for (const nlohmann::json& value : *found) {
            if (value.is_string()) reply.values.push_back(value.get<std::string>());
        }
    }
    const auto result = json.find("result");
    if (result == json.end() || !result->is_boolean()) {
        throw Error{fmt::format("{}: its reply has no result", asked)};
    }
    if (!result->get<bool>()) {
        throw Refused{
            fmt::format("{}: refused: {}", asked, reply.values.empty() ? "no reason given" : reply.values[0])};
    }
    return reply;
}

std::string show(std::string_view path) {
    constexpr std::size_t kShown = 80;
    return std::string{path.substr(0, kShown)};
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
    Address address;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        address.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (!port.empty() && port.front() != ':') return std::nullopt;
        if (!port.empty()) port.remove_prefix(1);
        if (port.empty() && text.back() == ':') return std::nullopt;
    } else {
        const std::size_t colon = text.find(':');
        if (colon != text.rfind(':')) return std::nullopt;  // an IPv6 address stands in brackets
        address.host = text.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = text.substr(colon + 1);
            if (port.empty()) return std::nullopt;
        }
    }
    if (address.host.empty() || address.host.find_first_of(" \t/") != std::string::npos) return std::nullopt;
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
        if (error != std::errc{} || end != port.data() + port.size() || address.port == 0) return std::nullopt;
    }
    return address;
}

// ---- control ----

struct Control::State {
    explicit State(LinkOptions options) : who{options.who}, socket{std::move(options)} {}

    Reply request(std::string_view command, std::uint32_t to, std::string_view query, std::string_view value,
                  std::string_view name) {
        const std::string asked = fmt::format("{}: {}", who, name);
        const std::string text = nlohmann::json{
            {"cmd", std::string{command}},
            {"handle", to},
            {"query", std::string{query}},
            {"value",
             std::string{value}}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        FrameHeader header{};
        const std::uint64_t length = __builtin_bswap64(text.size());
        std::memcpy(header.data(), &length, sizeof length);
        socket.write(std::array<asio::const_buffer, 2>{asio::buffer(header), asio::buffer(text)}, name);

        socket.read(asio::buffer(header), name);
        const std::uint64_t bytes = get_be64(header);
        if (bytes > kLongestReply) throw Error{fmt::format("{}: its reply says it has {} bytes", asked, bytes)};
        if (header[8] != std::byte{0}) throw Error{fmt::format("{}: its reply is of another protocol", asked)};
        std::string body(bytes, '\0');
        socket.read(asio::buffer(body), name);
        return parse_reply(body, command, asked);
    }
    /// The first value of the reply, which must be there.
    std::string ask(std::string_view command, std::uint32_t to, std::string_view query, std::string_view name) {
        Reply reply = request(command, to, query, "", name);
        if (reply.values.empty()) {
            throw Error{fmt::format("{}: {}: its reply has no value", who, name)};
        }
        return std::move(reply.values.front());
    }
    template <class Integer>
    Integer integer(const std::string& text, std::string_view name) const {
        Integer value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) {
            throw Error{fmt::format("{}: {}: '{}' is not a number", who, name, show(text))};
        }
        return value;
    }

    std::string who;
    Socket socket;
    std::uint32_t digitizer = 0;  ///< handle of the root of the board's tree
};

Control::Control(const Address& address, LinkOptions options) : state_{std::make_unique<State>(std::move(options))} {
    state_->socket.connect(address);
    constexpr std::string_view kConnecting = "connect";
    const Reply reply = state_->request("connect", 0, "", "client", kConnecting);
    if (reply.values.empty()) throw Error{fmt::format("{}: connect: its reply has no handle", state_->who)};
    state_->digitizer = state_->integer<std::uint32_t>(reply.values.front(), kConnecting);
}
Control::Control(Control&&) noexcept = default;
Control& Control::operator=(Control&&) noexcept = default;
Control::~Control() = default;

std::string Control::get(std::string_view path) { return state_->ask("getValue", state_->digitizer, path, path); }

void Control::set(std::string_view path, std::string_view value) {
    (void)state_->request("setValue", state_->digitizer, path, value, fmt::format("{} = {}", path, value));
}

bool Control::command(std::string_view path) {
    const Reply reply = state_->request("sendCommand", state_->digitizer, path, "", path);
    return reply.flag == "ARM" || reply.flag == "CLEAR" || reply.flag == "RESET";
}

std::uint16_t Control::data_port() {
    constexpr std::string_view kEndpoint = "/endpoint/raw";
    const std::string handle = state_->ask("getHandle", state_->digitizer, kEndpoint, kEndpoint);
    const std::string port =
        state_->ask("getValue", state_->integer<std::uint32_t>(handle, kEndpoint), "/port", "/endpoint/raw/port");
    return state_->integer<std::uint16_t>(port, "/endpoint/raw/port");
}

void Control::set_options(std::chrono::milliseconds timeout, std::stop_token stop) {
    state_->socket.options().timeout = timeout;
    state_->socket.options().stop = std::move(stop);
}

// ---- data ----

struct DataLink::State {
    explicit State(LinkOptions options) : socket{std::move(options)}, buffer(kFirstRoom) {}

    [[nodiscard]] std::size_t held() const noexcept { return end - begin; }
    /// What may be asked for now: the rest of this piece, and the next header once the block may be left behind.
    std::array<asio::mutable_buffer, 2> wanted() noexcept {
        const auto rest = static_cast<std::size_t>(std::min<std::uint64_t>(piece_left, buffer.size() - end));
        const bool header_too = rest == piece_left;
        return {asio::buffer(buffer.data() + end, rest),
                asio::buffer(header.data() + header_filled, header_too ? kFrameHeaderBytes - header_filled : 0)};
    }
    void took(std::size_t bytes) noexcept {
        const auto of_piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, piece_left));
        end += of_piece;
        piece_left -= of_piece;
        header_filled += bytes - of_piece;
    }
    /// A header stands ready and the block before it is consumed, or goes on with it. False: it cannot be a header.
    bool open_piece() noexcept {
        const bool goes_on = !last_piece;
        const std::uint64_t bytes = get_be64(header);
        const std::uint32_t events = get_be32(header, 8);
        header_filled = 0;
        if (bytes == 0) {
            ++empty_blocks;
            begin = end = 0;
            promised = 0;
            last_piece = true;
            return true;
        }
        block_bytes = (goes_on ? block_bytes : 0) + bytes;
        promised = (goes_on ? promised : 0) + events;
        // An event is at least a word.
        if (block_bytes > most_block_bytes || promised > block_bytes / sizeof(std::uint64_t)) return false;
        piece_left = bytes;
        last_piece = header[12] != std::byte{0};
        return true;
    }

    Socket socket;
    std::vector<std::byte> buffer;
    std::uint64_t most_block_bytes = std::uint64_t{1} << 32;  // until it is known: nonsense is larger
    std::size_t begin = 0, end = 0;                           // of what the buffer holds
    FrameHeader header{};
    std::size_t header_filled = 0;
    std::uint64_t piece_left = 0;   // bytes that the last header announced and that did not come yet
    std::uint64_t block_bytes = 0;  // all pieces of the current block so far
    std::uint64_t promised = 0;
    bool last_piece = true;  // of its block
    std::uint64_t empty_blocks = 0;
};

DataLink::DataLink(const Address& address, LinkOptions options) : state_{std::make_unique<State>(std::move(options))} {
    state_->socket.connect(address);
    error_code ignored;
    state_->socket.raw().non_blocking(true, ignored);
}
DataLink::DataLink(DataLink&&) noexcept = default;
DataLink& DataLink::operator=(DataLink&&) noexcept = default;
DataLink::~DataLink() = default;

void DataLink::limit_blocks(std::uint64_t bytes) noexcept { state_->most_block_bytes = bytes; }

DataLink::Received DataLink::receive(milliseconds wait) {
    State& s = *state_;
    // The next block's events must not mix with what is left of this one.
    if (s.header_filled == kFrameHeaderBytes && (s.held() == 0 || !s.last_piece)) {
        return s.open_piece() ? Received::bytes : Received::bad_header;
    }
    if (s.begin == s.end) s.begin = s.end = 0;
    error_code failed;
    std::size_t got = s.socket.raw().read_some(s.wanted(), failed);
    if (failed == asio::error::would_block && wait.count() > 0) {
        pollfd waiting{.fd = s.socket.raw().native_handle(), .events = POLLIN, .revents = 0};
        (void)::poll(&waiting, 1, static_cast<int>(wait.count()));
        got = s.socket.raw().read_some(s.wanted(), failed);
    }
    if (failed == asio::error::would_block || failed == asio::error::interrupted) return Received::nothing;
    if (failed) return Received::closed;
    s.took(got);
    return Received::bytes;
}

std::span<const std::byte> DataLink::bytes() const noexcept {
    return std::span{state_->buffer}.subspan(state_->begin, state_->held());
}
void DataLink::consume(std::size_t bytes) noexcept { state_->begin += std::min(bytes, state_->held()); }
bool DataLink::block_is_whole() const noexcept { return state_->piece_left == 0 && state_->last_piece; }
std::uint64_t DataLink::promised_events() const noexcept { return state_->promised; }

bool DataLink::can_bring(std::size_t bytes) const noexcept {
    const State& s = *state_;
    if (bytes <= s.held() || bytes - s.held() <= s.piece_left) return true;
    return !s.last_piece && bytes <= s.most_block_bytes;
}

void DataLink::make_room(std::size_t bytes) {
    State& s = *state_;
    if (s.begin + bytes <= s.buffer.size()) return;
    std::memmove(s.buffer.data(), s.buffer.data() + s.begin, s.held());
    s.end -= s.begin;
    s.begin = 0;
    if (bytes > s.buffer.size()) s.buffer.resize(bytes);
}

void DataLink::drop_to_empty_block() {
    State& s = *state_;
    const Clock::time_point deadline = Clock::now() + s.socket.options().timeout;
    while (s.empty_blocks == 0) {
        s.begin = s.end;
        switch (receive(kSlice)) {
            case Received::bytes: break;
            case Received::nothing: break;
            case Received::closed: throw Error{fmt::format("{}: closes its data connection", s.socket.options().who)};
            case Received::bad_header:
                throw Error{fmt::format("{}: a block header of its data makes no sense", s.socket.options().who)};
        }
        if (s.empty_blocks == 0 && (Clock::now() >= deadline || s.socket.options().stop.stop_requested())) {
            throw Error{fmt::format("{}: no empty block on its data connection within {} ms", s.socket.options().who,
                                    s.socket.options().timeout.count())};
        }
    }
    --s.empty_blocks;
}

}  // namespace alleycat::dig2
