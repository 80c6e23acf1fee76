// A recorded run as a monitor hears it.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "daq/core/error.hpp"
#include "daq/store/file_reader.hpp"

namespace alleycat {
namespace {

constexpr std::uint64_t kBlock = 512;  // events per play()
constexpr std::size_t kWaveforms = 8;  // shown at the end of a run

class EventPlayer final : public EventSource {
  public:
    explicit EventPlayer(const std::vector<std::filesystem::path>& paths) {
        for (const std::filesystem::path& path : paths) {
            const AlleycatFile file{path};
            pieces_.push_back({path, file.run().run, file.part(), file.triggers()});
            total_ += file.triggers();
        }
        // Parts of a run in their order; runs as they were given.
        for (auto begin = pieces_.begin(); begin != pieces_.end();) {
            const auto end = std::find_if(begin, pieces_.end(), [&](const Piece& p) { return p.run != begin->run; });
            std::stable_sort(begin, end, [](const Piece& a, const Piece& b) { return a.part < b.part; });
            const auto twice =
                std::adjacent_find(begin, end, [](const Piece& a, const Piece& b) { return a.part == b.part; });
            if (twice != end) {
                throw Error{fmt::format("{}: is part {} of run {}, as is {}", std::next(twice)->path.string(),
                                        twice->part, twice->run, twice->path.string())};
            }
            begin = end;
        }
    }

    [[nodiscard]] bool play(EventSink& sink) override {
        if (!file_) {
            if (next_piece_ == pieces_.size()) return false;
            open(sink);
            return true;
        }
        if (row_ < file_->triggers())
            play_block(sink);
        else
            close(sink);
        return file_ || next_piece_ < pieces_.size();
    }

    [[nodiscard]] double fraction_done() const override {
        return total_ == 0 ? (next_piece_ == pieces_.size() ? 1.0 : 0.0)
                           : static_cast<double>(played_) / static_cast<double>(total_);
    }

  private:
    struct Piece {
        std::filesystem::path path;
        std::uint64_t run = 0;
        std::uint32_t part = 0;
        std::uint64_t triggers = 0;
    };

    void open(EventSink& sink) {
        const bool new_run = next_piece_ == 0 || pieces_[next_piece_ - 1].run != pieces_[next_piece_].run;
        file_.emplace(pieces_[next_piece_++].path);
        row_ = 0;
        if (new_run) {
            sink.on_run(file_->run());
            last_calibration_.reset();
            last_note_.reset();
        }
        if (const std::vector<OperatorNote> notes = file_->notes(); !notes.empty()) last_note_ = notes.back();
        calibrations_ = file_->calibration();
        if (last_calibration_) {  // a part repeats what is in force
            std::erase_if(calibrations_,
                          [&](const Calibration& c) { return c.from_sequence <= last_calibration_->from_sequence; });
        }
        dead_time_ = file_->dead_time();
        ticks_ = file_->ticks();
        next_calibration_ = next_dead_time_ = next_tick_ = 0;
    }

    void play_block(EventSink& sink) {
        const std::uint64_t n = std::min(kBlock, file_->triggers() - row_);
        file_->read_events(row_, n, events_, states_);
        for (const Event& event : events_) {
            play_before(event.sequence, sink);
            sink.on_event(event);
        }
        for (const BeamResolution& state : states_) sink.on_beam(state);
        // Ticks up to the block's last event; close() plays the rest.
        if (!events_.empty()) play_ticks(events_.back().time_ps, sink);
        row_ += n;
        played_ += n;
    }

    void play_ticks(std::int64_t until_ps, EventSink& sink) {
        const std::size_t first = next_tick_;
        while (next_tick_ < ticks_.size() && ticks_[next_tick_].time_ps <= until_ps) ++next_tick_;
        if (next_tick_ > first) sink.on_ticks(std::span{ticks_}.subspan(first, next_tick_ - first));
    }

