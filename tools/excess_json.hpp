#pragma once

#include <nlohmann/json.hpp>

#include "monitor/excess.hpp"

namespace alleycat {

/// The numbers of an excess as every command prints them with --json.
inline nlohmann::json to_json(const Excess& e) {
    return {{"n_on", e.n_on},
            {"n_off", e.n_off},
            {"alpha", e.alpha},
            {"excess", e.excess},
            {"error", e.error},
            {"li_ma", e.li_ma},
            {"interval_low", e.interval_low},
            {"interval_high", e.interval_high}};
}

}  // namespace alleycat
