#pragma once
// Numbers that know what they are. A unit is a type inside the program and a suffix where types end.

#include <compare>
#include <cstdint>

namespace alleycat {

/// A number of one kind: adds and compares with its own kind only.
template <class Tag, class Rep>
class Quantity {
  public:
    using rep = Rep;

    constexpr Quantity() noexcept = default;
    constexpr explicit Quantity(Rep value) noexcept : value_{value} {}

    [[nodiscard]] constexpr Rep value() const noexcept { return value_; }

    constexpr Quantity& operator+=(Quantity other) noexcept {
        value_ = static_cast<Rep>(value_ + other.value_);
        return *this;
    }
    constexpr Quantity& operator-=(Quantity other) noexcept {
        value_ = static_cast<Rep>(value_ - other.value_);
        return *this;
    }
    friend constexpr Quantity operator+(Quantity a, Quantity b) noexcept { return a += b; }
    friend constexpr Quantity operator-(Quantity a, Quantity b) noexcept { return a -= b; }
    friend constexpr auto operator<=>(Quantity, Quantity) noexcept = default;

  private:
    Rep value_{};
};

using SampleIndex = Quantity<struct SampleIndexTag, std::int64_t>;   ///< position in one waveform [samples]
using AdcCounts = Quantity<struct AdcCountsTag, double>;             ///< height above baseline [ADC counts]
using AdcCharge = Quantity<struct AdcChargeTag, double>;             ///< summed heights [ADC counts x sample]
using PhotoElectrons = Quantity<struct PhotoElectronsTag, double>;   ///< calibrated charge [PE]

template <class A, class B>
concept Addable = requires(A a, B b) { a + b; };

static_assert(Addable<AdcCounts, AdcCounts>);
static_assert(!Addable<AdcCounts, PhotoElectrons>, "mixing units must not compile");

}  // namespace alleycat
