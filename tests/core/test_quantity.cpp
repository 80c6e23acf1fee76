// Quantities add and compare with their own kind only. mixing_units.cpp is the test that the compiler refuses it.

#include "daq/core/quantity.hpp"

#include <catch2/catch.hpp>
#include <type_traits>

using namespace alleycat;

namespace {

template <class A, class B>
concept Comparable = requires(A a, B b) {
    a < b;
};
template <class A, class B>
concept Assignable = requires(A a, B b) {
    a += b;
};

static_assert(Addable<PhotoElectrons, PhotoElectrons>);
static_assert(!Addable<AdcCounts, PhotoElectrons>);
static_assert(!Addable<AdcCharge, AdcCounts>);
static_assert(!Addable<SampleIndex, AdcCounts>);
static_assert(!Addable<PhotoElectrons, double>);
static_assert(!Addable<double, PhotoElectrons>);
static_assert(Comparable<AdcCharge, AdcCharge>);
static_assert(!Comparable<AdcCharge, PhotoElectrons>);
static_assert(!Comparable<AdcCharge, double>);
static_assert(Assignable<SampleIndex, SampleIndex>);
static_assert(!Assignable<AdcCharge, AdcCounts>);
static_assert(!std::is_convertible_v<double, PhotoElectrons>, "a bare number says no unit");
static_assert(!std::is_convertible_v<PhotoElectrons, double>, "value() says that the unit is left behind");
static_assert(!std::is_constructible_v<PhotoElectrons, AdcCharge>);

}  // namespace

TEST_CASE("quantities add, subtract and order like their numbers", "[core][unit]") {
    REQUIRE((SampleIndex{27'475} - SampleIndex{19'800}).value() == 7'675);
    REQUIRE((PhotoElectrons{5.5} + PhotoElectrons{0.5}).value() == 6.0);
    REQUIRE(AdcCounts{-1} < AdcCounts{2});
    REQUIRE(AdcCounts{3} == AdcCounts{3});
    AdcCharge charge{70};
    charge += AdcCharge{5};
    charge -= AdcCharge{1};
    REQUIRE(charge == AdcCharge{74});
    REQUIRE(PhotoElectrons{}.value() == 0);
}
