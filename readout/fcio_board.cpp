#include "readout/fcio_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

#include "daq/core/error.hpp"
#include "daq/core/time.hpp"
#include "readout/asio.hpp"
#include "readout/boards.hpp"
#include "readout/fcio_records.hpp"

namespace alleycat {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr auto kPatience = 100ms;     // next() waits no longer
constexpr auto kConnectTimeout = 5s;  // to connect, and for the configuration after it
constexpr auto kBetweenAttempts = 1s;

std::string address_of(const FcioConfig& config) { return fmt::format("{}:{}", config.host, config.port); }

}  // namespace

FcioConfig parse_fcio(ConfigSection& board, std::size_t channels) {
    FcioConfig config;
    ConfigSection section = board.section("fcio");
    if (!section.present()) {
        board.problem("source", "a FlashCam needs a table [board.fcio]");
        return config;
    }
    const std::string address = section.required_text("address");
    const std::size_t colon = address.rfind(':');
    if (section.has("address")) {
        const char* const end = address.data() + address.size();
        const char* const from = colon == std::string::npos ? end : address.data() + colon + 1;
        const auto [parsed, error] = std::from_chars(from, end, config.port);
        if (colon == 0 || error != std::errc{} || parsed != end || config.port == 0)
            section.problem("address", "'" + address + "' is not HOST:PORT");
        config.host = address.substr(0, colon);
    }
    config.traces = parse_channel_numbers(section, "traces", fcio::kMostTraces - 1);
    if (!config.traces.empty() && config.traces.size() != channels) {
        section.problem("traces", fmt::format("lists {} traces for {} channels: one each is needed",
                                              config.traces.size(), channels));
    }
    config.silent_after = std::chrono::seconds{section.integer("silent_after_s", config.silent_after.count(), 1, 3600)};
    section.finish();
    return config;
}

/// One connection at a time, and what it is waiting for. Used by one thread, which gives it time with run_for().
class FcioBoard::Link {
  public:
    enum class State : std::uint8_t { closed, connecting, open };

    Link(std::string host, std::uint16_t port) : host_{std::move(host)}, port_{port} {}
    ~Link() { close(); }

    void connect() {
        close();
        boost::system::error_code error;
        // Names are looked up while waiting for a board that is away: an address in figures is better.
        tcp::resolver resolver{io_};
        const auto endpoints = resolver.resolve(host_, std::to_string(port_), tcp::resolver::numeric_service, error);
        if (error) return fail(error.message());
        state_ = State::connecting;
        since_ = Clock::now();
        socket_.emplace(io_);
        boost::asio::async_connect(*socket_, endpoints, [this](boost::system::error_code e, const tcp::endpoint&) {
            if (e == boost::asio::error::operation_aborted) return;
            if (e) return fail(e.message());
            state_ = State::open;
            since_ = Clock::now();
        });
    }

    /// Bytes into `decoder` for as long as this takes, at most `patience`; false: nothing came.
    bool receive(fcio::Decoder& decoder, std::chrono::milliseconds patience) {
        if (state_ == State::open && !reading_) {
            reading_ = true;
            const std::span<std::byte> space = decoder.space(kReadBytes);
            socket_->async_read_some(boost::asio::buffer(space.data(), kReadBytes),
                                     [this](boost::system::error_code e, std::size_t bytes) {
                                         reading_ = false;
                                         if (e == boost::asio::error::operation_aborted) return;
                                         if (e) return fail(e == boost::asio::error::eof ? "hung up" : e.message());
                                         received_ = bytes;
                                         since_ = Clock::now();
                                     });
        }
        received_ = 0;
        if (state_ == State::closed) {
            std::this_thread::sleep_for(patience);  // there is nothing to wait for but the next attempt
        } else {
            io_.restart();
            io_.run_one_for(patience);
        }
        decoder.add(received_);
        return received_ != 0;
    }

    /// Whatever is under way ends. Its handlers must be through before anybody else writes where they were to write.
    void close() {
        if (socket_) {
            boost::system::error_code ignored;
            socket_->close(ignored);
            io_.restart();
            io_.run();
            socket_.reset();
        }
        reading_ = false;
        state_ = State::closed;
        since_ = Clock::now();
    }
    void fail(std::string why) {
        state_ = State::closed;
        since_ = Clock::now();
        why_ = std::move(why);
    }

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    /// In this state without a byte.
    [[nodiscard]] Clock::duration quiet() const { return Clock::now() - since_; }

  private:
    std::string host_;
    std::uint16_t port_;
    boost::asio::io_context io_;
    std::optional<tcp::socket> socket_;
    State state_ = State::closed;
    std::string why_;
    Clock::time_point since_ = Clock::now();
    bool reading_ = false;
    std::size_t received_ = 0;
};

struct FcioBoard::State {
    State(const BoardInfo& board, std::uint16_t board_index, const FcioConfig& c)
        : config{c}, records{board, board_index, c.traces}, link{c.host, c.port} {}

    FcioConfig config;
    FcioRecords records;
    fcio::Decoder decoder;
    DefectLog log;
    Link link;
    bool was_open = false;  ///< the present connection, for as long as it stands
    bool is_back = false;   ///< connected anew, and its configuration has not come yet
    fcio::Status status;    ///< the last one
};

