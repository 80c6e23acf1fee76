#pragma once

#include <cstdint>

namespace alleycat {

/// A closed gate forces the signal to low codes.
struct LinearGate {
    std::int32_t closed_at_adc = 18;     ///< closed: counts at or below
    std::int32_t min_baseline_adc = 50;  ///< a median below means closed from the start
};

}  // namespace alleycat
