#pragma once
// The SPE charge in force, trigger by trigger: configured, fitted to the data block by block, or as it was recorded.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daq/core/counter.hpp"
#include "daq/core/doorbell.hpp"
#include "daq/core/event_sink.hpp"
#include "daq/core/trigger.hpp"
#include "daq/core/worker.hpp"
#include "trigger/calibration/calibration_config.hpp"
#include "trigger/calibration/single_peaks.hpp"
#include "trigger/calibration/spe_fit.hpp"
#include "trigger/calibration/spe_histogram.hpp"

namespace alleycat {

/// Says which SPE charge holds for each trigger, so that the same triggers give the same answers however fast the
/// machine is: the fit of block k applies from the first trigger of block k + 2 on, never earlier, never later.
///
/// Serial: one thread admits triggers in the order of their sequence and hands their peaks back in the same order.
/// Fits run in a thread of their own, while block k + 1 is taken. source: trigger/README.md#calibration
class CalibrationKeeper {
  public:
    struct Setup {
        CalibrationConfig config;
        double spe_charge_adc = 70;  ///< configured: in force until the first good fit [ADC x sample]
        std::size_t detectors = 1;
        std::vector<double> detector_charges{};              ///< configured, by detector; empty: spe_charge_adc for all
        std::optional<std::vector<Calibration>> recorded{};  ///< of a run that is replayed: these, and no fits
    };
    /// What an admitted trigger needs to know.
    struct Admission {
        std::uint64_t block = 0;
        double spe_charge_adc = 0;  ///< of detector 0
    };

    /// `fitted` is rung when a fit is done.
    CalibrationKeeper(Setup setup, Doorbell& fitted, CounterRegistry& registry);

    /// The next trigger, refused ones included. nullopt: the SPE charge that holds for it is still being fitted, or
    /// peaks of triggers admitted before are still missing; collect() those, wait for the bell, ask again.
    [[nodiscard]] std::optional<Admission> admit(const Trigger& trigger);

    /// Peaks of the trigger admitted longest ago, with the block it was admitted to. nullptr: it is not recorded.
    void collect(std::uint64_t block, const PeakCharges* charges);
    /// Whether the charges of single peaks are of any use.
    [[nodiscard]] bool collects() const noexcept { return fitter_ != nullptr; }

    /// SPE charges that hold for the trigger admitted last, by detector [ADC x sample].
    [[nodiscard]] std::span<const double> in_force() const noexcept { return in_force_; }

    /// The next calibration that applies to this sequence or before it, in order; nullptr: none. To be recorded before
    /// the first trigger it applies to.
    [[nodiscard]] const Calibration* due(std::uint64_t sequence) const noexcept {
        return due_.empty() || due_.front().from_sequence > sequence ? nullptr : &due_.front();
    }
    void pop_due() { due_.pop_front(); }

  private:
    struct Block {
        Block(std::uint64_t n, std::size_t detectors, const ChargeBinning& binning)
            : number{n}, histograms(detectors, SpeHistogram{binning}) {}
        std::uint64_t number;
        std::uint64_t admitted = 0, collected = 0;  // triggers
        bool ended = false;                         // a trigger of a later block is there
        std::vector<SpeHistogram> histograms;       // by detector
    };

    [[nodiscard]] std::uint64_t block_of(const Trigger& trigger) const noexcept;
    [[nodiscard]] bool begin_block(std::uint64_t number, std::uint64_t from_sequence);
    void start_fit();
    [[nodiscard]] bool fit_is_done();
    void put_in_force(const Block& block, std::uint64_t from_sequence);
    void put_in_force(const Calibration& calibration);
    void fit_loop(const std::stop_token& stop);

    CalibrationConfig config_;
    Doorbell& fitted_;
    Counter& fits_;
    Counter& kept_;
    Counter& peaks_;
    std::vector<SpeFitConfig> fit_configs_;  // by detector: each starts from its own configured charge
    std::vector<double> in_force_;           // by detector
    std::vector<Calibration> last_;          // put in force last, by detector
    std::deque<Calibration> due_;            // in force, not yet fetched
    std::deque<Calibration> recorded_;       // not yet in force
    std::deque<Block> blocks_;               // oldest first; the last one is being filled

    // Shared with the fit's thread: it owns `to_fit_` and `fit_results_` from asked to done.
    enum class Fitting : std::uint8_t { idle, asked, done };
    std::atomic<Fitting> fitting_{Fitting::idle};
    const Block* to_fit_ = nullptr;
    std::vector<SpeFit> fit_results_;  // by detector
    Doorbell work_;
    std::unique_ptr<Worker> fitter_;
};

}  // namespace alleycat
