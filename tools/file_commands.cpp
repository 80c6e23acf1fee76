// info, verify: what files hold, and whether it is whole.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/time.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/truth.hpp"
#include "daq/store/verify.hpp"
#include "monitor/excess.hpp"
#include "monitor/window_alpha.hpp"
#include "tools/commands.hpp"
#include "tools/excess_json.hpp"
#include "tools/gap_json.hpp"
#include "tools/run_report.hpp"

namespace alleycat {

std::string utc_text(std::int64_t utc_ns) { return to_iso8601(UtcTime{std::chrono::nanoseconds{utc_ns}}); }

namespace {

struct InfoOptions {
    std::vector<std::filesystem::path> files;
    bool json = false;
};

/// Exposure of what n_on counts over that of what n_off counts: C against AC by their lengths, or, without an AC
/// window, ticks with beam against strobe triggers; NaN while there are none.
double alpha_of(const FileInfo& file) {
    if (background_of(&file.run, 0) == Background::anticoincident) {
        return window_alpha(&file.run, file.run.box.min_arrival_ns, file.run.box.max_arrival_ns);
    }
    return exposure_ratio(file.summary.ticks[index_of(BeamState::on)],
                          file.summary.by_class[static_cast<std::size_t>(TriggerClass::strobe)]);
}

/// The sum over all files: counts add, the excess is that of the sums, which needs one alpha for all.
struct Sums {
    std::uint64_t triggers = 0, n_on = 0, n_off = 0, signal_in_box = 0, signal_injected = 0;
    double beam_energy_gwh = 0, live_time_s = 0;
    std::optional<double> alpha{};
    bool one_alpha = true;
    bool truth = false;
};

/// What a run is worth and what operators said of it.
struct RunSaid {
    RunQuality quality;
    std::vector<OperatorNote> notes;
};

/// The catalogue beside a part knows what was said after the part was closed; without it the part speaks for itself.
RunSaid said_of(const FileInfo& file) {
    const std::filesystem::path folder = folder_of(file.path);
    if (std::filesystem::exists(Catalogue::file_in(folder))) {
        try {
            const Catalogue catalogue{folder, Catalogue::Open::read_only};
            const std::optional<CatalogueRun> run = catalogue.run(file.run.run);
            if (run && !run->quality.empty() && catalogue.part(file.path.filename().string()))
                return {{run->quality, run->quality_reasons}, catalogue.notes(file.run.run)};
        } catch (const Error& e) {
            log::store().warn("{}", e.what());
        }
    }
    return {file.summary.quality, file.notes};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream from{text};
    for (std::string line; std::getline(from, line);) lines.push_back(line);
    return lines;
}

/// The SPE charges in force in a file, of all its detectors.
struct Calibrations {
    std::uint64_t configured = 0, fitted = 0, kept = 0;
    double lowest_adc = 0, highest_adc = 0;  ///< of the fitted ones
    std::optional<Calibration> last{};
};

Calibrations calibrations_of(const AlleycatFile& file) {
    Calibrations all;
    for (const Calibration& c : file.calibration()) {
        all.last = c;
        if (c.origin == CalibrationOrigin::configured) ++all.configured;
        if (c.origin == CalibrationOrigin::kept) ++all.kept;
        if (c.origin != CalibrationOrigin::fitted) continue;
        all.lowest_adc = all.fitted == 0 ? c.spe_charge_adc : std::min(all.lowest_adc, c.spe_charge_adc);
        all.highest_adc = all.fitted == 0 ? c.spe_charge_adc : std::max(all.highest_adc, c.spe_charge_adc);
        ++all.fitted;
    }
    return all;
}

nlohmann::json to_json(const Calibrations& c) {
    nlohmann::json json{{"configured", c.configured}, {"fitted", c.fitted}, {"kept", c.kept}};
    if (c.fitted > 0) {
        json["lowest_adc"] = c.lowest_adc;
        json["highest_adc"] = c.highest_adc;
    }
    if (c.last) {
        json["last"] = {{"from_sequence", c.last->from_sequence},
                        {"spe_charge_adc", c.last->spe_charge_adc},
                        {"spe_charge_error_adc", c.last->spe_charge_error_adc},
                        {"fit_quality", c.last->fit_quality},
                        {"origin", kCalibrationOriginNames[static_cast<std::size_t>(c.last->origin)]}};
    }
    return json;
}

std::string words_of(const Calibrations& c) {
    if (!c.last) return "none";
    std::string words = fmt::format("{:.2f}", c.last->spe_charge_adc);
    if (c.last->spe_charge_error_adc > 0) words += fmt::format(" +- {:.2f}", c.last->spe_charge_error_adc);
    words += fmt::format(" ADC x sample, {}", kCalibrationOriginNames[static_cast<std::size_t>(c.last->origin)]);
    if (c.last->fit_quality > 0) words += fmt::format(" (chi2/ndf {:.2f})", c.last->fit_quality);
    if (c.fitted + c.kept == 0) return words;
    words += fmt::format(", from trigger {} on; {} blocks fitted", c.last->from_sequence, c.fitted);
    if (c.fitted > 0) words += fmt::format(" ({:.2f} to {:.2f})", c.lowest_adc, c.highest_adc);
    return words + fmt::format(", {} without a good fit", c.kept);
}

/// "temperature 38.25 degC (37.5 degC to 38.5 degC)": the last, and between what
std::vector<std::string> words_of(const std::vector<FileInfo::Board::Reading>& readings) {
    std::vector<std::string> words;
    for (const FileInfo::Board::Reading& r : readings) {
        const auto text = [&](double value) { return value_text({r.last.name, value, r.last.unit}); };
        words.push_back(to_text(r.last));
        if (r.lowest < r.highest) words.back() += fmt::format(" ({} to {})", text(r.lowest), text(r.highest));
    }
    return words;
}

nlohmann::json to_json(const FileInfo& file, const RunSaid& said, const std::optional<TruthTally>& truth,
                       const Calibrations& calibrations) {
    const PartSummary& s = file.summary;
    nlohmann::json comments = nlohmann::json::array();
    for (const OperatorNote& note : said.notes) {
        comments.push_back({{"time_utc", utc_text(note.utc_ns)},
                            {"kind", to_text(note.kind)},
                            {"author", note.author},
                            {"text", note.text}});
    }
    nlohmann::json gaps = nlohmann::json::array();
    for (const Gap& gap : file.gaps) gaps.push_back(to_json(gap));
    nlohmann::json boards = nlohmann::json::object();
    for (const FileInfo::Board& b : file.boards) {
        nlohmann::json readings = nlohmann::json::object();
        for (const FileInfo::Board::Reading& r : b.readings) {
            readings[r.last.name] = {
                {"last", r.last.value}, {"lowest", r.lowest}, {"highest", r.highest}, {"unit", r.last.unit}};
        }
        boards[b.name] = {{"records", b.records}, {"irregular", b.irregular}, {"readings", readings}};
    }
    nlohmann::json ticks = nlohmann::json::object();
    for (std::size_t i = 0; i < kBeamStates; ++i) ticks[std::string{kBeamStateNames[i]}] = s.ticks[i];
    nlohmann::json windows = nlohmann::json::object();
    for (std::size_t w = 0; w < s.windows.size(); ++w) {
        nlohmann::json flow = nlohmann::json::object();
        for (std::size_t c = 0; c < s.windows[w].rejected.size(); ++c)
            flow[file.run.cuts[c].name] = s.windows[w].rejected[c];
        windows[s.windows[w].name] = {
            {"rows", s.windows[w].rows}, {"accepted", s.windows[w].accepted}, {"rejected_first_by", flow}};
    }
    nlohmann::json ledger;  // null: the run did not report it in this part
    if (s.has_ledger()) {
        ledger = {{"ticks_expected", s.ledger.ticks_expected},
                  {"ticks_seen", s.ledger.ticks_seen},
                  {"ticks_missed", s.ledger.ticks_missed},
                  {"triggers", s.ledger.triggers},
                  {"recorded", s.ledger.recorded},
                  {"refused", s.ledger.refused},
                  {"lost_estimated", s.ledger.lost_estimated},
                  {"lost_in_stream", s.lost_in_stream},
                  {"closes", s.ledger.closes()}};
    }
    nlohmann::json detectors = nlohmann::json::object();
    for (const FileInfo::DetectorHits& d : file.detectors) {
        nlohmann::json accepted = nlohmann::json::object();
        for (std::size_t w = 0; w < d.accepted.size(); ++w) accepted[file.run.windows[w].name] = d.accepted[w];
        detectors[d.name] = {{"triggers", d.triggers}, {"accepted", accepted}};
    }
    nlohmann::json json{
        {"file", file.path.string()},
        {"bytes", file.bytes},
        {"run", file.run.run},
        {"part", file.part},
        {"closed", file.closed},
        {"profile", file.run.profile},
        {"software", file.run.software},
        {"revision", file.run.revision},
        {"test_run", file.run.test_run},
        {"start_time_utc", utc_text(file.run.start_utc_ns)},
        {"end_time_utc", s.end_utc_ns == 0 ? nlohmann::json{} : nlohmann::json(utc_text(s.end_utc_ns))},
        {"end_reason", s.end_reason},
        {"quality", said.quality.flags},
        {"quality_reasons", lines_of(said.quality.reasons)},
        {"comments", comments},
        {"gaps", gaps},
        {"triggers", s.triggers},
        {"refused", s.refused_total()},
        {"first_sequence", s.first_sequence == kNoSequence ? nlohmann::json{} : nlohmann::json(s.first_sequence)},
        {"last_sequence", s.last_sequence == kNoSequence ? nlohmann::json{} : nlohmann::json(s.last_sequence)},
        {"boards", boards},
        {"detectors", detectors},
        {"windows", windows},
        {"spe_charge", to_json(calibrations)},
        {"exposure", {{"ticks", ticks}, {"live_time_s", file.live_time_s}, {"beam_energy_gwh", s.beam_energy_gwh}}},
        {"ledger", ledger},
        {"excess", to_json(compared(file.n_on, file.n_off, alpha_of(file)))}};
    if (truth) {
        nlohmann::json injected = nlohmann::json::object();
        for (std::size_t k = 0; k < kTruthKindNames.size(); ++k)
            injected[std::string{kTruthKindNames[k]}] = truth->injected[k];
        json["truth"] = {{"injected", injected},
                         {"signal_injected", truth->signal_injected},
                         {"signal_in_box", truth->signal_in_box}};
    }
    return json;
}

void print(const FileInfo& file, const RunSaid& said, const std::optional<TruthTally>& truth,
           const Calibrations& calibrations) {
    const PartSummary& s = file.summary;
    fmt::print("{}\n", file.path.string());
    fmt::print("  {}run {}, part {}, profile {}, {}; started {}{}; {}\n", file.run.test_run ? "TEST " : "",
               file.run.run, file.part, file.run.profile, file.run.software, utc_text(file.run.start_utc_ns),
               s.end_utc_ns == 0 ? "" : ", ended " + utc_text(s.end_utc_ns),
               file.closed ? fmt::format("closed: {}", s.end_reason) : "NOT CLOSED: being written, or cut short");
    if (!said.quality.flags.empty()) fmt::print("  quality: {}\n", said.quality.flags);
    for (const std::string& line : lines_of(said.quality.reasons)) fmt::print("    {}\n", line);
    for (const OperatorNote& note : said.notes) {
        if (note.kind == NoteKind::comment)
            fmt::print("  comment, {}, {}: {}\n", utc_text(note.utc_ns), note.author, note.text);
    }
    for (const Gap& gap : file.gaps) fmt::print("  before it: {}{}\n", to_text(gap), provenance_of(gap));
    fmt::print("  {:.1f} MB, {} triggers", static_cast<double>(file.bytes) / 1e6, s.triggers);
    const std::uint64_t without_samples = s.refused[static_cast<std::size_t>(RefusalReason::not_kept)];
    if (s.first_sequence != kNoSequence)
        fmt::print(" (sequence {} to {}, {} refused{})", s.first_sequence, s.last_sequence,
                   s.refused_total() - without_samples,
                   without_samples == 0 ? "" : fmt::format(", {} without samples to replay", without_samples));
    for (const FileInfo::Board& b : file.boards) {
        fmt::print(", {} records of {}", b.records, b.name);
        if (b.irregular > 0) fmt::print(" and {} irregular rows", b.irregular);
    }
    fmt::print("\n");
    for (const FileInfo::Board& b : file.boards) {
        if (!b.readings.empty()) fmt::print("  board {}: {}\n", b.name, fmt::join(words_of(b.readings), ", "));
    }
    fmt::print("  exposure: {} ticks beam on, {} off, {} no-beam cycle, {} unknown; live {}; {:.4g} GWh\n",
               s.ticks[index_of(BeamState::on)], s.ticks[index_of(BeamState::off)],
               s.ticks[index_of(BeamState::no_beam_cycle)], s.ticks[index_of(BeamState::unknown)],
               to_text(std::chrono::seconds{static_cast<long>(file.live_time_s)}), s.beam_energy_gwh);
    for (const WindowSummary& w : s.windows) {
        fmt::print("  window {}: {} rows, {} accepted; removed first by", w.name, w.rows, w.accepted);
        for (std::size_t c = 0; c < w.rejected.size(); ++c)
            fmt::print(" {} {}{}", file.run.cuts[c].name, w.rejected[c], c + 1 < w.rejected.size() ? "," : "");
        fmt::print("\n");
    }
    fmt::print("  SPE charge: {}\n", words_of(calibrations));
    for (const FileInfo::DetectorHits& d : file.detectors) {
        fmt::print("  detector {}: {} triggers; accepted", d.name, d.triggers);
        for (std::size_t w = 0; w < d.accepted.size(); ++w) {
            fmt::print(" {} {}{}", file.run.windows[w].name, d.accepted[w], w + 1 < d.accepted.size() ? "," : "");
        }
        fmt::print("\n");
    }
    if (s.ticks[index_of(BeamState::on)] > 0)
        fmt::print("  excess in the box, beam on: {}\n", to_text(compared(file.n_on, file.n_off, alpha_of(file))));
    if (truth) {
        fmt::print("  injected by the simulator: {} signal pulses, {} of them accepted in the box\n",
                   truth->signal_injected, truth->signal_in_box);
    }
}

int print_info(const InfoOptions& options) {
    nlohmann::json files = nlohmann::json::array();
    Sums sums;
    for (const std::filesystem::path& path : options.files) {
        const FileInfo file = info(path);
        const AlleycatFile opened{path};
        const RunSaid said = said_of(file);
        const std::optional<TruthTally> truth = tally_truth(opened);
        const Calibrations calibrations = calibrations_of(opened);
        const double alpha = alpha_of(file);
        const bool same = !sums.alpha || *sums.alpha == alpha || (std::isnan(*sums.alpha) && std::isnan(alpha));
        sums.one_alpha = sums.one_alpha && same;
        sums.alpha = alpha;
        sums.triggers += file.summary.triggers;
        sums.n_on += file.n_on;
        sums.n_off += file.n_off;
        sums.beam_energy_gwh += file.summary.beam_energy_gwh;
        sums.live_time_s += file.live_time_s;
        if (truth) {
            sums.truth = true;
            sums.signal_in_box += truth->signal_in_box;
            sums.signal_injected += truth->signal_injected;
        }
        if (options.json) {
            files.push_back(to_json(file, said, truth, calibrations));
        } else {
            print(file, said, truth, calibrations);
        }
    }
    const Excess all = compared(sums.n_on, sums.n_off, sums.alpha.value_or(1));
    if (options.json) {
        nlohmann::json json{
            {"files", files},
            {"triggers", sums.triggers},
            {"exposure", {{"live_time_s", sums.live_time_s}, {"beam_energy_gwh", sums.beam_energy_gwh}}},
            {"excess", sums.one_alpha ? to_json(all) : nlohmann::json{}}};
        if (sums.truth)
            json["truth"] = {{"signal_injected", sums.signal_injected}, {"signal_in_box", sums.signal_in_box}};
        fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else if (options.files.size() > 1) {
        fmt::print("all: {} triggers, {:.4g} GWh, excess {}\n", sums.triggers, sums.beam_energy_gwh,
                   sums.one_alpha ? to_text(all) : "not summed: the files' exposure ratios differ");
        if (sums.truth)
            fmt::print("all: {} signal pulses injected, {} accepted in the box\n", sums.signal_injected,
                       sums.signal_in_box);
    }
    return 0;
}

struct VerifyOptions {
    std::vector<std::filesystem::path> paths;
    bool repair = false;
    bool catalogue = false;
    bool json = false;
};

int print_verify(const VerifyOptions& options) {
    std::vector<std::string> broken;
    nlohmann::json files = nlohmann::json::array();
    nlohmann::json between = nlohmann::json::array();
    nlohmann::json between_notes = nlohmann::json::array();
    const auto add_note = [&](const std::string& text) {
        between_notes.push_back(text);
        if (!options.json) fmt::print("note: {}\n", text);
    };
    for (const std::filesystem::path& path : options.paths) {
        if (options.catalogue) {
            for (const std::string& news : rebuild_catalogue(path)) add_note(news);
        }
        const VerifyReport report = verify(path, options.repair);
        if (!report.ok()) broken.push_back(path.string());
        for (const VerifyReport::File& file : report.files) {
            if (options.json) {
                files.push_back({{"file", file.path.string()},
                                 {"run", file.run},
                                 {"part", file.part},
                                 {"triggers", file.triggers},
                                 {"closed", file.closed},
                                 {"problems", file.problems},
                                 {"notes", file.notes}});
                continue;
            }
            fmt::print("{}: {} ({} triggers, {})\n", file.path.string(), file.problems.empty() ? "whole" : "NOT WHOLE",
                       file.triggers, file.closed ? "closed" : "not closed");
            for (const std::string& problem : file.problems) fmt::print("  problem: {}\n", problem);
            for (const std::string& note : file.notes) fmt::print("  note: {}\n", note);
        }
        for (const std::string& problem : report.problems) {
            between.push_back(problem);
            if (!options.json) fmt::print("problem: {}\n", problem);
        }
        for (const std::string& text : report.notes) add_note(text);
    }
    const bool ok = broken.empty();
    if (options.json) {
        const nlohmann::json all{{"ok", ok}, {"files", files}, {"problems", between}, {"notes", between_notes}};
        fmt::print("{}\n", all.dump(2));
    }
    if (ok) return 0;
    // The report may have gone to a file nobody looks at; the reason for the exit status stands on stderr.
    std::fflush(stdout);
    throw Error{fmt::format("not whole: {}", fmt::join(broken, ", "))};
}

}  // namespace

void add_file_commands(CLI::App& app, Action& action) {
    const auto info_options = std::make_shared<InfoOptions>();
    CLI::App* const info_command =
        app.add_subcommand("info", "What is in a file: triggers, exposure, cut flow, windows, excess");
    info_command->add_option("FILE", info_options->files, "Alleycat files, also one that is being written")->required();
    info_command->add_flag("--json", info_options->json, "One JSON object on stdout");
    info_command->footer(
        "Several files: each, and their sum. Excess: C less its background (AC, or strobe triggers) with beam, in the "
        "box of [analysis].");
    info_command->callback(
        [&action, info_options] { action = [info_options](CommandContext&) { return print_info(*info_options); }; });

    const auto verify_options = std::make_shared<VerifyOptions>();
    CLI::App* const verify_command =
        app.add_subcommand("verify", "Is it whole: every sequence number, checksum, digest");
    verify_command->add_option("FILE", verify_options->paths, "Alleycat files, or the folder of a station's data")
        ->required();
    verify_command->add_flag("--repair", verify_options->repair,
                             "Make what is cut short or broken again from its journal, or of what can be read of it");
    verify_command->add_flag(
        "--catalogue", verify_options->catalogue,
        "First make the folder's catalogue again from the files, if it is lost, damaged or lacks some");
    verify_command->add_flag("--json", verify_options->json, "One JSON object on stdout");
    verify_command->footer("Says in plain words what is missing and where. Exit status 1 when anything is.");
    verify_command->callback([&action, verify_options] {
        action = [verify_options](CommandContext&) { return print_verify(*verify_options); };
    });
}

}  // namespace alleycat
