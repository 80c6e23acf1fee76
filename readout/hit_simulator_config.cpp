#include "readout/hit_simulator_config.hpp"

namespace alleycat {
HitSimulatorConfig nai_hits() { return {}; }

/// NIN cubes: organic scintillator, 2 ns samples, a few hundred keV of electron-equivalent light.
HitSimulatorConfig cell_hits() {
    HitSimulatorConfig c;
    c.detector = HitSimulatorConfig::Detector::cells;
    c.photoelectrons_per_kev = 1.2;
    c.charge_per_kev_adc = 20;
    c.response_ns = 2.5;
    c.fast_ns = 4;
    c.slow_ns = 80;
    c.slow_share_electron = 0.1;
    c.slow_share_recoil = 0.26;
    c.threshold_kev = 60;
    c.background_rate_hz = 40;
    c.continuum_kev = 350;
    c.potassium_share = c.thallium_share = 0;
    c.prompt_per_pulse = 0.02;
    c.prompt_kev = 250;
    c.delayed_per_pulse = 0.005;
    c.delayed_min_kev = 60;
    c.delayed_max_kev = 500;
    return c;
}

void read_hits(ConfigSection s, HitSimulatorConfig& c) {
    c.tick_channel = s.text("tick_channel", c.tick_channel);
    c.disorder_ns = s.number("disorder_ns", c.disorder_ns, 0, 1e6);
    c.late_tick_share = s.number("late_tick_share", c.late_tick_share, 0, 1);
    c.late_by_ticks = static_cast<int>(s.integer("late_by_ticks", c.late_by_ticks, 0, 1'000));
    c.photoelectrons_per_kev = s.number("photoelectrons_per_kev", c.photoelectrons_per_kev, 1e-3, 1e3);
    c.charge_per_kev_adc = s.number("charge_per_kev_adc", c.charge_per_kev_adc, 1e-3, 1e6);
    if (c.detector == HitSimulatorConfig::Detector::nai) {
        c.low_gain_ratio = s.number("low_gain_ratio", c.low_gain_ratio, 1, 1e3);
    }
    c.gain_spread = s.number("gain_spread", c.gain_spread, 0, 0.3);
    c.response_ns = s.number("response_ns", c.response_ns, 0.1, 1e4);
    c.fast_ns = s.number("fast_ns", c.fast_ns, 0.1, 1e5);
    c.slow_ns = s.number("slow_ns", c.slow_ns, 0.1, 1e6);
    c.slow_share_electron = s.number("slow_share_electron", c.slow_share_electron, 0, 1);
    c.slow_share_recoil = s.number("slow_share_recoil", c.slow_share_recoil, 0, 1);
    c.threshold_kev = s.number("threshold_kev", c.threshold_kev, 0, 1e6);
    c.background_rate_hz = s.number("background_rate_hz", c.background_rate_hz, 0, 1e4);
    c.continuum_kev = s.number("continuum_kev", c.continuum_kev, 0, 1e6);
    c.potassium_share = s.number("potassium_share", c.potassium_share, 0, 1);
    c.thallium_share = s.number("thallium_share", c.thallium_share, 0, 1);
    if (c.potassium_share + c.thallium_share > 1) s.problem("thallium_share", "and potassium_share exceed 1");
    c.prompt_per_pulse = s.number("prompt_per_pulse", c.prompt_per_pulse, 0, 10);
    c.prompt_kev = s.number("prompt_kev", c.prompt_kev, 0, 1e6);
    c.delayed_per_pulse = s.number("delayed_per_pulse", c.delayed_per_pulse, 0, 10);
    c.delayed_min_kev = s.number("delayed_min_kev", c.delayed_min_kev, 0, 1e6);
    c.delayed_max_kev = s.number("delayed_max_kev", c.delayed_max_kev, 0, 1e6);
    if (c.delayed_max_kev < c.delayed_min_kev) s.problem("delayed_max_kev", "is below delayed_min_kev");
    s.finish();
}

}  // namespace alleycat
