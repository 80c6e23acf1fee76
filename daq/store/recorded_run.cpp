// A recorded run as sources of records: one per board, over all its parts.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>

#include "daq/core/error.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/raw_reader.hpp"
#include "daq/store/trial.hpp"

namespace alleycat {
namespace {

/// The rows of /truth of one board, walked through with its records.
class TruthRows {
  public:
    TruthRows() = default;
    TruthRows(hid_t file, std::uint16_t board)
        : board_{board},
          sequence_{file, "truth/sequence"},
          onset_{file, "truth/onset_ns"},
          photoelectrons_{file, "truth/photoelectrons"},
          of_board_{file, "truth/board"},
          kind_{file, "truth/kind"} {}

    void take(std::uint64_t sequence, std::vector<TruthPulse>& pulses) {
        pulses.clear();
        const std::uint64_t n =
            std::min({sequence_.rows(), onset_.rows(), photoelectrons_.rows(), of_board_.rows(), kind_.rows()});
        for (; row_ < n && sequence_.at(row_) <= sequence; ++row_) {
            if (sequence_.at(row_) != sequence || of_board_.at(row_) != board_ ||
                kind_.at(row_) >= kTruthKindNames.size())
                continue;
            pulses.push_back({onset_.at(row_), photoelectrons_.at(row_), static_cast<TruthKind>(kind_.at(row_)), {}});
        }
    }

  private:
    std::uint16_t board_ = 0;
    h5::Walk<std::uint64_t> sequence_;
    h5::Walk<float> onset_;
    h5::Walk<std::uint32_t> photoelectrons_;
    h5::Walk<std::uint16_t> of_board_;
    h5::Walk<std::uint8_t> kind_;
    std::uint64_t row_ = 0;
};

/// The rows of /triggers that records refer to, and the beam states in them.
class TriggerRows {
  public:
    TriggerRows() = default;
    explicit TriggerRows(const AlleycatFile& file)
        : rows_{file.triggers()},
          sequence_{file.hdf5_id(), "triggers/sequence"},
          time_{file.hdf5_id(), "triggers/time_ps"},
          utc_{file.hdf5_id(), "triggers/utc_ns"},
          class_{file.hdf5_id(), "triggers/trigger_class"},
          tick_{file.hdf5_id(), "triggers/tick"},
          power_{file.hdf5_id(), "triggers/beam_power_w"},
          state_{file.hdf5_id(), "triggers/beam_state"},
          with_samples_{sequences_with_samples(file)} {}

    /// A row of which no board has samples.
    struct Bare {
        std::uint64_t sequence = 0, tick = 0;
        std::int64_t time_ps = 0, utc_ns = 0;
        TriggerClass trigger_class = TriggerClass::beam_tick;
    };
    /// Those among the rows passed so far, oldest first; the caller takes them.
    std::deque<Bare> bare;
    /// Of the row described last.
    [[nodiscard]] std::uint64_t tick() const noexcept { return described_tick_; }

    /// Fills in what the trigger knows about its record; the beam states up to it are appended to `states`.
    /// false: the file has no such trigger.
    bool describe(RecordHeader& header, std::vector<BeamResolution>* states) {
        pass(header.sequence, states);
        if (row_ == 0 || sequence_.at(row_ - 1) != header.sequence) return false;
        header.time_ps = time_.at(row_ - 1);
        header.utc_ns = utc_.at(row_ - 1);
        header.trigger_class = class_at(row_ - 1);
        described_tick_ = tick_.at(row_ - 1);
        return true;
    }
    /// Passes all rows up to `sequence`.
    void pass(std::uint64_t sequence, std::vector<BeamResolution>* states) {
        for (; row_ < rows_ && sequence_.at(row_) <= sequence; ++row_) {
            if (states == nullptr) continue;
            note_bare();
            const std::int8_t state = state_.at(row_);
            states->push_back({sequence_.at(row_), power_.at(row_),
                               state < -1 || state > 2 ? BeamState::unknown : static_cast<BeamState>(state)});
        }
    }

  private:
    /// Of any board, sorted; nullopt: all triggers are said to have samples.
    static std::optional<std::vector<std::uint64_t>> sequences_with_samples(const AlleycatFile& file) {
        const hid_t id = file.hdf5_id();
        if (h5::get_text(id, "raw").value_or("all") == "all") return std::nullopt;
        std::vector<std::uint64_t> sequences;
        for (const BoardInfo& board : file.run().boards) {
            for (const std::string& group : {"raw/" + board.name, "raw/" + board.name + "/irregular"}) {
                if (!h5::exists(id, group)) continue;
                const auto some = h5::read_column<std::uint64_t>(id, group + "/sequence");
                sequences.insert(sequences.end(), some.begin(), some.end());
            }
        }
        std::sort(sequences.begin(), sequences.end());
        return sequences;
    }

