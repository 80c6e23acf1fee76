#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

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

TEST_CASE("a single worker with a thread of its own does the jobs one after the other, beside the caller",
          "[core][threads]") {
    Doorbell bell;
    std::atomic<bool> begin{false};
    std::thread::id worker{};
    std::vector<std::uint64_t> order;  // written by the worker until every job is done
    std::vector<OrderedWorkers<Job>::Work> works{[&](Job& job) {
        begin.wait(false);
        worker = std::this_thread::get_id();
        order.push_back(job.in);
    }};
    OrderedWorkers<Job> queue{3, std::move(works), bell, "test", SingleWorker::own_thread};
    for (std::uint64_t i = 0; i < 3; ++i) {
        queue.back().in = i;
        queue.submit();  // returns although no job can be done yet
    }
    CHECK(queue.full());
    CHECK(queue.front() == nullptr);
    begin = true;
    begin.notify_all();
    for (std::uint64_t i = 0; i < 3; ++i) {
        CHECK(queue.wait_for_front().in == i);
        queue.pop();
    }
    CHECK(order == std::vector<std::uint64_t>{0, 1, 2});
    CHECK(worker != std::this_thread::get_id());
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
