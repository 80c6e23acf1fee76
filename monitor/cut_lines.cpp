#include "monitor/cut_lines.hpp"

#include <limits>
#include <string>

#include "daq/core/error.hpp"

namespace alleycat {
namespace {

void add_lines(ConfigSection& cut, const DiscriminantConfig& map, std::vector<CutLine>& lines) {
    constexpr double kAnything = std::numeric_limits<double>::max();
    const std::string name = cut.text("name", "");
    const std::string feature = cut.text("feature", "");
    const std::string below = cut.text("below", "");
    if ((feature == map.feature && below == map.against) || (feature == map.against && below == map.feature)) {
        lines.push_back({name, CutLine::Along::diagonal, 0});
    }
    if (feature != map.feature && feature != map.against) return;
    const CutLine::Along along = feature == map.feature ? CutLine::Along::y : CutLine::Along::x;
    for (const char* end : {"min", "max"}) {
        if (cut.has(end)) lines.push_back({name, along, cut.number(end, 0, -kAnything, kAnything)});
    }
}

}  // namespace

std::vector<CutLine> cut_lines(const RunDescription& run, const DiscriminantConfig& discriminant) {
    std::vector<CutLine> lines;
    if (discriminant.feature.empty()) return lines;
    try {
        const ConfigFile station = ConfigFile::parse(run.config_text, run.config_name);
        ConfigProblems problems;
        ConfigSection root{station, problems};
        ConfigSection trigger = root.section("trigger");
        for (ConfigSection& cut : trigger.sections("cut")) add_lines(cut, discriminant, lines);
        if (!problems.empty()) lines.clear();
    } catch (const Error&) {
        lines.clear();  // a run without a station text, or one of another program's
    }
    return lines;
}

}  // namespace alleycat
