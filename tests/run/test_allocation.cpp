// From the board's reader thread to the frame buffer nothing is allocated per trigger. A program of its own, because it
// replaces operator new. Built again with a vector planted in the loop, it must fail.

#include <cstdio>
#include <cstring>

#include <catch2/catch.hpp>

#include "daq/core/frame.hpp"
#include "daq/core/ordered_workers.hpp"
#include "daq/core/worker.hpp"
#include "daq/run/beam_item.hpp"
#include "daq/run/hit_beam.hpp"
#include "daq/run/hit_builder.hpp"
#include "daq/run/readout_loop.hpp"
#include "station.hpp"
#include "tests/counting_new.hpp"

using namespace run_test;

namespace {

/// Ticks at 60 Hz with a pulse and a beam frame each, without allocating.
class QuietSource final : public RecordSource {
  public:
    QuietSource(BoardInfo board, std::uint64_t triggers) : board_{std::move(board)}, triggers_{triggers} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token) override {
        if (at_ == triggers_) return Next::end;
        header.counter = at_;
        header.time_ps = static_cast<std::int64_t>(at_) * 16'666'666'667;
        header.channels = 2;
        header.channel_mask = 3;
        header.samples_per_channel = board_.samples;
        frame_.tick = at_++;
        frame_.charge_pc = 1;
        frame_.flavor = 1;
        due_ = true;
        return Next::record;
    }
    void fill(std::span<std::byte> payload) override {
        const std::size_t n = board_.samples;
        for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = i < n ? std::byte{100} : std::byte{21};
        for (std::size_t i = 28'000; i < 28'400; ++i) payload[i] = static_cast<std::byte>(60 + (at_ + i) % 40);
    }
    void take_beam_frames(std::vector<BeamFrame>& frames) override {
        if (due_) frames.push_back(frame_);
        due_ = false;
    }

  private:
    BoardInfo board_;
    std::uint64_t triggers_;
    std::uint64_t at_ = 0;
    BeamFrame frame_;
    bool due_ = false;
};

/// Allocations while a whole run of so many triggers goes from a reader thread through ring, builder, two workers of
/// the trigger stage and the beam join into the frame buffer.
std::uint64_t allocations_of(std::uint64_t triggers) {
    StationSetup setup = csi_station();
    setup.trigger.beam_monitor =
        BeamMonitor{.channel = {0, 1, true}, .pulse = {.threshold_adc = 10}, .end = 35'000, .baseline_samples = 20'000};
    const auto sources = make_live_sources(setup, 1);
    const RunDescription run = describe_run(setup, 1, sources);
    CounterRegistry registry;
    Doorbell bell;
    std::vector<std::unique_ptr<BoardInput>> inputs;
    inputs.push_back(std::make_unique<BoardInput>("pci5153", 1u << 22));
    BoardInput& input = *inputs.front();
    input.records.set_bell(bell);
    input.beam.set_bell(bell);
    BuilderConfig builder_config = setup.builder;
    builder_config.mode = WhenFull::wait;
    EventBuilder builder{inputs, builder_config, registry};
    BeamJoin join{setup.beam, std::nullopt, registry};
    BeamIndexCheck index_check{setup.beam, true, registry};
    Ring frames{1u << 22};
    CalibrationConfig calibration_config;  // one block, never fitted: its peaks are collected
    calibration_config.source = CalibrationConfig::Source::fit;
    calibration_config.block_triggers = 1'000'000;
    CalibrationKeeper calibration{{.config = calibration_config}, bell, registry};

    struct Job {
        Trigger trigger;
        Event event;
        std::uint64_t consumed = 0;
        CalibrationKeeper::Admission calibration;
        PeakCharges peaks;
    };
    std::vector<OrderedWorkers<Job>::Work> works;
    for (int i = 0; i < 2; ++i) {
        works.push_back([stage = std::make_shared<TriggerStage>(setup.trigger, run.boards)](Job& job) {
            stage->process(job.trigger, job.calibration.spe_charge_adc, job.event);
            stage->measure_single_peaks(job.event, job.peaks);
#ifdef ALLEYCAT_PLANT_ALLOCATION
            const std::vector<Event> planted(1, job.event);
            job.event = planted.back();
#endif
        });
    }
    OrderedWorkers<Job> workers{64, std::move(works), bell, "trigger"};
    QuietSource source{run.boards.front(), triggers};

    const std::uint64_t before = allocations.load();
    std::uint64_t published = 0, answered = 0, peaks = 0;
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::wait, stop);
                  }};
    for (bool ended = false; !ended || !workers.empty();) {
        const std::uint32_t seen = bell.value();
        bool busy = false;
        while (!ended && !workers.full()) {
            Job& job = workers.back();
            const EventBuilder::Built built = builder.next(job.trigger, job.consumed);
            if (built == EventBuilder::Built::end) ended = true;
            if (built != EventBuilder::Built::trigger) break;
            job.calibration = *calibration.admit(job.trigger);
            workers.submit();
            busy = true;
        }
        while (const Job* job = workers.front()) {
            const std::span<std::byte> room = frames.reserve(trigger_frame_bytes(job->trigger, job->event));
            frames.commit(encode_trigger(room, 1, published++, job->trigger, job->event));
            peaks += static_cast<std::uint64_t>(job->event.window[0][Feature::roi_peaks]);
            calibration.collect(job->calibration.block, &job->peaks);
            (void)frames.next();
            frames.release();
            join.add(job->trigger.sequence, job->trigger.tick, job->trigger.time_ps, job->trigger.utc_ns);
            index_check.add(job->event);
            builder.release(job->consumed);
            workers.pop();
            busy = true;
        }
        for (auto slot = input.beam.next(); slot.data() != nullptr; slot = input.beam.next()) {
            BeamItem item;
            std::memcpy(&item, slot.data(), sizeof item);
            input.beam.release();
            join.add(item.frame);
            busy = true;
        }
        for (BeamResolution resolution; join.next(resolution);) answered += resolution.state == BeamState::on ? 1 : 0;
        index_check.compare(join);
        if (!busy && !ended) bell.wait(seen, std::stop_token{});
    }
    reader.finish();
    const std::uint64_t after = allocations.load();
    CHECK(published == triggers);
    CHECK(answered == triggers);
    CHECK(registry.get("beam_index.ticks").value() > triggers / 2);
    CHECK(peaks > triggers);  // the stage had something to do
    CHECK(registry.get("calibration.peaks").value() > triggers);
    return after - before;
}

