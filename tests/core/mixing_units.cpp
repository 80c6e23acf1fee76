// Must not compile, except with CONTROL defined, which proves that nothing else is wrong with this file.

#include "daq/core/quantity.hpp"

alleycat::PhotoElectrons energy(alleycat::AdcCharge charge, alleycat::PhotoElectrons offset) {
#ifdef CONTROL
    (void)charge;
    return offset + offset;
#else
    return charge + offset;
#endif
}