    void note_bare() {
        if (!with_samples_) return;
        const std::uint64_t sequence = sequence_.at(row_);
        while (next_with_ < with_samples_->size() && (*with_samples_)[next_with_] < sequence) ++next_with_;
        if (next_with_ < with_samples_->size() && (*with_samples_)[next_with_] == sequence) return;
        bare.push_back({sequence, tick_.at(row_), time_.at(row_), utc_.at(row_), class_at(row_)});
    }
    TriggerClass class_at(std::uint64_t row) {
        return static_cast<TriggerClass>(std::min<std::uint8_t>(class_.at(row), kTriggerClassNames.size() - 1));
    }

    std::uint64_t rows_ = 0, row_ = 0, described_tick_ = 0;
    h5::Walk<std::uint64_t> sequence_;
    h5::Walk<std::int64_t> time_, utc_;
    h5::Walk<std::uint8_t> class_;
    h5::Walk<std::uint64_t> tick_;
    h5::Walk<float> power_;
    h5::Walk<std::int8_t> state_;
    std::optional<std::vector<std::uint64_t>> with_samples_;
    std::size_t next_with_ = 0;
};

class RecordedBoard final : public RecordSource {
  public:
    /// ticks_ahead_ps  how far ticks come ahead of the records; 0: this board does not tell them
    RecordedBoard(std::vector<std::filesystem::path> paths, const BoardInfo& board, std::uint16_t index,
                  unsigned decode_threads, std::int64_t ticks_ahead_ps)
        : paths_{std::move(paths)},
          board_{board},
          index_{index},
          tells_the_beam_{index == 0},
          decode_threads_{decode_threads},
          ticks_ahead_ps_{ticks_ahead_ps} {}

    [[nodiscard]] const BoardInfo& board() const noexcept override { return board_; }

    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override {
        h5::prepare();
        while (!stop.stop_requested()) {
            if (!reader_ && !open_next()) {
                deliver_ticks(std::numeric_limits<std::int64_t>::max());
                return Next::end;
            }
            if (held_) return deliver(header);
            try {
                if (!reader_->next()) {
                    if (tells_the_beam_) triggers_.pass(kNoSequence, &states_);
                    if (stub_before(kNoSequence, header)) return Next::record;
                    finish_file();
                    continue;
                }
                header_ = reader_->header();
                if (!triggers_.describe(header_, tells_the_beam_ ? &states_ : nullptr)) {
                    ++records_without_trigger_;
                    continue;
                }
                truth_.take(header_.sequence, pulses_);
            } catch (const Error& e) {
                throw Error{fmt::format("{}: {}", file_->path().string(), e.what())};
            }
            pulses_.resize(std::min<std::size_t>(pulses_.size(), 0xFFFF));
            header_.truth_count = static_cast<std::uint16_t>(pulses_.size());
            held_ = true;
        }
        return Next::idle;
    }

    void fill(std::span<std::byte> payload) override {
        h5::prepare();
        const std::size_t truth_bytes = pulses_.size() * sizeof(TruthPulse);
        const std::span<std::byte> samples = payload.first(payload.size() - truth_bytes);
        const std::size_t used =
            std::size_t{header_.channels} * header_.samples_per_channel * bytes_per_sample(header_.sample_type);
        try {
            reader_->read_samples(samples);
        } catch (const Error& e) {
            throw Error{fmt::format("{}: {}", file_->path().string(), e.what())};
        }
        std::fill(samples.begin() + static_cast<std::ptrdiff_t>(used), samples.end(), std::byte{0});
        std::copy_n(std::as_bytes(std::span{pulses_}).begin(), truth_bytes,
                    payload.end() - static_cast<std::ptrdiff_t>(truth_bytes));
    }