    /// What comes before the event with this sequence.
    void play_before(std::uint64_t sequence, EventSink& sink) {
        while (next_calibration_ < calibrations_.size() && calibrations_[next_calibration_].from_sequence <= sequence) {
            last_calibration_ = calibrations_[next_calibration_++];
            sink.on_calibration(*last_calibration_);
        }
        while (next_dead_time_ < dead_time_.size() && dead_time_[next_dead_time_].first_sequence < sequence) {
            sink.on_dead_time(dead_time_[next_dead_time_++]);
        }
    }

    void close(EventSink& sink) {
        play_before(kNoSequence, sink);
        play_ticks(std::numeric_limits<std::int64_t>::max(), sink);
        const bool last_of_run =
            next_piece_ == pieces_.size() || pieces_[next_piece_].run != pieces_[next_piece_ - 1].run;
        if (last_of_run) {
            for (const Waveform& waveform : file_->last_waveforms(kWaveforms)) sink.on_waveform(waveform);
            sink.on_status(final_status());
        }
        file_.reset();
    }

    [[nodiscard]] Status final_status() const {
        Status status;
        status.run = file_->run().run;
        status.state = RunState::idle;
        status.reason = file_->closed() ? file_->summary()->end_reason : "the file was not closed";
        status.run_start_utc_ns = file_->run().start_utc_ns;
        if (const std::optional<CounterSample> sample = file_->last_counters()) {
            status.utc_ns = sample->utc_ns;
            status.counters = sample->counters;
        }
        if (!events_.empty()) {
            status.last_trigger_utc_ns = events_.back().utc_ns;
            status.utc_ns = std::max(status.utc_ns, events_.back().utc_ns);
        }
        if (!states_.empty()) {
            status.beam_state = states_.back().state;
            status.beam_power_w = states_.back().power_w;
        }
        status.boards = boards();
        status.last_note = last_note_;
        if (file_->closed()) {
            status.ledger = file_->summary()->ledger;
            status.quality = file_->summary()->quality.flags;
            status.quality_reasons = file_->summary()->quality.reasons;
            const std::uint64_t asked =
                status.ledger.triggers - std::min(status.ledger.refused, not_kept(status.counters));
            if (asked > 0)
                status.live_fraction = static_cast<double>(status.ledger.recorded) / static_cast<double>(asked);
        }
        status.writer.file = file_->path().filename().string();
        status.writer.durable_triggers = played_;
        return status;
    }

    /// What each board said last.
    [[nodiscard]] std::vector<BoardStatus> boards() const {
        std::vector<BoardStatus> boards(file_->run().boards.size());
        for (std::size_t b = 0; b < boards.size(); ++b) boards[b].name = file_->run().boards[b].name;
        for (ReadingSample& sample : file_->readings()) {
            std::vector<BoardReading>& known = boards[sample.board].readings;
            const auto at = std::ranges::find(known, sample.reading.name, &BoardReading::name);
            (at == known.end() ? known.emplace_back() : *at) = std::move(sample.reading);
        }
        return boards;
    }

    std::vector<Piece> pieces_;
    std::uint64_t total_ = 0, played_ = 0;
    std::size_t next_piece_ = 0;
    std::optional<AlleycatFile> file_;
    std::uint64_t row_ = 0;
    std::vector<Event> events_;
    std::vector<BeamResolution> states_;
    std::vector<Calibration> calibrations_;
    std::vector<DeadTime> dead_time_;
    std::vector<TickRecord> ticks_;
    std::size_t next_calibration_ = 0, next_dead_time_ = 0, next_tick_ = 0;
    std::optional<Calibration> last_calibration_;
    std::optional<OperatorNote> last_note_;
};

}  // namespace

std::unique_ptr<EventSource> open_events(const std::vector<std::filesystem::path>& paths) {
    return std::make_unique<EventPlayer>(paths);
}

}  // namespace alleycat
