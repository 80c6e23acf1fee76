#include "daq/run/readout_loop.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "daq/core/data_time.hpp"
#include "daq/core/log.hpp"
#include "daq/run/beam_item.hpp"

namespace alleycat {
namespace {

class Readout {
  public:
    Readout(RecordSource& source, BoardInput& input, CounterRegistry& registry, WhenFull when_full)
        : source_{source}, input_{input}, registry_{registry}, when_full_{when_full}, counters_{registry, input.name} {}

    void run(const std::stop_token& stop) {
        attempt([&] { read(stop); });
        // Only now may this thread wait for the trigger thread: stopping waits for nobody.
        input_.stopped.store(true, std::memory_order_release);
        attempt([&] { source_.finish(); });
        attempt([&] {
            commit_stub_when_possible(std::stop_token{});
            mirror();
            mirror_readings();
        });
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    void read(const std::stop_token& stop) {
        RecordHeader header;
        while (!stop.stop_requested()) {
            header = RecordHeader{};
            const RecordSource::Next next = source_.next(header, stop);
            pass_beam_on(stop);  // first: what is known about a recorded trigger is there when the trigger is
            if (next == RecordSource::Next::record) take(header, stop);
            if (pending_stub_.refused != 0 && next != RecordSource::Next::record) commit_stub();
            if (next == RecordSource::Next::end) break;
            // Once a second by the host times that the records bring: no clock is asked for every one of them.
            if (next == RecordSource::Next::idle || ++since_mirrored_ == 256 || header.utc_ns >= mirror_utc_ns_) {
                mirror();
            }
        }
    }

    /// A board that fails, then fails to stop: what it had refused before is told all the same, and its first failure
    /// is the one that counts.
    template <class Step>
    void attempt(const Step& step) {
        try {
            step();
        } catch (const std::exception& e) {
            if (failure_) {
                log::run().warn("board {}, which had failed: {}", input_.name, e.what());
            } else {
                failure_ = std::current_exception();
            }
        }
    }

    void take(const RecordHeader& header, const std::stop_token& stop) {
        seen_ps_ = std::max(seen_ps_, header.refused > 0 ? header.refused_last_time_ps : header.time_ps);
        const std::size_t bytes = sizeof(RecordHeader) + payload_bytes(header);
        const bool is_stub = header.refusal != RefusalReason::none;
        note_seen(header);
        const std::span<std::byte> slot = is_stub ? std::span<std::byte>{} : room_for(bytes, stop);
        if (slot.empty()) {
            // A file that is no longer read loses nothing: its records stand where they were.
            if (when_full_ == WhenFull::refuse || is_stub) refuse(header, stop);
        } else {
            std::memcpy(slot.data(), &header, sizeof header);
            reinterpret_cast<RecordHeader*>(slot.data())->flags |= std::exchange(began_anew_, 0);
            source_.fill(slot.subspan(sizeof header));
            refusing_since_ps_.reset();
            input_.refusing_ps.store(-1, std::memory_order_relaxed);
            input_.newest_time_ps.store(header.time_ps, std::memory_order_release);
            input_.records.commit();
            counters_.records.add();
            counters_.bytes.add(bytes);
        }
    }

    /// Before it is put into the ring: who takes it there then finds it counted.
    void note_seen(const RecordHeader& header) {
        const std::uint32_t triggers = std::max<std::uint32_t>(header.refused, 1);
        input_.seen.fetch_add(triggers, std::memory_order_relaxed);
        if (header.trigger_class == TriggerClass::beam_tick) counters_.ticks.add(triggers);
        input_.newest_utc_ns.store(header.utc_ns, std::memory_order_relaxed);
    }

    /// A slot behind all stubs, or none: a record never overtakes the stub of an older one.
    std::span<std::byte> room_for(std::size_t bytes, const std::stop_token& stop) {
        if (bytes > input_.records.largest_record(kStubReserve)) {
            throw Error{"board " + input_.name + ": a record of " + std::to_string(bytes) +
                        " bytes does not fit its ring: raise run.ring_mb"};
        }
        for (;;) {
            const std::uint32_t seen = input_.space.value();
            if (pending_stub_.refused == 0 || commit_stub()) {
                const std::span<std::byte> slot = input_.records.reserve(bytes, kStubReserve);
                if (!slot.empty()) return slot;
            }
            if (when_full_ == WhenFull::refuse || stop.stop_requested() || abandoned()) return {};
            input_.waits.store(std::uint64_t{seen} + 1, std::memory_order_release);
            input_.records.ring_bell();  // for a builder that waits for this board
            input_.space.wait(seen, stop);
            input_.waits.store(0, std::memory_order_release);
        }
    }

    /// Every refused trigger leaves a stub. While there is no room even for that: live, it joins the stub that waits,
    /// under that one's reason (the board must be read on); a recorded stub waits, as a record would.
    void refuse(const RecordHeader& header, const std::stop_token& stop) {
        const std::uint32_t triggers = header.refused == 0 ? 1 : header.refused;
        counters_.refused.add(triggers);
        input_.refused.fetch_add(triggers, std::memory_order_release);
        if (!refusing_since_ps_) refusing_since_ps_ = header.time_ps;
        input_.refusing_ps.store(std::max<std::int64_t>(seen_ps_ - *refusing_since_ps_, 0), std::memory_order_relaxed);
        if (pending_stub_.refused == 0) {
            pending_stub_ = header;
            pending_stub_.flags |= std::exchange(began_anew_, 0);
            pending_stub_.refused = 0;
            if (header.refusal == RefusalReason::none) pending_stub_.refusal = RefusalReason::buffer_full;
            pending_stub_.channels = 0;
            pending_stub_.channel_mask = 0;
            pending_stub_.samples_per_channel = 0;
            pending_stub_.truth_count = 0;
        }
        // By another clock: the stub's times end before, and what comes behind it says so.
        if (pending_stub_.refused != 0) began_anew_ |= header.flags & record_flag::clock_restarted;
        const std::int64_t last_ps = header.refused == 0 ? header.time_ps : header.refused_last_time_ps;
        if (pending_stub_.refused == 0 || (began_anew_ == 0 && last_ps >= pending_stub_.time_ps))
            pending_stub_.refused_last_time_ps = last_ps;
        pending_stub_.refused += triggers;
        if (header.trigger_class == TriggerClass::beam_tick) pending_stub_.samples_per_channel += triggers;
        // Whatever becomes of it: who waits for this board's data time would wait for a ring that is full.
        input_.newest_time_ps.store(pending_stub_.refused_last_time_ps, std::memory_order_release);
        if (when_full_ == WhenFull::wait) {
            commit_stub_when_possible(stop);
        } else {
            commit_stub();
        }
    }

    bool commit_stub() {
        const std::span<std::byte> slot = input_.records.reserve(sizeof(RecordHeader));
        if (slot.empty()) return false;
        std::memcpy(slot.data(), &pending_stub_, sizeof pending_stub_);
        input_.newest_time_ps.store(pending_stub_.refused_last_time_ps, std::memory_order_release);
        input_.records.commit();
        pending_stub_ = RecordHeader{};
        return true;
    }

    /// Waits for the trigger thread: a stub that found no room would be a trigger nobody ever hears of.
    void commit_stub_when_possible(const std::stop_token& stop) {
        for (;;) {
            const std::uint32_t seen = input_.space.value();
            if (pending_stub_.refused == 0 || commit_stub() || abandoned() || stop.stop_requested()) return;
            input_.space.wait(seen, stop);
        }
    }

    [[nodiscard]] bool abandoned() const noexcept { return input_.abandoned.load(std::memory_order_acquire); }

    void pass_beam_on(const std::stop_token& stop) {
        frames_.clear();
        resolutions_.clear();
        ticks_.clear();
        source_.take_beam_frames(frames_);
        source_.take_beam_resolutions(resolutions_);
        source_.take_ticks(ticks_);
        Counter& lost = counters_.beam_items_lost;
        counters_.ticks.add(ticks_.size());
        for (const TickRecord& tick : ticks_) put(TickItem{tick, seen_ps_}, input_.ticks, counters_.ticks_lost, stop);
        for (const BeamFrame& frame : frames_) put(BeamItem{BeamItem::Kind::frame, frame, {}}, input_.beam, lost, stop);
        for (const BeamResolution& resolution : resolutions_) {
            put(BeamItem{BeamItem::Kind::resolution, {}, resolution}, input_.beam, lost, stop);
        }
    }

    template <class Item>
    void put(const Item& item, Ring& ring, Counter& lost, const std::stop_token& stop) {
        for (;;) {
            const std::uint32_t seen = input_.space.value();
            const std::span<std::byte> slot = ring.reserve(sizeof item);
            if (!slot.empty()) {
                std::memcpy(slot.data(), &item, sizeof item);
                ring.commit();
                return;
            }
            if (when_full_ == WhenFull::refuse || stop.stop_requested() || abandoned()) {
                lost.add();
                return;
            }
            input_.space.wait(seen, stop);
        }
    }

    /// What only this thread may ask the source, put where others can see it.
    void mirror() {
        since_mirrored_ = 0;
        mirror_utc_ns_ = later(input_.newest_utc_ns.load(std::memory_order_relaxed), 1'000'000'000);
        input_.fraction_done.store(source_.fraction_done().value_or(-1), std::memory_order_relaxed);
        for (const auto& [name, count] : source_.defects()) {
            registry_.get("readout." + input_.name + "." + name).raise_to(count);
        }
        if (const auto now = std::chrono::steady_clock::now(); now >= readings_due_) {
            readings_due_ = now + std::chrono::seconds{1};
            mirror_readings();
        }
    }

    void mirror_readings() {
        input_.readings.put(std::make_shared<const std::vector<BoardReading>>(source_.readings()));
    }

    RecordSource& source_;
    BoardInput& input_;
    CounterRegistry& registry_;
    WhenFull when_full_;
    ReadoutCounters counters_;
    RecordHeader pending_stub_;                      // refused: 0 = none
    std::uint32_t began_anew_ = 0;                   // clock_restarted, of a refused one that joined a stub
    std::int64_t seen_ps_ = kNever;                  // newest data time, refused records included
    std::optional<std::int64_t> refusing_since_ps_;  // data time of the first refusal that no record followed
    int since_mirrored_ = 0;
    std::int64_t mirror_utc_ns_ = 0;  // host time of the record that the next look at the source is due with
    std::chrono::steady_clock::time_point readings_due_{};
    std::exception_ptr failure_;  // the first one
    std::vector<TickRecord> ticks_;
    std::vector<BeamFrame> frames_;
    std::vector<BeamResolution> resolutions_;
};

}  // namespace

void readout_loop(RecordSource& source, BoardInput& input, CounterRegistry& registry, WhenFull when_full,
                  const std::stop_token& stop) {
    Readout{source, input, registry, when_full}.run(stop);
}

}  // namespace alleycat
