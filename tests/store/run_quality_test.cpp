#include "daq/store/run_quality.hpp"

#include <catch2/catch.hpp>

using namespace alleycat;

namespace {

/// 100 ticks, all seen, all recorded.
RunEvidence flawless() {
    RunEvidence evidence;
    evidence.over = true;
    evidence.ledger = {true, 100, 100, 0, 100, 100, 0, 0};
    evidence.end = RunEnd{5, true, "stopped", evidence.ledger};
    return evidence;
}

/// 1970-01-01T00:00:SECOND.
OperatorNote mark(NoteKind kind, std::string text, int second) {
    return {second * 1'000'000'000LL, kind, "ann", std::move(text)};
}

const std::vector<OperatorNote> kNobodySpoke;

}  // namespace

TEST_CASE("a run against which nothing speaks is good, one that goes on is not judged yet", "[store][quality]") {
    REQUIRE(judge(flawless(), kNobodySpoke) == RunQuality{"good", ""});
    RunEvidence going_on = flawless();
    going_on.over = false;
    going_on.end.reset();
    REQUIRE(judge(going_on, kNobodySpoke) == RunQuality{"", ""});
}

TEST_CASE("every flaw has its flag and its sentence", "[store][quality]") {
    const auto of = [](const auto& flaw) {
        RunEvidence evidence = flawless();
        flaw(evidence);
        return judge(evidence, kNobodySpoke);
    };
    REQUIRE(of([](RunEvidence& e) { e.end.reset(); }) ==
            RunQuality{"interrupted", "interrupted: the run's end never came"});
    REQUIRE(of([](RunEvidence& e) { e.missing = {"part 2 is not there"}; }) ==
            RunQuality{"incomplete", "incomplete: part 2 is not there"});
    REQUIRE(of([](RunEvidence& e) { e.ledger.lost_estimated = 7; }).flags == "incomplete");
    REQUIRE(of([](RunEvidence& e) { e.ledger.recorded = 98; }) ==
            RunQuality{"incomplete", "incomplete: its ledger does not close"});
    REQUIRE(of([](RunEvidence& e) { e.ledger.recorded = 98, e.ledger.refused = 2; }) ==
            RunQuality{"degraded", "degraded: 2 of 100 triggers were refused"});
    REQUIRE(of([](RunEvidence& e) { e.ledger.ticks_expected = 101, e.ledger.ticks_missed = 1; }) ==
            RunQuality{"degraded", "degraded: 1 of 101 ticks were missed"});
    REQUIRE(of([](RunEvidence& e) { e.end->clean = false, e.end->reason = "board csi:\nno packet"; }) ==
            RunQuality{"degraded", "degraded: it ended by an error: board csi: no packet"});
    REQUIRE(of([](RunEvidence& e) {
                e.counters = {{"builder.csi.missing", 0}, {"builder.panels.missing", 3}};
            }).reasons == "degraded: board panels is missing from 3 triggers");
    REQUIRE(of([](RunEvidence& e) { e.counters = {{"calibration.fits_kept", 2}}; }).flags == "degraded");
    REQUIRE(of([](RunEvidence& e) { e.counters = {{"builder.hit_clock_restarts", 1}}; }).flags == "degraded");
    REQUIRE(of([](RunEvidence& e) { e.counters = {{"run.given_up_frames", 2}}; }).flags == "incomplete");
    REQUIRE(of([](RunEvidence& e) { e.counters = {{"run.recorded_triggers", 2}}; }).flags == "good");
    REQUIRE(of([](RunEvidence& e) { e.shortcomings = {"late"}; }).flags == "degraded");
    REQUIRE(of([](RunEvidence& e) {
                e.end.reset();
                e.ledger.refused = 1;
                e.missing = {"a", "b"};
            }) == RunQuality{"interrupted,incomplete,degraded",
                             "interrupted: the run's end never came\nincomplete: a\n"
                             "incomplete: b\ndegraded: 1 of 100 triggers were refused"});
}

TEST_CASE("an operator's mark stands beside what the run says itself, the last word counts", "[store][quality]") {
    RunEvidence evidence = flawless();
    evidence.shortcomings = {"late"};
    const OperatorNote comment = mark(NoteKind::comment, "coffee", 1);
    const OperatorNote cart = mark(NoteKind::tainted, "cart", 2);
    const OperatorNote source = mark(NoteKind::tainted, "source", 3);
    const OperatorNote good = mark(NoteKind::good, "checked: all is well", 4);
    REQUIRE(judge(evidence, std::vector{comment}).flags == "degraded");
    const RunQuality tainted = judge(evidence, std::vector{comment, cart, source});
    REQUIRE(tainted == RunQuality{"degraded,tainted",
                                  "degraded: late\ntainted: cart (ann, 1970-01-01T00:00:02.000Z)\n"
                                  "tainted: source (ann, 1970-01-01T00:00:03.000Z)"});
    const RunQuality good_again = judge_anew(tainted, std::vector{comment, cart, source, good});
    REQUIRE(good_again ==
            RunQuality{"degraded,good", "degraded: late\ngood: checked: all is well (ann, 1970-01-01T00:00:04.000Z)"});
    REQUIRE(judge(evidence, std::vector{good, cart}).flags == "degraded,tainted");
    // The same words from files and from what stood there before.
    REQUIRE(judge(evidence, std::vector{comment, cart, source, good}) == good_again);
    REQUIRE(judge_anew(judge(flawless(), kNobodySpoke), kNobodySpoke).flags == "good");
}
