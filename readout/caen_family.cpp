#include "readout/caen_family.hpp"

#include <array>

namespace alleycat::caen {

std::string_view to_text(Family family) noexcept {
    static constexpr std::array<std::string_view, 7> kNames{"x720", "x721", "x724", "x725", "x730", "x731", "x751"};
    return kNames[static_cast<std::size_t>(family)];
}

std::int64_t sample_period_ps(Family family) noexcept {
    switch (family) {
        case Family::x724: return 10'000;
        case Family::x720:
        case Family::x725: return 4000;
        case Family::x721:
        case Family::x730:
        case Family::x731: return 2000;
        case Family::x751: break;
    }
    return 1000;
}

bool samples_twice_as_fast(Family family) noexcept { return family == Family::x731 || family == Family::x751; }

bool has_thermometers(Family family) noexcept {
    return family == Family::x725 || family == Family::x730 || family == Family::x751;
}

std::optional<Family> required_family(ConfigSection& section) {
    if (!section.has("family")) section.problem("family", "is missing: x720, x721, x724, x725, x730, x731 or x751");
    const Family family = section.choice("family", Family::x730,
                                         {{"x720", Family::x720},
                                          {"x721", Family::x721},
                                          {"x724", Family::x724},
                                          {"x725", Family::x725},
                                          {"x730", Family::x730},
                                          {"x731", Family::x731},
                                          {"x751", Family::x751}});
    return section.has("family") ? std::optional{family} : std::nullopt;
}

}  // namespace alleycat::caen
