#include "trigger/calibration/calibration_keeper.hpp"

#include <algorithm>

#include "daq/core/log.hpp"

namespace alleycat {

CalibrationKeeper::CalibrationKeeper(Setup setup, Doorbell& fitted, CounterRegistry& registry)
    : config_{setup.config},
      fitted_{fitted},
      fits_{registry.get("calibration.fits")},
      kept_{registry.get("calibration.fits_kept")},
      peaks_{registry.get("calibration.peaks")},
      in_force_(setup.detectors, setup.spe_charge_adc),
      last_(setup.detectors) {
    if (setup.recorded) recorded_.assign(setup.recorded->begin(), setup.recorded->end());
    if (!recorded_.empty()) return;
    setup.detector_charges.resize(setup.detectors, setup.spe_charge_adc);
    for (std::uint32_t d = 0; d < setup.detectors; ++d) {
        put_in_force(Calibration{.spe_charge_adc = setup.detector_charges[d], .detector = d});
        fit_configs_.push_back(config_.fit);
        fit_configs_.back().start_adc = setup.detector_charges[d];
    }
    if (!setup.recorded && config_.source == CalibrationConfig::Source::fit) {
        fitter_ = std::make_unique<Worker>("calibration", [this](const std::stop_token& stop) { fit_loop(stop); });
    }
}

std::optional<CalibrationKeeper::Admission> CalibrationKeeper::admit(const Trigger& trigger) {
    for (; !recorded_.empty() && recorded_.front().from_sequence <= trigger.sequence; recorded_.pop_front()) {
        put_in_force(recorded_.front());
    }
    if (!fitter_) return Admission{0, in_force_.front()};
    const std::uint64_t block = block_of(trigger);
    const bool is_first = blocks_.empty() || block > blocks_.back().number;
    if (is_first && !begin_block(block, trigger.sequence)) return std::nullopt;
    ++blocks_.back().admitted;
    return Admission{blocks_.back().number, in_force_.front()};
}

/// Blocks only go forward. The time of a refused trigger may be a guess (replay has it from a dead-time interval), so
/// it begins no block of time.
std::uint64_t CalibrationKeeper::block_of(const Trigger& trigger) const noexcept {
    const std::uint64_t now = blocks_.empty() ? 0 : blocks_.back().number;
    if (config_.block_triggers > 0) return std::max(now, trigger.sequence / config_.block_triggers);
    if (trigger.refusal != RefusalReason::none || trigger.time_ps < 0) return now;
    return std::max(now, static_cast<std::uint64_t>(trigger.time_ps / config_.block_ps));
}

/// Puts in force what was fitted two blocks ago and before. false: a fit is not done.
bool CalibrationKeeper::begin_block(std::uint64_t number, std::uint64_t from_sequence) {
    if (!blocks_.empty()) blocks_.back().ended = true;
    start_fit();
    while (!blocks_.empty() && number - blocks_.front().number >= 2) {
        if (!fit_is_done()) return false;
        put_in_force(blocks_.front(), from_sequence);
        blocks_.pop_front();
        start_fit();
    }
    blocks_.emplace_back(number, in_force_.size(), config_.histogram);
    return true;
}

void CalibrationKeeper::collect(std::uint64_t block, const PeakCharges* charges) {
    if (!fitter_) return;
    const auto of = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.number == block; });
    if (charges != nullptr) {
        of->histograms[std::min<std::size_t>(charges->detector, of->histograms.size() - 1)].fill(charges->all());
        peaks_.add(charges->count);
    }
    ++of->collected;
    start_fit();
}

/// The oldest block, as soon as nothing of it is missing.
void CalibrationKeeper::start_fit() {
    if (fitting_.load(std::memory_order_relaxed) != Fitting::idle || blocks_.empty()) return;
    const Block& oldest = blocks_.front();
    if (!oldest.ended || oldest.collected < oldest.admitted) return;
    to_fit_ = &oldest;
    fitting_.store(Fitting::asked, std::memory_order_release);
    work_.ring();
}

bool CalibrationKeeper::fit_is_done() {
    if (fitter_->failed()) fitter_->finish();  // rethrows
    return fitting_.load(std::memory_order_acquire) == Fitting::done;
}

void CalibrationKeeper::put_in_force(const Block& block, std::uint64_t from_sequence) {
    for (std::uint32_t d = 0; d < in_force_.size(); ++d) {
        const SpeFit& fit = fit_results_[d];
        Calibration next = last_[d];
        next.from_sequence = from_sequence;
        next.fit_quality = fit.chi2_per_ndf;
        next.block = block.number;
        next.peaks = block.histograms[d].peaks();
        next.origin = fit.good() ? CalibrationOrigin::fitted : CalibrationOrigin::kept;
        fits_.add();
        if (fit.good()) {
            next.spe_charge_adc = fit.spe_charge_adc;
            next.spe_charge_error_adc = fit.error_adc;
        } else {
            kept_.add();
            log::trigger().info("calibration block {}: {} ({} peaks): the SPE charge stays {:.2f} ADC x sample",
                                block.number, kSpeFitVerdictNames[static_cast<std::size_t>(fit.verdict)], next.peaks,
                                next.spe_charge_adc);
        }
        put_in_force(next);
    }
    fitting_.store(Fitting::idle, std::memory_order_relaxed);
}

void CalibrationKeeper::put_in_force(const Calibration& calibration) {
    due_.push_back(calibration);
    if (calibration.detector >= in_force_.size()) return;  // of a recorded run with more detectors
    in_force_[calibration.detector] = calibration.spe_charge_adc;
    last_[calibration.detector] = calibration;
}

void CalibrationKeeper::fit_loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const std::uint32_t seen = work_.value();
        if (fitting_.load(std::memory_order_acquire) != Fitting::asked) {
            work_.wait(seen, stop);
            continue;
        }
        fit_results_.clear();
        for (std::size_t d = 0; d < fit_configs_.size(); ++d)
            fit_results_.push_back(fit_spe(to_fit_->histograms[d], fit_configs_[d]));
        fitting_.store(Fitting::done, std::memory_order_release);
        fitted_.ring();
    }
}

}  // namespace alleycat