/// Hits of two crystals in turn, 100 us apart, with a tick and a beam frame at 60 Hz, without allocating.
class QuietHits final : public RecordSource {
  public:
    QuietHits(BoardInfo board, std::uint64_t hits) : board_{std::move(board)}, hits_{hits} {}
    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token) override {
        if (at_ == hits_) return Next::end;
        header.counter = at_;
        header.time_ps = static_cast<std::int64_t>(at_) * 100'000'000;
        header.channels = 2;
        header.channel_mask = std::uint64_t{3} << (at_ % 2 * 2);
        header.samples_per_channel = board_.samples;
        header.sample_type = board_.sample_type;
        header.trigger_class = TriggerClass::hit;
        ++at_;
        due_ = header.time_ps >= (static_cast<std::int64_t>(tick_) - 1) * 16'666'666'667;  // a period ahead
        return Next::record;
    }
    void fill(std::span<std::byte> payload) override {
        auto* const codes = reinterpret_cast<std::uint16_t*>(payload.data());
        std::fill_n(codes, payload.size() / 2, std::uint16_t{15'000});
        std::fill_n(codes + 100, 150, std::uint16_t{14'000});
    }
    void take_beam_frames(std::vector<BeamFrame>& frames) override {
        if (!due_) return;
        BeamFrame frame;
        frame.tick = tick_;
        frame.charge_pc = 1;
        frame.flavor = 1;
        frame.cycle = 5;
        frames.push_back(frame);
    }
    void take_ticks(std::vector<TickRecord>& ticks) override {
        if (!due_) return;
        TickRecord tick;
        tick.tick = tick_;
        tick.time_ps =
            static_cast<std::int64_t>(tick_++) * 16'666'666'667 - 5'000'000;  // now and then 5 us before a hit
        ticks.push_back(tick);
        due_ = false;
    }

  private:
    BoardInfo board_;
    std::uint64_t hits_;
    std::uint64_t at_ = 0, tick_ = 0;
    bool due_ = false;
};

/// The same for hits: from the reader through rings, builder with its pairing, stage and join into the frame buffer.
std::uint64_t allocations_of_hits(std::uint64_t hits) {
    StationSetup setup = load_station(std::filesystem::path{ALLEYCAT_SOURCE_DIR} / "config" / "nai.toml");
    BoardInfo board = setup.station.boards.front();
    CounterRegistry registry;
    Doorbell bell;
    std::vector<std::unique_ptr<BoardInput>> inputs;
    inputs.push_back(std::make_unique<BoardInput>(board.name, 1u << 22));
    BoardInput& input = *inputs.front();
    for (Ring* const ring : {&input.records, &input.beam, &input.ticks}) ring->set_bell(bell);
    BuilderConfig builder_config = setup.builder;
    builder_config.mode = WhenFull::wait;
    HitBuilder builder{inputs, builder_config, registry};
    BeamJoin join{setup.beam, std::nullopt, registry};
    HitBeam beam{join, false, 60};
    Ring frames{1u << 22};
    TriggerStage stage{setup.trigger, setup.station.boards};
    QuietHits source{board, hits};
    std::vector<TickRecord> ticks;
    ticks.reserve(256);

    const std::uint64_t before = allocations.load();
    std::uint64_t published = 0, answered = 0, accepted = 0, ticks_on = 0;
    Worker reader{"readout", [&](const std::stop_token& stop) {
                      const EndOfInput end{input};
                      readout_loop(source, input, registry, WhenFull::wait, stop);
                  }};
    Trigger trigger;
    Event event;
    for (bool ended = false; !ended;) {
        const std::uint32_t seen = bell.value();
        bool busy = false;
        std::uint64_t consumed = 0;
        for (;;) {
            const TriggerBuilder::Built built = builder.next(trigger, consumed);
            ended = built == TriggerBuilder::Built::end;
            if (built != TriggerBuilder::Built::trigger) break;
            stage.process(trigger, 280, event);
            for (std::size_t w = 0; w < event.window_count; ++w) accepted += event.window[w].accepted() ? 1 : 0;
            const std::span<std::byte> room = frames.reserve(trigger_frame_bytes(trigger, event));
            frames.commit(encode_trigger(room, 1, published++, trigger, event));
            (void)frames.next();
            frames.release();
            beam.add(trigger);
            builder.release(consumed);
            busy = true;
        }
        for (auto slot = input.beam.next(); slot.data() != nullptr; slot = input.beam.next()) {
            BeamItem item;
            std::memcpy(&item, slot.data(), sizeof item);
            input.beam.release();
            join.add(item.frame);
            busy = true;
        }
        for (TickRecord tick; builder.next_tick(tick);) beam.add(tick);
        for (TickRecord tick; beam.next(tick);) {
            ticks_on += tick.state == BeamState::on ? 1 : 0;
            ticks.push_back(tick);
            if (ticks.size() < 256) continue;
            const std::span<std::byte> room = frames.reserve(ticks_frame_bytes(ticks.size()));
            frames.commit(encode_ticks(room, 1, published, ticks));
            (void)frames.next();
            frames.release();
            ticks.clear();
        }
        for (BeamResolution resolution; beam.next(resolution);) answered += resolution.state == BeamState::on ? 1 : 0;
        if (!busy && !ended) bell.wait(seen, std::stop_token{});
    }
    reader.finish();
    const std::uint64_t after = allocations.load();
    CHECK(published == hits);
    CHECK(answered == hits);
    CHECK(ticks_on == (hits - 1) * 100'000'000 / 16'666'666'667 + 2);
    CHECK(accepted > hits / 200);  // the stage had something to do
    return after - before;
}

}  // namespace

TEST_CASE("from the board to the frame buffer nothing is allocated per trigger", "[run][allocation]") {
    const std::uint64_t few = allocations_of(400);
    const std::uint64_t many = allocations_of(1'400);
    std::printf("allocations per 1000 triggers: %lld\n", static_cast<long long>(many) - static_cast<long long>(few));
    CHECK(many == few);
    CHECK(few > 0);  // the counter works: the reader thread's start did allocate
}

TEST_CASE("from a board that triggers itself to the frame buffer nothing is allocated per hit", "[run][allocation]") {
    const std::uint64_t few = allocations_of_hits(4'000);
    const std::uint64_t many = allocations_of_hits(14'000);
    std::printf("allocations per 10000 hits: %lld\n", static_cast<long long>(many) - static_cast<long long>(few));
    CHECK(many == few);
    CHECK(few > 0);
}
