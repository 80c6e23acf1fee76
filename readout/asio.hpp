#pragma once
// Boost.Asio 1.74 does not compile as first include under C++20 (std::exchange), and clang-format sorts includes: this
// is the only place that includes it. No coroutines: their header is what fails.

#define BOOST_ASIO_DISABLE_CO_AWAIT 1

#include <utility>

#include <boost/asio.hpp>
