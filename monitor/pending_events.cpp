#include "monitor/pending_events.hpp"

#include <algorithm>

namespace alleycat {

void PendingEvents::add(std::uint64_t sequence, TriggerClass trigger_class, std::uint64_t trend_row) {
    waiting_.push_back({sequence, trend_row, trigger_class, false});
    if (trigger_class == TriggerClass::beam_tick) ++beam_ticks_;
}

void PendingEvents::add_accepted(const AcceptedWindow& window) {
    accepted_.push_back({waiting_.back().sequence, window});
}

PendingEvents::Resolved PendingEvents::answer(Waiting& event) {
    Resolved resolved{event.trend_row, event.trigger_class, {}};
    const auto first =
        std::lower_bound(accepted_.begin(), accepted_.end(), event.sequence,
                         [](const Accepted& a, std::uint64_t sequence) { return a.sequence < sequence; });
    auto last = first;
    for (; last != accepted_.end() && last->sequence == event.sequence; ++last)
        resolved.accepted.push_back(last->window);
    accepted_.erase(first, last);
    if (event.trigger_class == TriggerClass::beam_tick) --beam_ticks_;
    event.answered = true;
    ++answered_;
    while (!waiting_.empty() && waiting_.front().answered) {
        waiting_.pop_front();
        --answered_;
    }
    return resolved;
}

std::optional<PendingEvents::Resolved> PendingEvents::take(std::uint64_t sequence) {
    auto found = waiting_.begin();
    if (found == waiting_.end() || found->sequence != sequence) {  // beam states come in order, nearly always
        found = std::lower_bound(waiting_.begin(), waiting_.end(), sequence,
                                 [](const Waiting& w, std::uint64_t s) { return w.sequence < s; });
    }
    if (found == waiting_.end() || found->sequence != sequence || found->answered) return std::nullopt;
    return answer(*found);
}

std::optional<PendingEvents::Resolved> PendingEvents::take_oldest() {
    if (waiting_.empty()) return std::nullopt;
    return answer(waiting_.front());
}

std::optional<PendingEvents::Resolved> PendingEvents::take_older(std::uint64_t newest, std::uint64_t distance) {
    if (waiting_.empty() || newest - waiting_.front().sequence <= distance) return std::nullopt;
    return answer(waiting_.front());
}

void PendingEvents::put(ByteWriter& out) const {
    out.put(static_cast<std::uint32_t>(size()));
    for (const Waiting& w : waiting_) {
        if (w.answered) continue;  // the same state, whether an older one was slow or never there
        out.put(w.sequence);
        out.put(w.trend_row);
        out.put(w.trigger_class);
    }
    out.put(static_cast<std::uint32_t>(accepted_.size()));
    for (const Accepted& a : accepted_) {
        out.put(a.sequence);
        for (const double x :
             {a.window.charge_pe, a.window.arrival_ns, a.window.point.feature, a.window.point.against}) {
            out.put(x);
        }
        out.put(a.window.role);
    }
}

bool PendingEvents::get(ByteReader& in) {
    *this = {};
    const std::size_t events = in.get_count(17);
    for (std::size_t i = 0; i < events && !in.failed(); ++i) {
        const auto sequence = in.get<std::uint64_t>();
        const auto trend_row = in.get<std::uint64_t>();
        const auto trigger_class = in.get_enum(TriggerClass::hit);
        if (!waiting_.empty() && sequence <= waiting_.back().sequence) return false;
        add(sequence, trigger_class, trend_row);
    }
    const std::size_t accepted = in.get_count(41);
    for (std::size_t i = 0; i < accepted && !in.failed(); ++i) {
        Accepted a;
        a.sequence = in.get<std::uint64_t>();
        for (double* x :
             {&a.window.charge_pe, &a.window.arrival_ns, &a.window.point.feature, &a.window.point.against}) {
            *x = in.get<double>();
        }
        a.window.role = in.get_enum(WindowRole::anticoincident);
        const bool waits =
            std::binary_search(waiting_.begin(), waiting_.end(), Waiting{a.sequence},
                               [](const Waiting& x, const Waiting& y) { return x.sequence < y.sequence; });
        if (!waits || (!accepted_.empty() && a.sequence < accepted_.back().sequence)) return false;
        accepted_.push_back(a);
    }
    return !in.failed();
}

}  // namespace alleycat
