#pragma once
// From [board.caen] to a board that runs, call by call.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/run_description.hpp"
#include "readout/caen_board_config.hpp"
#include "readout/caen_library.hpp"

namespace alleycat::caen {

/// What a board says of itself.
struct Identity {
    std::string model, serial, firmware;
    unsigned inputs = 0;
};

/// A board, reached through the library. Used by one thread. Every call that the library refuses is an Error naming
/// board, link, call and what the library said.
class Connection {
  public:
    /// Loads the library; the board is not touched yet. Throws Error when there is no such library.
    Connection(const BoardInfo& board, const CaenBoardConfig& config);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(); }

    /// One call nearer to a board that runs; a setting takes two, it is read back. A board that another one than the
    /// first has taken the place of is refused. Throws Error; then close() and begin again.
    void step();
    [[nodiscard]] bool ready() const noexcept { return step_ >= Step::start; }  ///< only to be started
    [[nodiscard]] bool running() const noexcept { return step_ == Step::done; }
    [[nodiscard]] const Identity& identity() const noexcept { return identity_; }
    /// Stops the board and forgets it, in whatever state it is.
    void close() noexcept;

    /// Opens the board, asks who it is, and closes it. Throws Error, also when the station file means another one.
    [[nodiscard]] Identity ask_identity();

    /// What the board has, up to events_per_read events; empty: nothing. Valid until the next call.
    [[nodiscard]] std::span<const std::uint32_t> read();
    [[nodiscard]] std::uint32_t read_register(std::uint32_t address);
    /// nullopt: this board cannot tell.
    [[nodiscard]] std::optional<double> temperature_c(unsigned input);
    void send_trigger();

    /// "board lar (optical 0, node 1)", for sentences.
    [[nodiscard]] const std::string& who() const noexcept { return who_; }

  private:
    enum class Step : std::uint8_t { open, identify, reset, settings, calibrate, buffer, clear, start, done };

    /// A value that is written and read back.
    struct Setting {
        std::string name;
        std::uint32_t wanted = 0;
        std::function<Code(std::uint32_t)> write;
        std::function<Code(std::uint32_t*)> read;
        std::uint32_t tolerance = 0;
    };

    void open();
    void identify();
    void check(const Info& info) const;
    void make_settings(const BoardInfo& board);
    using InputSetter = Code (*)(int handle, std::uint32_t input, std::uint32_t value);
    using InputGetter = Code (*)(int handle, std::uint32_t input, std::uint32_t* value);
    void add_of_input(std::string_view name, std::size_t channel, std::uint32_t wanted, InputSetter set,
                      InputGetter get);
    void add_trigger_settings(const BoardInfo& board);
    void add_self_trigger(bool on, std::function<std::uint32_t()> mask);
    void add_bits(std::string name, std::uint32_t address, unsigned shift, std::uint32_t mask, std::uint32_t wanted);
    void apply(const Setting& setting) const;
    void require(Code code, std::string_view call) const;

    CaenBoardConfig config_;
    std::string who_;
    std::string serial_;  ///< "": of any board
    Library library_;
    std::uint32_t input_mask_ = 0;
    std::vector<Setting> settings_;

    Step step_ = Step::open;
    std::size_t next_setting_ = 0;
    std::optional<int> handle_;
    char* buffer_ = nullptr;  ///< the library's
    std::uint32_t buffer_bytes_ = 0;
    Identity identity_;
};

}  // namespace alleycat::caen