FcioBoard::FcioBoard(const BoardInfo& board, std::uint16_t board_index, const FcioConfig& config)
    : state_{std::make_unique<State>(board, board_index, config)} {
    State& s = *state_;
    const auto refuse = [&](std::string_view why) {
        throw Error{fmt::format("board {} ({}): {}", board.name, address_of(config), why)};
    };
    const Clock::time_point deadline = Clock::now() + kConnectTimeout;
    s.link.connect();
    while (!s.decoder.has_config()) {
        if (s.link.state() == Link::State::closed) refuse(s.link.why());
        if (Clock::now() > deadline) {
            refuse(s.link.state() == Link::State::connecting ? "does not answer" : "sends no configuration");
        }
        (void)s.link.receive(s.decoder, kPatience);
        for (fcio::Item item = s.decoder.next(); item != fcio::Item::need_more; item = s.decoder.next()) {
            if (item == fcio::Item::config) break;
            if (item == fcio::Item::lost) refuse("is no FlashCam: what it sends does not begin like an FCIO stream");
        }
    }
    s.records.take_config(s.decoder);
    s.was_open = true;
}

FcioBoard::~FcioBoard() = default;

const BoardInfo& FcioBoard::board() const noexcept { return state_->records.board(); }

void FcioBoard::lose(std::string why) {
    State& s = *state_;
    s.link.close();
    s.was_open = false;
    s.status.cards.clear();
    s.log.count("connection_lost");
    s.log.remark(fmt::format("{}: {}", address_of(s.config), why));
    if (s.decoder.left_over() != 0) s.log.count("truncated_record");
    s.decoder.restart();
}

/// What the decoder has; true with an event.
bool FcioBoard::take_items(RecordHeader& header) {
    State& s = *state_;
    for (;;) {
        const fcio::Item item = s.decoder.next();
        switch (item) {
            case fcio::Item::need_more: return false;
            case fcio::Item::start: break;
            case fcio::Item::config:
                s.records.take_config(s.decoder);
                if (s.is_back) {
                    s.is_back = false;
                    s.log.count("reconnected");
                    s.records.restart();
                }
                break;
            case fcio::Item::status: s.status = s.decoder.status(); break;
            case fcio::Item::event:
                if (!s.records.describe(s.decoder, header, s.log)) break;
                header.utc_ns = utc_now().time_since_epoch().count();
                return true;
            case fcio::Item::lost:
                s.log.count(fcio::kItemNames[static_cast<std::size_t>(item)]);
                lose("sent bytes that are no stream");
                return false;
            case fcio::Item::unknown_tag:
            case fcio::Item::short_message:
            case fcio::Item::bad_frame:
            case fcio::Item::event_before_config:
            case fcio::Item::bad_config: s.log.count(fcio::kItemNames[static_cast<std::size_t>(item)]); break;
        }
    }
}

/// Makes the connection anew where there is none, and gives up the one that brings nothing.
void FcioBoard::watch_link() {
    State& s = *state_;
    switch (s.link.state()) {
        case Link::State::open:
            if (!s.was_open) {
                s.was_open = s.is_back = true;
                s.decoder.restart();
            }
            if (s.link.quiet() > s.config.silent_after) {
                lose(fmt::format("was silent for {} s", s.config.silent_after.count()));
            }
            break;
        case Link::State::connecting:
            if (s.link.quiet() > kConnectTimeout) s.link.close();
            break;
        case Link::State::closed:
            if (s.was_open) lose(s.link.why());
            if (s.link.quiet() > kBetweenAttempts) s.link.connect();
            break;
    }
}

RecordSource::Next FcioBoard::next(RecordHeader& header, std::stop_token stop) {
    const Clock::time_point deadline = Clock::now() + kPatience;
    while (!stop.stop_requested()) {
        if (take_items(header)) return Next::record;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left <= 0ms) break;
        (void)state_->link.receive(state_->decoder, left);
        watch_link();
    }
    return Next::idle;
}

void FcioBoard::fill(std::span<std::byte> payload) { state_->records.fill(state_->decoder, payload); }

std::vector<std::pair<std::string, std::uint64_t>> FcioBoard::defects() const { return state_->log.counts(); }

std::vector<std::string> FcioBoard::remarks() const { return state_->log.remarks(); }

std::vector<BoardReading> FcioBoard::readings() const {
    std::vector<BoardReading> readings;
    const std::vector<fcio::CardStatus>& cards = state_->status.cards;
    for (std::size_t c = 0; c < cards.size(); ++c) {
        readings.push_back({fmt::format("card{}_errors", c), static_cast<double>(cards[c].errors), ""});
        const auto temperatures = std::span{cards[c].environment}.first(std::min<std::size_t>(cards[c].readings, 5));
        if (temperatures.empty()) continue;
        const std::int32_t highest = *std::max_element(temperatures.begin(), temperatures.end());
        readings.push_back({fmt::format("card{}_temperature", c), highest / 1000.0, "degC"});
    }
    return readings;
}

std::string FcioBoard::describe_config() const {
    const fcio::Config& c = state_->decoder.config();
    return fmt::format("{} ADC and {} trigger traces of {} samples, {} bit, on {} ADC cards; its clock {}", c.adcs,
                       c.triggers, c.samples, c.adc_bits, c.adc_cards, c.gps == 0 ? "runs free" : "follows GPS");
}

BoardIdentity identify_fcio(const BoardInfo& board, const FcioConfig& config) {
    // The constructor asks all there is to ask: the connection is closed again with it.
    const FcioBoard opened{board, 0, config};
    BoardIdentity identity{.model = opened.board().model,
                           .serial = opened.board().serial,
                           .firmware = opened.board().firmware,
                           .remarks = {}};
    identity.remarks.push_back(opened.describe_config());
    return identity;
}

}  // namespace alleycat
