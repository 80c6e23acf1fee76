#pragma once
// One session with a board through NI-SCOPE: who it is, its settings, its records.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daq/core/run_description.hpp"
#include "readout/niscope_config.hpp"
#include "readout/niscope_library.hpp"

namespace alleycat::niscope {

/// What a board and its driver say of themselves.
struct Identity {
    std::string model, serial, firmware;
    std::string driver;  ///< revision of the vendor's
    std::int32_t inputs = 0;
    std::int32_t bits = 0;

    /// "3.4, driver 22.5.0": both belong to how the data came about.
    [[nodiscard]] std::string revisions() const;
};

/// What follows from the settings.
struct Layout {
    std::int32_t record_length = 0;      ///< samples that the board keeps, at least those that were asked for
    std::int32_t records_in_memory = 0;  ///< how many it holds; 0: it does not say
};

/// "board pci5153 (Dev1)", for sentences.
[[nodiscard]] std::string name_board(const BoardInfo& board, const NiScopeConfig& config);

/// The library of this board. Throws Error naming board and library, and what to do about it.
[[nodiscard]] std::shared_ptr<const Library> load_library(const BoardInfo& board, const NiScopeConfig& config);

/// Closed with the object. One thread at a time.
class Session {
  public:
    enum class Open : std::uint8_t { as_it_is, reset };

    /// Throws Error naming the board and what the library says.
    Session(std::shared_ptr<const Library> library, const BoardInfo& board, const NiScopeConfig& config, Open how);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] Identity identity();

    /// Writes all settings and reads them back. Throws Error naming board, setting, what was wanted and what it is.
    [[nodiscard]] Layout configure(const Identity& found);
    /// The board takes records from now on, numbered from 0. Throws Error.
    void start();
    void abort() noexcept;

    /// The record of this number, in `waveforms`: the configured samples of each input, one input after the other.
    /// Waits for it. A status below 0: nothing came; why, says explain().
    [[nodiscard]] Status fetch(std::int32_t record, std::chrono::milliseconds timeout, std::span<std::int8_t> waveforms,
                               std::span<WfmInfo> infos) noexcept;
    /// Records that are whole, since start(); nullopt: the board does not answer.
    [[nodiscard]] std::optional<std::int32_t> records_done() noexcept;
    /// nullopt: it does not say.
    [[nodiscard]] std::optional<double> temperature_c() noexcept;

    /// The library's words for its last error.
    [[nodiscard]] std::string explain(Status status);
    /// Of a call that succeeded with a warning: logged once per session and code, counted.
    void warn(std::string_view call, Status status);
    /// How many since the last time this was asked.
    [[nodiscard]] std::uint64_t take_warnings() noexcept;

  private:
    void check(std::string_view call, Status status);
    [[noreturn]] void differs(std::string_view what, double wanted, double is, std::string_view unit) const;
    [[nodiscard]] std::string text(Attribute attribute, std::string_view name);
    [[nodiscard]] std::int32_t integer(Attribute attribute, std::string_view name);
    void expect(const std::string& channel, Attribute attribute, std::string_view what, std::string_view unit,
                double wanted, double tolerance);
    void expect_integer(const std::string& channel, Attribute attribute, std::string_view what, std::int32_t wanted);
    void set(Attribute attribute, std::string_view name, std::int32_t value);

    void check_identity(const Identity& found) const;
    void configure_inputs(std::int32_t inputs);
    void configure_input(const NiScopeInput& input);
    void configure_horizontal();
    void configure_trigger();
    void configure_fetch();
    [[nodiscard]] Layout layout();

    std::shared_ptr<const Library> library_;
    BoardInfo board_;
    NiScopeConfig config_;
    std::string who_;
    std::string channels_;  ///< "0,1"
    Handle vi_ = 0;
    std::vector<Status> known_warnings_;
    std::uint64_t warnings_ = 0;
};

}  // namespace alleycat::niscope
