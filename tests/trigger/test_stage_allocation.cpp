// Measuring a trigger allocates nothing, with every kind of feature, sums and resets. A program of its own, because it
// replaces operator new.

#include "simulated_station.hpp"
#include "tests/counting_new.hpp"

using namespace simulated_station;

TEST_CASE("measuring a trigger of any profile allocates nothing", "[trigger][allocation]") {
    for (const char* const name : {"lar", "germanium", "mars"}) {
        SimulatedStation one{name};
        one.simulator.rate_boost *= 5;
        // Beside what the station measures: another channel's peaks and charge.
        const ChannelRef last{0, static_cast<std::uint16_t>(one.station.boards[0].channels.size() - 1), true};
        one.trigger.features.others.push_back({.ref = last, .peaks = one.trigger.peaks, .wants_peaks = true});
        const GateFrom gate{.begin = 0, .end = 20};
        FeatureRecipe coincidence, charge;
        coincidence.kind = CoincidenceFeature{.gate = gate, .others = {0}};
        charge.kind = GateChargeFeature{gate};
        charge.channel = 0;
        one.trigger.features.recipes.push_back(coincidence);
        one.trigger.features.recipes.push_back(charge);

        Simulator source{one.simulator, one.station.boards[0], 0, 300};
        TriggerStage stage{one.trigger, one.station.boards};
        RecordHeader header;
        std::vector<std::uint32_t> words(100'000);
        Event event;
        std::uint64_t inside = 0;
        std::size_t arrivals = 0;
        while (source.next(header, {}) == RecordSource::Next::record) {
            const auto payload = std::as_writable_bytes(std::span{words}).first(payload_bytes(header));
            source.fill(payload);
            Trigger trigger;
            trigger.add({header, payload});
            const std::uint64_t before = allocations.load();
            stage.process(trigger, one.trigger.spe_charge_adc, event);
            inside += allocations.load() - before;
            for (std::size_t w = 0; w < event.window_count; ++w) {
                arrivals += event.window[w][Feature::arrival_sample] >= 0;
            }
        }
        CHECK(inside == 0);
        CHECK(arrivals > 10);
    }
    CHECK(allocations.load() > 0);  // the counter works: construction did allocate
}
