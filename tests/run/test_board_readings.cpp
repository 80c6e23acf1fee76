// What a board says of itself, on its way from the driver to the status.

#include <catch2/catch.hpp>
#include <limits>

#include "daq/core/worker.hpp"
#include "daq/run/paced_source.hpp"
#include "daq/run/readout_loop.hpp"
#include "daq/run/tick_channel_source.hpp"
#include "fakes.hpp"

using namespace run_test;
using Step = ScriptedSource::Step;
using Next = RecordSource::Next;

namespace {

/// Says how often it was asked.
class AskedSource : public ScriptedSource {
  public:
    using ScriptedSource::ScriptedSource;
    [[nodiscard]] std::vector<BoardReading> readings() const override {
        return {{"temperature", 41.5, "degC"}, {"asked", static_cast<double>(++asked_), ""}};
    }
    [[nodiscard]] int asked() const noexcept { return asked_; }

  private:
    mutable int asked_ = 0;
};

std::vector<Step> ticks(std::uint64_t n) {
    std::vector<Step> steps;
    for (std::uint64_t i = 0; i < n; ++i)
        steps.push_back({Next::record, record_at(i, static_cast<std::int64_t>(i) * kTick), {}});
    return steps;
}

}  // namespace

TEST_CASE("a source that wraps a board passes on what the board says of itself", "[run][boards]") {
    const std::vector<BoardReading> said{{"temperature", 41.5, "degC"}, {"asked", 1, ""}};
    const PacedSource paced{std::make_unique<AskedSource>(ticks(1))};
    CHECK(paced.readings() == said);
    const TickChannelSource with_ticks{std::make_unique<AskedSource>(ticks(1)), 0, TickConfig{}};
    CHECK(with_ticks.readings() == said);
}

TEST_CASE("the readings of a board are there with its first record, and asked for about once a second",
          "[run][boards][readout]") {
    CounterRegistry registry;
    BoardInput input{"board0", 1u << 21};
    class Source final : public AskedSource {
      public:
        explicit Source(BoardInput& input) : AskedSource{ticks(1'000)}, input_{input} {}
        Next next(RecordHeader& header, std::stop_token stop) override {
            if (steps_taken() == 1) there_with_first = input_.readings.get() != nullptr;
            return AskedSource::next(header, stop);
        }
        bool there_with_first = false;

      private:
        BoardInput& input_;
    };
    Source source{input};
    CHECK(input.readings.get() == nullptr);
    readout_loop(source, input, registry, WhenFull::refuse, {});
    CHECK(source.there_with_first);
    // 1000 records are 16.7 s of data; every 256th is a reason to ask too, as are the first and the end (twice).
    CHECK(source.asked() <= 17 + 3 + 3);
    REQUIRE(input.readings.get() != nullptr);
    CHECK(input.readings.get()->back().value == source.asked());  // the newest are the ones that stay
}

TEST_CASE("the status of a board says what is known of it and nothing else", "[run][boards]") {
    BoardInput input{"v2745", 1u << 20};
    BoardStatus nothing;
    nothing.name = "v2745";
    CHECK(status_of(input) == nothing);

    input.clock_offset_ns = -12.5;
    input.clock_drift_ppm = std::numeric_limits<double>::infinity();  // nobody's clock
    input.missing_ps = 3'200'000'000'000;
    input.newest_utc_ns = 77;
    input.readings.put(std::make_shared<const std::vector<BoardReading>>(1, BoardReading{"busy", 0.25, ""}));
    const BoardStatus found = status_of(input);
    CHECK(found.missing_s == Approx(3.2));
    CHECK(found.clock_offset_ns == -12.5);
    CHECK_FALSE(found.clock_drift_ppm);
    CHECK(found.last_record_utc_ns == 77);
    CHECK(found.readings == std::vector<BoardReading>{{"busy", 0.25, ""}});

    input.missing_ps = 0;  // called missing, and no later trigger yet
    CHECK(status_of(input).missing_s == 0.0);
}
