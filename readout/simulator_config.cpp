#include "readout/simulator_config.hpp"

#include <limits>

#include "daq/core/error.hpp"
#include "readout/pulse_model.hpp"

namespace alleycat {
namespace {

void read_board(ConfigSection& s, SimulatorConfig& c) {
    c.signal_channels = s.text_list("signal_channels", c.signal_channels);
    c.veto_channel = s.text("veto_channel", c.veto_channel);
    c.adc_bits = static_cast<int>(s.integer("adc_bits", c.adc_bits, 0, 16));
    c.clock_start_ticks = s.integer("clock_start_ticks", c.clock_start_ticks, 0, 0x7FFF'FFFF);
}

void read_timing(ConfigSection& s, SimulatorConfig& c) {
    c.tick_period_ns = s.number("tick_period_ns", c.tick_period_ns, 1e5, 1e10);
    c.tick_period_swing_ns = s.number("tick_period_swing_ns", c.tick_period_swing_ns, 0, 1e4);
    c.missed_tick_share = s.number("missed_tick_share", c.missed_tick_share, 0, 0.9);
    c.strobe_every_ticks = s.integer("strobe_every_ticks", c.strobe_every_ticks, 0, 1'000'000);
    c.trigger_position_ns = s.number("trigger_position_ns", c.trigger_position_ns, 0, 1e9);
    c.pulse_delay_ns = s.number("pulse_delay_ns", c.pulse_delay_ns, -1e6, 1e6);
    c.proton_pulse_sigma_ns = s.number("proton_pulse_sigma_ns", c.proton_pulse_sigma_ns, 0, 1e4);
    c.timing_offset_ns = s.number("timing_offset_ns", c.timing_offset_ns, -1e6, 1e6);
    c.timing_jitter_ns = s.number("timing_jitter_ns", c.timing_jitter_ns, 0, 1e4);
    c.instruments = parse_beam_instruments(s);
    c.defects = parse_timing_defects(s);
}

void read_beam(ConfigSection& s, SimulatorConfig& c) {
    c.beam_power_w = s.number("beam_power_w", c.beam_power_w, 0, 1e7);
    c.beam_power_spread = s.number("beam_power_spread", c.beam_power_spread, 0, 0.3);
    c.beam_charge_spread = s.number("beam_charge_spread", c.beam_charge_spread, 0, 0.3);
    c.proton_energy_gev = s.number("proton_energy_gev", c.proton_energy_gev, 0.1, 10);
    c.beam_on_s = s.number("beam_on_s", c.beam_on_s, 0, 1e8);
    c.beam_off_s = s.number("beam_off_s", c.beam_off_s, 0, 1e8);
    if (c.beam_on_s + c.beam_off_s <= 0) s.problem("beam_on_s", "and beam_off_s are both 0: one of them must last");
    c.beam_unknown_every_s = s.number("beam_unknown_every_s", c.beam_unknown_every_s, 0, 1e8);
    c.beam_unknown_s = s.number("beam_unknown_s", c.beam_unknown_s, 0, 1e8);
    if (c.beam_unknown_s > c.beam_unknown_every_s) {
        s.problem("beam_unknown_s", "is longer than beam_unknown_every_s, the distance of these periods");
    }
    c.rate_boost = s.number("rate_boost", c.rate_boost, 0, 1e7);
    c.cevns_strength = s.number("cevns_strength", c.cevns_strength, 0, 1e3);
    c.neutron_strength = s.number("neutron_strength", c.neutron_strength, 0, 1e3);
    c.frame_index_shift = static_cast<int>(s.integer("frame_index_shift", c.frame_index_shift, -10, 0));
    c.flavor_index_shift = static_cast<int>(s.integer("flavor_index_shift", c.flavor_index_shift, -10, 0));
}

void read_pulses(ConfigSection& s, SimulatorConfig& c) {
    c.background_rate_hz = s.number("background_rate_hz", c.background_rate_hz, 0, 1e6);
    c.background_min_pe = static_cast<std::uint32_t>(s.integer("background_min_pe", 3, 1, 10'000));
    c.background_max_pe = static_cast<std::uint32_t>(s.integer("background_max_pe", 60, 1, 10'000));
    if (c.background_max_pe < c.background_min_pe) {
        s.problem("background_max_pe", "is below background_min_pe");
        c.background_max_pe = c.background_min_pe;
    }
    c.background_flat_share = s.number("background_flat_share", c.background_flat_share, 0, 1);
    c.background_exponential_pe = s.number("background_exponential_pe", c.background_exponential_pe, 0.1, 1e4);
    c.cherenkov_share = s.number("cherenkov_share", c.cherenkov_share, 0, 0.9);
    c.cherenkov_mean_pe = s.number("cherenkov_mean_pe", c.cherenkov_mean_pe, 1, 1e3);
    c.cherenkov_width_ns = s.number("cherenkov_width_ns", c.cherenkov_width_ns, 0, 1e4);
    c.big_pulse_share = s.number("big_pulse_share", c.big_pulse_share, 0, 0.9);
    c.big_pulse_min_pe = s.number("big_pulse_min_pe", c.big_pulse_min_pe, 1, 1e6);
    c.big_pulse_max_pe = s.number("big_pulse_max_pe", c.big_pulse_max_pe, 1, 1e6);
    if (c.big_pulse_max_pe < c.big_pulse_min_pe) s.problem("big_pulse_max_pe", "is below big_pulse_min_pe");
    c.big_pulse_afterglow_hz_per_pe =
        s.number("big_pulse_afterglow_hz_per_pe", c.big_pulse_afterglow_hz_per_pe, 0, 1e4);
    c.big_pulse_afterglow_time_ns = s.number("big_pulse_afterglow_time_ns", c.big_pulse_afterglow_time_ns, 1, 1e9);
    c.linear_gate_share = s.number("linear_gate_share", c.linear_gate_share, 0, 1);
    c.linear_gate_length_ns = s.number("linear_gate_length_ns", c.linear_gate_length_ns, 0, 1e9);
    c.linear_gate_level_adc = s.number("linear_gate_level_adc", c.linear_gate_level_adc, -32'768, 65'535);
    c.veto_share = s.number("veto_share", c.veto_share, 0, 0.9);
    c.veto_min_adc = s.number("veto_min_adc", c.veto_min_adc, 0, 65'535);
    c.veto_mean_adc = s.number("veto_mean_adc", c.veto_mean_adc, 0, 65'535);
    if (c.veto_mean_adc < c.veto_min_adc) s.problem("veto_mean_adc", "is below veto_min_adc");
    c.veto_rise_ns = s.number("veto_rise_ns", c.veto_rise_ns, 0.1, 1e4);
    c.veto_fall_ns = s.number("veto_fall_ns", c.veto_fall_ns, 0.1, 1e4);
}

void read_light(ConfigSection& s, SimulatorConfig& c) {
    c.scintillation_fast_recoil_ns = s.number("scintillation_fast_recoil_ns", c.scintillation_fast_recoil_ns, 1, 1e6);
    c.scintillation_fast_electron_ns =
        s.number("scintillation_fast_electron_ns", c.scintillation_fast_electron_ns, 1, 1e6);
    c.scintillation_slow_ns = s.number("scintillation_slow_ns", c.scintillation_slow_ns, 1, 1e7);
    c.scintillation_slow_over_fast = s.number("scintillation_slow_over_fast", c.scintillation_slow_over_fast, 0, 100);
    c.afterglow_share = s.number("afterglow_share", c.afterglow_share, 0, 1);
    c.afterglow_rate_hz = s.number("afterglow_rate_hz", c.afterglow_rate_hz, 0, 1e8);
}

void read_gain_drift(ConfigSection& s, SimulatorConfig& c) {
    c.gain_drift = s.number("gain_drift", c.gain_drift, 0, 0.9);
    c.gain_drift_period_s = s.number("gain_drift_period_s", c.gain_drift_period_s, 1, 1e9);
}

void read_tubes(ConfigSection& s, SimulatorConfig& c) {
    c.spe_charge_adc = s.number("spe_charge_adc", c.spe_charge_adc, 0.1, 1e6);
    c.spe_theta = s.number("spe_theta", c.spe_theta, 0, 100);
    c.spe_rise_ns = s.number("spe_rise_ns", c.spe_rise_ns, 0.1, 1e4);
    c.spe_fall_ns = s.number("spe_fall_ns", c.spe_fall_ns, 0.1, 1e4);
    read_gain_drift(s, c);
    c.dark_rate_hz = s.number("dark_rate_hz", c.dark_rate_hz, 0, 1e8);
}

void read_lar(ConfigSection s, LarConfig& c) {
    c.photoelectrons_per_kevee = s.number("photoelectrons_per_kevee", c.photoelectrons_per_kevee, 0.01, 1e3);
    c.light_spread = s.number("light_spread", c.light_spread, 0, 10);
    c.singlet_ns = s.number("singlet_ns", c.singlet_ns, 0.1, 1e4);
    c.triplet_ns = s.number("triplet_ns", c.triplet_ns, 0.1, 1e5);
    c.recoil_singlet_share = s.number("recoil_singlet_share", c.recoil_singlet_share, 0, 1);
    c.electron_singlet_share = s.number("electron_singlet_share", c.electron_singlet_share, 0, 1);
    c.cevns_per_gwh = s.number("cevns_per_gwh", c.cevns_per_gwh, 0, 1e9);
    c.cevns_mean_kevee = s.number("cevns_mean_kevee", c.cevns_mean_kevee, 0.01, 1e4);
    c.neutrons_per_gwh = s.number("neutrons_per_gwh", c.neutrons_per_gwh, 0, 1e9);
    c.neutron_mean_kevee = s.number("neutron_mean_kevee", c.neutron_mean_kevee, 0.01, 1e4);
    c.electron_rate_hz = s.number("electron_rate_hz", c.electron_rate_hz, 0, 1e6);
    c.electron_endpoint_kevee = s.number("electron_endpoint_kevee", c.electron_endpoint_kevee, 1, 1e4);
    c.recoil_rate_hz = s.number("recoil_rate_hz", c.recoil_rate_hz, 0, 1e6);
    s.finish();
}

void read_germanium(ConfigSection s, GermaniumConfig& c) {
    c.gain_adc_per_kev = s.number("gain_adc_per_kev", c.gain_adc_per_kev, 0.001, 1e5);
    c.decay_ns = s.number("decay_ns", c.decay_ns, 1e3, 1e8);
    c.fano_factor = s.number("fano_factor", c.fano_factor, 0, 10);
    c.bulk_rise_ns = s.number("bulk_rise_ns", c.bulk_rise_ns, 1, 1e5);
    c.bulk_rise_spread = s.number("bulk_rise_spread", c.bulk_rise_spread, 0, 1);
    c.surface_rise_min_ns = s.number("surface_rise_min_ns", c.surface_rise_min_ns, 1, 1e5);
    c.surface_rise_max_ns = s.number("surface_rise_max_ns", c.surface_rise_max_ns, 1, 1e5);
    if (c.surface_rise_max_ns < c.surface_rise_min_ns) {
        s.problem("surface_rise_max_ns", "is below surface_rise_min_ns");
    }
    c.surface_share = s.number("surface_share", c.surface_share, 0, 1);
    c.surface_collected_min = s.number("surface_collected_min", c.surface_collected_min, 0, 1);
    c.lines_kev = s.number_list("lines_kev", c.lines_kev, 0.001, 1e4);
    c.lines_rate_hz = s.number_list("lines_rate_hz", c.lines_rate_hz, 0, 1e6);
    if (c.lines_rate_hz.size() != c.lines_kev.size()) {
        s.problem("lines_rate_hz", "has not as many numbers as lines_kev: one rate per line");
        c.lines_rate_hz.resize(c.lines_kev.size());
    }
    c.continuum_rate_hz = s.number("continuum_rate_hz", c.continuum_rate_hz, 0, 1e6);
    c.continuum_max_kev = s.number("continuum_max_kev", c.continuum_max_kev, 0.001, 1e4);
    c.cevns_per_gwh = s.number("cevns_per_gwh", c.cevns_per_gwh, 0, 1e9);
    c.cevns_mean_kev = s.number("cevns_mean_kev", c.cevns_mean_kev, 0.001, 1e4);
    c.neutrons_per_gwh = s.number("neutrons_per_gwh", c.neutrons_per_gwh, 0, 1e9);
    c.neutron_mean_kev = s.number("neutron_mean_kev", c.neutron_mean_kev, 0.001, 1e4);
    c.reset_rate_hz = s.number("reset_rate_hz", c.reset_rate_hz, 0, 1e5);
    c.reset_drop_adc = s.number("reset_drop_adc", c.reset_drop_adc, 0, 65'535);
    c.reset_fall_ns = s.number("reset_fall_ns", c.reset_fall_ns, 1, 1e5);
    s.finish();
}

void read_mars(ConfigSection s, MarsConfig& c) {
    c.photoelectrons_per_mevee = s.number("photoelectrons_per_mevee", c.photoelectrons_per_mevee, 0.1, 1e5);
    c.scintillation_ns = s.number("scintillation_ns", c.scintillation_ns, 0.1, 1e5);
    c.proton_mean_mevee = s.number("proton_mean_mevee", c.proton_mean_mevee, 0.001, 1e3);
    c.capture_share = s.number("capture_share", c.capture_share, 0, 1);
    c.capture_time_ns = s.number("capture_time_ns", c.capture_time_ns, 1, 1e6);
    c.capture_min_mevee = s.number("capture_min_mevee", c.capture_min_mevee, 0, 1e2);
    c.capture_max_mevee = s.number("capture_max_mevee", c.capture_max_mevee, 0, 1e2);
    if (c.capture_max_mevee < c.capture_min_mevee) s.problem("capture_max_mevee", "is below capture_min_mevee");
    c.neutrons_per_gwh = s.number("neutrons_per_gwh", c.neutrons_per_gwh, 0, 1e9);
    c.neutron_rate_hz = s.number("neutron_rate_hz", c.neutron_rate_hz, 0, 1e6);
    c.gamma_rate_hz = s.number("gamma_rate_hz", c.gamma_rate_hz, 0, 1e6);
    c.gamma_mean_mevee = s.number("gamma_mean_mevee", c.gamma_mean_mevee, 0.001, 1e3);
    s.finish();
}

/// Only the keys of the detector that is simulated are known: another's would do nothing.
void read_detector(ConfigSection& s, SimulatorConfig& c) {
    using enum SimulatedDetector;
    c.detector = s.choice(
        "detector", csi,
        {{"csi", csi}, {"lar", lar}, {"germanium", germanium}, {"mars", mars}, {"nai", nai}, {"cells", cells}});
    switch (c.detector) {
        case csi:
            read_pulses(s, c);
            read_light(s, c);
            break;
        case lar: read_lar(s.section("lar"), c.lar); break;
        case germanium: read_germanium(s.section("germanium"), c.germanium); break;
        case mars: read_mars(s.section("mars"), c.mars); break;
        case nai:
            c.hits = nai_hits();
            read_hits(s.section("nai"), c.hits);
            break;
        case cells:
            c.hits = cell_hits();
            read_hits(s.section("cells"), c.hits);
            break;
    }
    if (triggers_itself(c.detector)) {
        read_gain_drift(s, c);
    } else if (c.detector != germanium) {
        read_tubes(s, c);
    }
}

void read_electronics(ConfigSection& s, SimulatorConfig& c) {
    c.noise_sigma_adc = s.number("noise_sigma_adc", c.noise_sigma_adc, 0, NoiseTable::kMaxSigmaAdc);
    c.baseline_adc = s.number("baseline_adc", c.baseline_adc, -32'768, 65'535);
    c.veto_baseline_adc = s.number("veto_baseline_adc", c.veto_baseline_adc, -32'768, 65'535);
    c.baseline_drift_adc = s.number("baseline_drift_adc", c.baseline_drift_adc, 0, 200);
    c.baseline_drift_period_s = s.number("baseline_drift_period_s", c.baseline_drift_period_s, 1, 1e9);
    c.baseline_wander_adc = s.number("baseline_wander_adc", c.baseline_wander_adc, 0, 200);
    c.baseline_wander_period_ns = s.number("baseline_wander_period_ns", c.baseline_wander_period_ns, 1e3, 1e12);
}

}  // namespace

SimulatorConfig parse_simulator(ConfigSection& root) {
    SimulatorConfig config;
    ConfigSection section = root.section("simulator");
    config.seed = static_cast<std::uint64_t>(section.integer("seed", 1, 0, std::numeric_limits<std::int64_t>::max()));
    config.pacing = section.choice("pacing", config.pacing, {{"realtime", Pacing::realtime}, {"fast", Pacing::fast}});
    if (const std::string start = section.text("start_utc", ""); !start.empty()) {
        try {
            config.start_utc = from_iso8601(start);
        } catch (const Error& e) {
            section.problem("start_utc", e.what());
        }
    }
    read_board(section, config);
    read_timing(section, config);
    read_beam(section, config);
    read_detector(section, config);
    read_electronics(section, config);
    section.finish();
    return config;
}

}  // namespace alleycat
