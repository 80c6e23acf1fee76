#pragma once
// Every instruction set that this program was built for and this processor has, one after the other.

#include <hwy/targets.h>

#include <string>

namespace alleycat::testing {

/// Calls `f(name)` once per target, which is the one taken meanwhile.
template <class F>
void for_each_simd_target(F&& f) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        f(std::string{hwy::TargetName(target)});
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace alleycat::testing
