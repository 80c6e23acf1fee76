#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/doorbell.hpp"
#include "daq/core/worker.hpp"

namespace alleycat {

/// Where the work of a queue with a single worker is done.
enum class SingleWorker : std::uint8_t { callers_thread, own_thread };

/// Work spread over threads, results taken back in the order it was handed in.
///
/// One thread owns the queue: it fills back(), calls submit(), and takes front() when that is done. Worker threads
/// claim jobs one by one; which thread does a job must not matter for its result. A single worker thread does them one
/// after the other. With no worker threads submit() does the job. Nothing is allocated after the start, nothing is
/// locked.
template <class Job>
class OrderedWorkers {
  public:
    using Work = std::function<void(Job&)>;

    /// capacity  jobs under way at most
    /// works     one per worker thread, each with scratch memory of its own
    /// done      rung when a job is done
    /// name      of the threads, a number is added: "trigger"
    /// single    where a single worker runs
    OrderedWorkers(std::size_t capacity, std::vector<Work> works, Doorbell& done, const std::string& name,
                   SingleWorker single = SingleWorker::callers_thread)
        : slots_(capacity), works_{std::move(works)}, done_{done} {
        if (works_.size() < 2 && single == SingleWorker::callers_thread) return;
        for (std::size_t i = 0; i < works_.size(); ++i) {
            threads_.push_back(std::make_unique<Worker>(
                name + "-" + std::to_string(i), [this, i](std::stop_token stop) { work_loop(works_[i], stop); }));
        }
    }
    ~OrderedWorkers() {
        for (auto& thread : threads_) thread->request_stop();
    }
    OrderedWorkers(const OrderedWorkers&) = delete;
    OrderedWorkers& operator=(const OrderedWorkers&) = delete;

    [[nodiscard]] bool full() const noexcept {
        return submitted_.load(std::memory_order_relaxed) - taken_ == slots_.size();
    }
    [[nodiscard]] bool empty() const noexcept { return submitted_.load(std::memory_order_relaxed) == taken_; }

    /// The free slot behind the last job: fill it, then submit(). Only when not full.
    [[nodiscard]] Job& back() noexcept { return slot(submitted_.load(std::memory_order_relaxed)).job; }
    void submit() {
        const std::uint64_t index = submitted_.load(std::memory_order_relaxed);
        slot(index).done.store(false, std::memory_order_relaxed);
        slot(index).failure = nullptr;
        if (threads_.empty()) run(works_.front(), slot(index));
        submitted_.store(index + 1, std::memory_order_release);
        if (!threads_.empty()) work_.ring();
    }

    /// The oldest job, when it is done; else nullptr. Rethrows what a worker threw.
    [[nodiscard]] Job* front() {
        if (empty() || !slot(taken_).done.load(std::memory_order_acquire)) return nullptr;
        if (slot(taken_).failure) std::rethrow_exception(slot(taken_).failure);
        return &slot(taken_).job;
    }
    void pop() noexcept { ++taken_; }
    /// The oldest job, once it is done. Only when not empty. Rethrows what a worker threw.
    [[nodiscard]] Job& wait_for_front() {
        for (;;) {
            const std::uint32_t seen = done_.value();
            if (Job* const job = front()) return *job;
            done_.wait(seen, std::stop_token{});
        }
    }

  private:
    struct Slot {
        Job job{};
        std::exception_ptr failure;  // written before done
        std::atomic<bool> done{false};
    };
    static void run(const Work& work, Slot& slot) noexcept {
        try {
            work(slot.job);
        } catch (...) {
            slot.failure = std::current_exception();
        }
        slot.done.store(true, std::memory_order_release);
    }
    Slot& slot(std::uint64_t index) noexcept { return slots_[index % slots_.size()]; }

    void work_loop(const Work& work, const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const std::uint32_t seen = work_.value();
            std::uint64_t mine = claimed_.load(std::memory_order_relaxed);
            if (mine == submitted_.load(std::memory_order_acquire)) {
                work_.wait(seen, stop);
            } else if (claimed_.compare_exchange_weak(mine, mine + 1, std::memory_order_acq_rel)) {
                run(work, slot(mine));
                done_.ring();
            }
        }
    }

    std::vector<Slot> slots_;
    std::vector<Work> works_;
    Doorbell& done_;
    Doorbell work_;
    std::uint64_t taken_ = 0;  // the owner's
    alignas(64) std::atomic<std::uint64_t> submitted_{0};
    alignas(64) std::atomic<std::uint64_t> claimed_{0};
    std::vector<std::unique_ptr<Worker>> threads_;
};

}  // namespace alleycat