    void take_beam_frames(std::vector<BeamFrame>& frames) override {
        frames.insert(frames.end(), due_.begin(), due_.end());
        due_.clear();
    }
    void take_ticks(std::vector<TickRecord>& ticks) override {
        ticks.insert(ticks.end(), due_ticks_.begin(), due_ticks_.end());
        due_ticks_.clear();
    }
    void take_beam_resolutions(std::vector<BeamResolution>& resolutions) override {
        resolutions.insert(resolutions.end(), states_.begin(), states_.end());
        states_.clear();
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override {
        return {{"record_without_trigger", records_without_trigger_}};
    }
    [[nodiscard]] std::optional<double> fraction_done() const override {
        const double in_file =
            file_ && file_->triggers() > 0 ? static_cast<double>(records_) / static_cast<double>(file_->triggers()) : 0;
        return std::min(1.0, (static_cast<double>(next_path_) - (file_ ? 1 : 0) + std::min(in_file, 1.0)) /
                                 static_cast<double>(paths_.size()));
    }
    [[nodiscard]] std::vector<std::string> remarks() const override { return remarks_; }

  private:
    /// The record that was read, after the triggers that were refused before it.
    Next deliver(RecordHeader& header) {
        if (stub_before(header_.sequence, header)) return Next::record;
        held_ = false;
        while (next_frame_ < frames_.size() && frames_[next_frame_].tick <= header_.counter) {
            due_.push_back(frames_[next_frame_++]);
        }
        deliver_ticks_before(header_.time_ps);
        header = header_;
        last_ = header_;
        last_tick_ = triggers_.tick();
        ++records_;
        return Next::record;
    }

    void deliver_ticks_before(std::int64_t record_ps) {
        constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
        deliver_ticks(std::min(record_ps, last - ticks_ahead_ps_) + ticks_ahead_ps_);
    }

    /// Ticks that came apart from the triggers, up to a time. A part's last ticks stand in the next part, where they
    /// were written once their beam state was known: parts are read ahead for them.
    void deliver_ticks(std::int64_t until_ps) {
        if (ticks_ahead_ps_ == 0) return;
        for (;;) {
            for (; next_tick_ < ticks_.size() && ticks_[next_tick_].time_ps <= until_ps; ++next_tick_) {
                due_ticks_.push_back(ticks_[next_tick_]);
            }
            if (next_tick_ < ticks_.size() || next_tick_path_ == paths_.size()) return;
            ticks_ = AlleycatFile{paths_[next_tick_path_++]}.ticks();
            next_tick_ = 0;
        }
    }

    /// The next trigger or interval without samples before `sequence`, if there is one.
    bool stub_before(std::uint64_t sequence, RecordHeader& header) {
        const std::uint64_t bare = triggers_.bare.empty() ? kNoSequence : triggers_.bare.front().sequence;
        const std::uint64_t dead =
            next_dead_time_ < dead_time_.size() ? dead_time_[next_dead_time_].first_sequence : kNoSequence;
        if (std::min(bare, dead) >= sequence) return false;
        bare < dead ? not_kept(header) : refused(header);
        return true;
    }

    /// A trigger whose samples were not kept: all but these is known of it.
    void not_kept(RecordHeader& header) {
        const TriggerRows::Bare row = triggers_.bare.front();
        triggers_.bare.pop_front();
        deliver_ticks_before(row.time_ps);
        header = RecordHeader{};
        header.sequence = row.sequence;
        // The board counted it as its tick says, seen from a record near by.
        header.counter =
            held_ ? header_.counter + (row.tick - triggers_.tick()) : last_.counter + (row.tick - last_tick_);
        header.time_ps = header.refused_last_time_ps = row.time_ps;
        header.utc_ns = row.utc_ns;
        header.trigger_class = row.trigger_class;
        header.refused = 1;
        header.refusal = RefusalReason::not_kept;
        header.board = index_;
    }

    /// The next dead-time interval as the stub it once was.
    void refused(RecordHeader& header) {
        const DeadTime& interval = dead_time_[next_dead_time_++];
        const std::uint64_t n = interval.last_sequence - interval.first_sequence + 1;
        const RecordHeader& near = held_ ? header_ : last_;  // counters and host time go along with the sequence
        header = RecordHeader{};
        header.sequence = interval.first_sequence;
        header.counter = near.counter + (interval.first_sequence - near.sequence);
        header.time_ps = interval.begin_ps;
        // The interval ends a nominal tick behind the last refused tick, or with the last refused hit.
        const std::int64_t step_ps = (interval.end_ps - interval.begin_ps) / static_cast<std::int64_t>(n);
        header.refused_last_time_ps =
            board_.self_triggered ? interval.end_ps : interval.begin_ps + step_ps * static_cast<std::int64_t>(n - 1);
        header.utc_ns = near.utc_ns + (interval.begin_ps - near.time_ps) / 1000;
        header.refused = static_cast<std::uint32_t>(n);
        header.refusal = static_cast<RefusalReason>(interval.reason);
        header.board = index_;
    }

    bool open_next() {
        if (next_path_ == paths_.size()) return false;
        file_.emplace(paths_[next_path_++]);
        reader_.emplace(file_->hdf5_id(), board_, index_, decode_threads_);
        triggers_ = TriggerRows{*file_};
        truth_ = TruthRows{file_->hdf5_id(), index_};
        frames_ = tells_the_beam_ ? file_->beam_frames() : std::vector<BeamFrame>{};
        next_frame_ = 0;
        dead_time_ = tells_the_beam_ ? file_->dead_time() : std::vector<DeadTime>{};
        next_dead_time_ = 0;
        records_ = 0;
        if (!file_->closed() && tells_the_beam_) {
            remarks_.push_back(fmt::format("{}: was not closed, it ends after {} triggers", file_->path().string(),
                                           file_->triggers()));
        }
        return true;
    }
    void finish_file() {
        if (tells_the_beam_) {
            due_.insert(due_.end(), frames_.begin() + static_cast<std::ptrdiff_t>(next_frame_), frames_.end());
        }
        reader_.reset();
        triggers_ = TriggerRows{};
        truth_ = TruthRows{};
        file_.reset();
    }

    std::vector<std::filesystem::path> paths_;
    BoardInfo board_;
    std::uint16_t index_;
    bool tells_the_beam_;
    unsigned decode_threads_;
    std::int64_t ticks_ahead_ps_;
    std::size_t next_path_ = 0;
    std::optional<AlleycatFile> file_;
    std::optional<h5::BoardReader> reader_;
    TriggerRows triggers_;
    TruthRows truth_;
    RecordHeader header_;
    RecordHeader last_;  // delivered last
    std::uint64_t last_tick_ = 0;
    bool held_ = false;  // header_ is read and not yet delivered
    std::vector<DeadTime> dead_time_;
    std::size_t next_dead_time_ = 0;
    std::vector<TruthPulse> pulses_;
    std::vector<BeamFrame> frames_, due_;
    std::size_t next_frame_ = 0;
    std::vector<BeamResolution> states_;
    std::vector<TickRecord> ticks_, due_ticks_;
    std::size_t next_tick_ = 0, next_tick_path_ = 0;
    std::uint64_t records_ = 0, records_without_trigger_ = 0;
    std::vector<std::string> remarks_;
};

/// Of parts that HDF5 does not die of.
std::vector<std::unique_ptr<RecordSource>> open_parts(const std::vector<std::filesystem::path>& paths,
                                                      unsigned decode_threads) {
    std::map<std::uint32_t, std::filesystem::path> parts;
    std::optional<RunDescription> run;
    for (const std::filesystem::path& path : paths) {
        const AlleycatFile file{path};
        if (!file.has_raw())
            throw Error{fmt::format("{}: holds no samples (with raw = \"none\" none are kept), it cannot be replayed",
                                    path.string())};
        if (run && run->run != file.run().run) {
            throw Error{fmt::format("{}: belongs to run {}, {} to run {}: replay one run at a time", path.string(),
                                    file.run().run, parts.begin()->second.string(), run->run)};
        }
        if (run && *run != file.run())
            throw Error{fmt::format("{}: describes run {} differently than {}", path.string(), run->run,
                                    parts.begin()->second.string())};
        const auto [there, added] = parts.emplace(file.part(), path);
        if (!added)
            throw Error{fmt::format("{}: is part {} of run {}, as is {}", path.string(), file.part(), file.run().run,
                                    there->second.string())};
        run = file.run();
    }
    if (!run) throw Error{"no file was given to replay"};
    std::vector<std::filesystem::path> ordered;
    for (const auto& [part, path] : parts) ordered.push_back(path);
    std::vector<std::unique_ptr<RecordSource>> sources;
    const auto boards = static_cast<unsigned>(std::max<std::size_t>(run->boards.size(), 1));
    const unsigned threads_per_board = (decode_threads + boards - 1) / boards;
    // Two periods: the tick that decides for a hit is there when the hit is, and no reader waits for room meanwhile.
    const bool hits = triggers_are_hits(*run) && run->tick_rate_hz > 0;
    const std::int64_t ticks_ahead_ps = hits ? std::llround(2e12 / run->tick_rate_hz) : 0;
    for (std::uint16_t b = 0; b < run->boards.size(); ++b) {
        sources.push_back(std::make_unique<RecordedBoard>(ordered, run->boards[b], b, threads_per_board,
                                                          b == 0 ? ticks_ahead_ps : 0));
    }
    return sources;
}

/// As a replay does, to the last record.
void play_through(const std::filesystem::path& path) {
    for (const std::unique_ptr<RecordSource>& board : open_parts({path}, 1)) {
        RecordHeader header;
        std::vector<std::byte> payload;
        while (board->next(header, std::stop_token{}) == RecordSource::Next::record) {
            payload.resize(payload_bytes(header));
            if (header.refused == 0) board->fill(payload);
        }
    }
}

}  // namespace

std::vector<std::unique_ptr<RecordSource>> open_recorded_run(const std::vector<std::filesystem::path>& paths,
                                                             unsigned decode_threads) {
    for (const std::filesystem::path& path : paths) require_openable(path, [&path] { play_through(path); });
    return open_parts(paths, decode_threads);
}

}  // namespace alleycat
