#include <catch2/catch.hpp>
#include <stdexcept>

#include "daq/core/ordered_workers.hpp"

using namespace alleycat;

namespace {
struct Job {
    std::uint64_t in = 0;
    std::uint64_t out = 0;
};
}  // namespace

TEST_CASE("results come in the order of the jobs, whatever the number of workers", "[core][threads]") {
    const int workers = GENERATE(1, 2, 4);
    Doorbell bell;
    std::vector<OrderedWorkers<Job>::Work> works(static_cast<std::size_t>(workers), [](Job& job) {
        std::uint64_t x = job.in;
        for (std::uint64_t i = 0; i < job.in % 97; ++i) x = x * 6364136223846793005u + 1;  // of uneven length
        job.out = x == 1 ? 0 : job.in * 3;
    });
    OrderedWorkers<Job> queue{16, std::move(works), bell, "test"};
    std::uint64_t in = 0, out = 0, wrong = 0, most = 0;
    while (out < 20'000) {
        const std::uint32_t seen = bell.value();
        while (in < 20'000 && !queue.full()) {
            queue.back() = {in++, 0};
            queue.submit();
        }
        most = std::max(most, in - out);
        bool any = false;
        while (const Job* job = queue.front()) {
            wrong += job->in != out || job->out != out * 3 ? 1 : 0;
            ++out;
            queue.pop();
            any = true;
        }
        if (!any) bell.wait(seen, {});
    }
    CHECK(wrong == 0);
    CHECK(most == 16);
    CHECK(queue.empty());
    CHECK(queue.front() == nullptr);
}

TEST_CASE("what a job throws comes out at its place in the order", "[core][threads]") {
    const int workers = GENERATE(1, 3);
    Doorbell bell;
    std::vector<OrderedWorkers<Job>::Work> works(static_cast<std::size_t>(workers), [](Job& job) {
        if (job.in == 5) throw std::runtime_error{"job 5"};
    });
    OrderedWorkers<Job> queue{8, std::move(works), bell, "test"};
    for (std::uint64_t i = 0; i < 8; ++i) {
        queue.back().in = i;
        queue.submit();
    }
    CHECK(queue.full());
    std::string what;
    std::uint64_t good = 0;
    while (what.empty()) {
        const std::uint32_t seen = bell.value();
        try {
            if (queue.front() != nullptr) {
                queue.pop();
                ++good;
            } else {
                bell.wait(seen, {});
            }
        } catch (const std::exception& e) {
            what = e.what();
        }
    }
    CHECK(what == "job 5");
    CHECK(good == 5);
}
