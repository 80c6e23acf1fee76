#include "daq/store/run_number.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "builders.hpp"
#include "daq/core/error.hpp"

using namespace alleycat;
using namespace alleycat::testing;

TEST_CASE("run numbers grow from 1 and are kept in the folder", "[store][run_number]") {
    const TemporaryFolder folder;
    REQUIRE(next_run_number(folder / "data") == 1);
    REQUIRE(next_run_number(folder / "data") == 2);
    REQUIRE(next_run_number(folder / "data") == 3);
}

TEST_CASE("a run number is larger than that of every file that is there", "[store][run_number]") {
    const TemporaryFolder folder;
    std::ofstream{folder / "run_000041_part_0002.journal"};
    std::ofstream{folder / "run_000017_part_0001.h5"};
    std::ofstream{folder / "notes_of_run_900.txt"};
    REQUIRE(next_run_number(folder.path()) == 42);
    std::filesystem::remove(folder / "run_000041_part_0002.journal");
    REQUIRE(next_run_number(folder.path()) == 43);
}

TEST_CASE("a file next_run that holds no number is refused, not overwritten", "[store][run_number]") {
    const TemporaryFolder folder;
    for (const char* text : {"", "7", "x\n", "7 8\n"}) {
        std::ofstream{folder / "next_run"} << text;
        REQUIRE_THROWS_WITH(next_run_number(folder.path()), Catch::Contains("next_run: does not hold a run number"));
    }
}

TEST_CASE("two processes never get the same run number", "[store][run_number]") {
    const TemporaryFolder folder;
    constexpr int kProcesses = 4, kEach = 25;
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    for (int p = 0; p < kProcesses; ++p) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            for (int i = 0; i < kEach; ++i) {
                const std::uint64_t n = next_run_number(folder.path());
                if (::write(pipe[1], &n, sizeof n) != sizeof n) _exit(1);
            }
            _exit(0);
        }
    }
    ::close(pipe[1]);
    std::multiset<std::uint64_t> numbers;
    for (std::uint64_t n = 0; ::read(pipe[0], &n, sizeof n) == sizeof n;) numbers.insert(n);
    ::close(pipe[0]);
    for (int p = 0; p < kProcesses; ++p) REQUIRE(::wait(nullptr) > 0);
    REQUIRE(numbers.size() == kProcesses * kEach);
    REQUIRE(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size() == numbers.size());
    REQUIRE(*numbers.begin() == 1);
    REQUIRE(*numbers.rbegin() == kProcesses * kEach);
}
