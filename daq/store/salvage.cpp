#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "daq/core/error.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/content_digest.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/part_check.hpp"
#include "daq/store/part_name.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/store/raw_writer.hpp"
#include "daq/store/repair.hpp"
#include "daq/store/trial.hpp"

namespace alleycat {
namespace {

constexpr std::uint64_t kBlock = 1024;              // rows read at once
constexpr std::uint64_t kMostChunks = 1 << 24;      // of a dataset; more is damage, not data
constexpr std::uint64_t kMostChunkBytes = 1 << 30;  // ours have a megabyte
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 44;

using Rows = std::vector<bool>;

void keep_common(Rows& rows, const Rows& other) {
    rows.resize(std::min(rows.size(), other.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = rows[i] && other[i];
}

bool all_of(const Rows& rows) { return std::find(rows.begin(), rows.end(), false) == rows.end(); }

/// A damaged file, and which of its rows are provably what was written.
class DamagedFile {
  public:
    /// `real_bytes`: what the file had before it was made as long as HDF5 asks.
    DamagedFile(hid_t file, std::uint64_t real_bytes) : file_{file}, real_bytes_{real_bytes} {}

    /// A row is good when its chunk stands within the file, no filter was left out, and its checksum agrees. Samples of
    /// nothing but zeros that are not compressed prove nothing: so reads a page that a power cut took, checksum and
    /// all.
    [[nodiscard]] Rows good_rows(const std::string& path, bool samples = false) const {
        Rows good;
        try {
            good = look_at(path, samples);
        } catch (const Error&) {
            good.clear();  // no column, no shape: no row
        }
        return good;
    }

    /// Rows that are good in all columns.
    [[nodiscard]] Rows good_rows(const std::string& group, const std::vector<std::string>& columns) const {
        Rows good = good_rows(group + "/" + columns.front());
        for (const std::string& column : columns) keep_common(good, good_rows(group + "/" + column));
        return good;
    }

    /// Values of a column; only those of good rows mean anything.
    template <class T>
    [[nodiscard]] std::vector<T> read(const std::string& path, const Rows& good) const {
        std::vector<T> values(good.size());
        for (std::uint64_t first = 0; first < good.size();) {
            std::uint64_t end = first;
            while (end < good.size() && good[end]) ++end;
            if (end > first)
                h5::read_rows(file_, path, first, end - first, h5::native_type<T>(), values.data() + first);
            first = end + 1;
        }
        return values;
    }

    [[nodiscard]] hid_t id() const noexcept { return file_; }

  private:
    [[nodiscard]] Rows look_at(const std::string& path, bool samples) const {
        const h5::Handle dataset{h5::check(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), "cannot be opened")};
        const h5::Handle space{H5Dget_space(dataset.get())}, type{H5Dget_type(dataset.get())};
        const h5::Handle creation{H5Dget_create_plist(dataset.get())};
        std::array<hsize_t, H5S_MAX_RANK> size{}, chunk{};
        const int rank = H5Sget_simple_extent_dims(space.get(), size.data(), nullptr);
        if (rank < 1 || H5Pget_layout(creation.get()) != H5D_CHUNKED ||
            H5Pget_chunk(creation.get(), rank, chunk.data()) != rank ||
            !std::equal(chunk.begin() + 1, chunk.begin() + rank, size.begin() + 1))
            throw Error{"has no chunks of whole rows"};
        std::uint64_t row_bytes = H5Tget_size(type.get());
        for (int d = 1; d < rank; ++d)
            row_bytes *= std::min<std::uint64_t>(size[static_cast<std::size_t>(d)], kMostChunkBytes);
        if (size[0] / chunk[0] > kMostChunks || row_bytes == 0 || row_bytes > kMostChunkBytes / chunk[0])
            throw Error{"has an impossible size"};
        const bool plain = is_plain(creation.get());
        Rows good(size[0], false);
        std::vector<std::byte> block(chunk[0] * row_bytes);
        for (std::uint64_t first = 0; first < size[0]; first += chunk[0]) {
            const std::uint64_t n = std::min<std::uint64_t>(chunk[0], size[0] - first);
            if (!stands_in_file(dataset.get(), first)) continue;
            try {
                h5::read_rows(file_, path, first, n, type.get(), block.data());
            } catch (const Error&) {
                continue;
            }
            const std::span<const std::byte> read = std::span{block}.first(n * row_bytes);
            if (samples && plain &&
                std::all_of(read.begin(), read.end(), [](std::byte b) { return b == std::byte{0}; }))
                continue;
            std::fill_n(good.begin() + static_cast<std::ptrdiff_t>(first), n, true);
        }
        return good;
    }

    static bool is_plain(hid_t creation) {
        return H5Pget_nfilters(creation) < 2;  // the checksum alone
    }

    [[nodiscard]] bool stands_in_file(hid_t dataset, std::uint64_t row) const {
        std::array<hsize_t, H5S_MAX_RANK> at{};
        at[0] = row;
        unsigned skipped = 0;
        haddr_t place = HADDR_UNDEF;
        hsize_t bytes = 0;
        return H5Dget_chunk_info_by_coord(dataset, at.data(), &skipped, &place, &bytes) >= 0 && place != HADDR_UNDEF &&
               skipped == 0 && bytes > 0 && place <= real_bytes_ && bytes <= real_bytes_ - place;
    }

    hid_t file_;
    std::uint64_t real_bytes_;
};

/// The records of one board that are good, by their trigger.
class SavedRecords {
  public:
    SavedRecords(const DamagedFile& file, const BoardInfo& board, std::uint16_t index)
        : file_{file}, board_{board}, index_{index} {
        const std::string group = "raw/" + board.name;
        load(group, false);
        if (h5::exists(file.id(), group + "/irregular")) load(group + "/irregular", true);
    }

    [[nodiscard]] bool has(std::uint64_t sequence) const { return records_.contains(sequence); }

    /// Fills header and samples of the trigger's record, if there is a good one.
    bool read(std::uint64_t sequence, RecordHeader& header, std::vector<std::byte>& samples) const {
        const auto found = records_.find(sequence);
        if (found == records_.end()) return false;
        const Record& r = found->second;
        header = r.header;
        const std::size_t bytes = payload_bytes(header);
        samples.resize(bytes);
        if (bytes == 0) return true;
        if (!r.hits) {
            h5::read_rows(file_.id(), "raw/" + board_.name + "/samples", r.begin, 1,
                          h5::sample_type_id(board_.sample_type), samples.data());
            return true;
        }
        const std::string path = "raw/" + board_.name + (r.irregular ? "/irregular" : "") + "/samples/flattened_data";
        // HDF5 turns the i32 of irregular records back into the ADC's own type.
        h5::read_rows(file_.id(), path, r.begin, std::uint64_t{header.channels} * header.samples_per_channel,
                      h5::sample_type_id(header.sample_type), samples.data());
        return true;
    }

    [[nodiscard]] const std::set<std::uint64_t>& seen() const noexcept { return seen_; }

  private:
    struct Record {
        RecordHeader header;
        std::uint64_t begin = 0;  ///< row of /samples, or of flattened_data
        bool hits = false, irregular = false;
    };

    void load(const std::string& group, bool irregular) {
        const bool hits = irregular || h5::exists(file_.id(), group + "/samples/flattened_data");
        std::vector<std::string> columns{"sequence", "counter", "clock", "time_ps", "channel_mask", "flags"};
        if (hits) columns.insert(columns.end(), {"channels", "channel", "samples/cumulative_length"});
        if (irregular) columns.push_back("sample_type");
        const Rows good = file_.good_rows(group, columns);
        const Rows samples = file_.good_rows(group + (hits ? "/samples/flattened_data" : "/samples"), true);
        sequence_ = file_.read<std::uint64_t>(group + "/sequence", good);
        counter_ = file_.read<std::uint64_t>(group + "/counter", good);
        clock_ = file_.read<std::uint64_t>(group + "/clock", good);
        time_ = file_.read<std::int64_t>(group + "/time_ps", good);
        mask_ = file_.read<std::uint64_t>(group + "/channel_mask", good);
        flags_ = file_.read<std::uint32_t>(group + "/flags", good);
        for (std::size_t i = 0; i < good.size(); ++i) {
            if (good[i]) seen_.insert(sequence_[i]);
        }
        if (hits)
            load_hits(group, irregular, good, samples);
        else
            load_fixed(good, samples);
    }

    [[nodiscard]] RecordHeader header_of(std::size_t row) const {
        RecordHeader header;
        header.board = index_;
        header.sequence = sequence_[row];
        header.counter = counter_[row];
        header.clock = clock_[row];
        header.time_ps = time_[row];
        header.channel_mask = mask_[row];
        header.flags = flags_[row];
        header.sample_type = board_.sample_type;
        return header;
    }

    void load_fixed(const Rows& good, const Rows& samples) {
        for (std::size_t row = 0; row < std::min(good.size(), samples.size()); ++row) {
            if (!good[row] || !samples[row]) continue;
            Record record{header_of(row), row, false, false};
            record.header.channels = static_cast<std::uint16_t>(board_.channels.size());
            record.header.samples_per_channel = board_.samples;
            records_.emplace(record.header.sequence, record);
        }
    }

    void load_hits(const std::string& group, bool irregular, const Rows& good, const Rows& samples) {
        const auto channels = file_.read<std::uint16_t>(group + "/channels", good);
        const auto ends = file_.read<std::uint64_t>(group + "/samples/cumulative_length", good);
        const auto types =
            irregular ? file_.read<std::uint8_t>(group + "/sample_type", good) : std::vector<std::uint8_t>{};
        for (std::size_t row = 0; row < good.size();) {
            const std::size_t n = good[row] ? std::max<std::size_t>(channels[row], 1) : 1;
            Record record{header_of(row), 0, true, irregular};
            if (irregular && good[row]) {
                if (types[row] > static_cast<std::uint8_t>(SampleType::uint16)) {
                    ++row;
                    continue;
                }
                record.header.sample_type = static_cast<SampleType>(types[row]);
            }
            if (good[row] && is_whole(row, n, channels[row], good, ends, samples, record))
                records_.emplace(record.header.sequence, record);
            row += n;
        }
    }

    /// Whether rows [row, row + n) are one record, all of them and their samples good.
    [[nodiscard]] bool is_whole(std::size_t row, std::size_t n, std::uint16_t channels, const Rows& good,
                                const std::vector<std::uint64_t>& ends, const Rows& samples, Record& record) const {
        if (channels > kMaxChannels || n > good.size() - row || (row > 0 && !good[row - 1])) return false;
        record.begin = row == 0 ? 0 : ends[row - 1];
        std::uint64_t begin = record.begin;
        for (std::size_t i = row; i < row + n; ++i) {
            if (!good[i] || sequence_[i] != sequence_[row] || ends[i] < begin || ends[i] > samples.size() ||
                (i > row && ends[i] - begin != ends[row] - record.begin))
                return false;
            begin = ends[i];
        }
        for (std::uint64_t s = record.begin; s < begin; ++s) {
            if (!samples[s]) return false;
        }
        record.header.channels = channels;
        record.header.samples_per_channel = static_cast<std::uint32_t>(ends[row] - record.begin);
        return true;
    }

    const DamagedFile& file_;
    BoardInfo board_;
    std::uint16_t index_;
    std::vector<std::uint64_t> sequence_, counter_, clock_, mask_;
    std::vector<std::int64_t> time_;
    std::vector<std::uint32_t> flags_;
    std::map<std::uint64_t, Record> records_;
    std::set<std::uint64_t> seen_;  ///< triggers of rows that are good, whatever became of their samples
};

std::vector<std::string> columns_in(hid_t file, const std::string& group) {
    std::vector<std::string> columns;
    for (const std::string& name : h5::links(file, group)) {
        if (h5::rows(file, group + "/" + name)) columns.push_back(name);
    }
    return columns;
}

/// Reads what is good from one file and writes it into a new part.
class Salvage {
  public:
    Salvage(const AlleycatFile& from, std::uint64_t real_bytes)
        : from_{from}, file_{from.hdf5_id(), real_bytes}, run_{from.run()} {
        if (is_trustworthy()) summary_ = from.summary();
        good_ = good_triggers();
        for (std::uint16_t b = 0; b < run_.boards.size(); ++b) boards_.emplace_back(file_, run_.boards[b], b);
        const std::string raw = h5::get_text(from.hdf5_id(), "raw").value_or("");
        raw_ = raw == "none"       ? RawSelection{RawData::none}
               : raw == "all"      ? RawSelection{RawData::all}
               : raw == "accepted" ? RawSelection{RawData::accepted, prescale()}
                                   : store_config_of(run_.config_text).raw;
    }

    [[nodiscard]] RawSelection raw() const noexcept { return raw_; }
    [[nodiscard]] std::uint64_t triggers() const noexcept { return saved_.size(); }

    void write(PartWriter& part) {
        write_small_tables(part);
        write_triggers(part);
        if (summary_) {  // the ledger, as the run reported it
            FrameContent content = frame(FrameKind::run_end);
            content.run_end.ledger = summary_->ledger;
            part.add(content);
        }
        name_lost_triggers();
        name_lost_records();
    }

    [[nodiscard]] PartEnd end() const {
        std::string lost;
        for (const std::string& sentence : lost_) lost += (lost.empty() ? "" : "\n") + sentence;
        return {.run_ended = summary_ && summary_->run_ended,
                .clean = summary_ && summary_->clean,
                .repaired = false,
                .reason = summary_ ? summary_->end_reason : "salvaged: it was not closed in order",
                .salvaged = true,
                .lost = lost};
    }
    [[nodiscard]] const std::vector<std::string>& lost() const noexcept { return lost_; }

  private:
    /// /summary has no checksum of its own; the digest over it tells whether it is as it was written.
    [[nodiscard]] bool is_trustworthy() const {
        try {
            const std::optional<std::string> written = h5::get_content_digest(file_.id());
            return from_.closed() && written && h5::content_digest(file_.id()) == *written;
        } catch (const Error&) {
            return false;
        }
    }

    [[nodiscard]] FrameContent frame(FrameKind kind) const {
        FrameContent content;
        content.kind = kind;
        content.run = run_.run;
        if (summary_)
            content.ordinal =
                h5::get_number<std::uint64_t>(h5::open_group(file_.id(), "summary").get(), "last_ordinal").value_or(0);
        return content;
    }

    /// Rows of /triggers that are good there and in every window, and follow each other.
    [[nodiscard]] Rows good_triggers() {
        std::vector<std::string> columns = columns_in(file_.id(), "triggers");
        for (const char* needed :
             {"sequence", "trigger_class", "time_ps", "utc_ns", "flags", "beam_state", "missing_boards"}) {
            if (std::find(columns.begin(), columns.end(), needed) == columns.end()) return {};
        }
        Rows good = file_.good_rows("triggers", columns);
        const Rows numbered = file_.good_rows("triggers/sequence");
        sequences_ = file_.read<std::uint64_t>("triggers/sequence", numbered);
        for (std::size_t i = 0; i < sequences_.size(); ++i) {
            if (numbered[i]) named_.insert(sequences_[i]);
        }
        for (const WindowInfo& window : run_.windows) {
            const std::string group = "windows/" + window.name;
            std::vector<std::string> of_window{"sequence", "cuts", "accepted"};
            for (const FeatureInfo& f : run_.features) of_window.push_back(f.name);
            const Rows in_window = file_.good_rows(group, of_window);
            const auto same = file_.read<std::uint64_t>(group + "/sequence", in_window);
            keep_common(good, in_window);
            for (std::size_t i = 0; i < good.size(); ++i) good[i] = good[i] && same[i] == sequences_[i];
        }
        const auto utc = file_.read<std::int64_t>("triggers/utc_ns", good);
        std::optional<std::uint64_t> last;
        for (std::size_t i = 0; i < good.size(); ++i) {
            good[i] = good[i] && utc[i] != 0 && (!last || sequences_[i] > *last);  // zeros: written later than the rest
            if (good[i]) last = sequences_[i];
        }
        return good;
    }

    /// Whether every row of a table is good; else the table is named as lost.
    [[nodiscard]] bool is_whole(const std::string& group) {
        const std::vector<std::string> columns = columns_in(file_.id(), group);
        const bool whole = !columns.empty() && [&] {
            const std::uint64_t rows = h5::rows(file_.id(), group + "/" + columns.front()).value_or(0);
            return std::all_of(columns.begin(), columns.end(), [&](const std::string& column) {
                const Rows good = file_.good_rows(group + "/" + column);
                return good.size() == rows && all_of(good);
            });
        }();
        if (!whole) lost_.push_back(fmt::format("/{}: not all of its rows can be read, none is taken", group));
        return whole;
    }

    template <class Do>
    void attempt(const std::string& group, const Do& action) {
        if (!is_whole(group)) return;
        try {
            action();
        } catch (const Error& e) {
            lost_.push_back(fmt::format("/{}: {}", group, without_path(e.what(), from_.path())));
        }
    }

    void write_small_tables(PartWriter& part) {
        attempt("calibration", [&] {
            for (const Calibration& c : from_.calibration()) {
                FrameContent content = frame(FrameKind::calibration);
                content.calibration = c;
                part.add(content);
            }
        });
        attempt("dead_time", [&] {
            for (const DeadTime& d : from_.dead_time()) {
                FrameContent content = frame(FrameKind::dead_time);
                content.dead_time = d;
                part.add(content);
                refused_.push_back({d.first_sequence, d.last_sequence, SequenceRange::Fate::refused});
            }
        });
        attempt("beam", [&] {
            FrameContent content = frame(FrameKind::beam_frames);
            content.beam_frames = from_.beam_frames();
            part.add(content);
        });
        if (triggers_are_hits(run_)) {
            attempt("ticks", [&] {
                FrameContent content = frame(FrameKind::ticks);
                content.ticks = from_.ticks();
                part.add(content);
            });
        }
        if (h5::exists(file_.id(), "comments")) {  // since format version 3
            attempt("comments", [&] {
                for (const OperatorNote& note : from_.notes()) {
                    FrameContent content = frame(FrameKind::note);
                    content.note = note;
                    part.add(content);
                }
            });
        }
        if (h5::exists(file_.id(), "gaps")) {  // the same
            attempt("gaps", [&] {
                for (const Gap& gap : from_.gaps()) {
                    FrameContent content = frame(FrameKind::gap);
                    content.gap = gap;
                    part.add(content);
                }
            });
        }
        if (h5::exists(file_.id(), "readings")) {  // younger than the others
            attempt("readings", [&] {
                FrameContent content = frame(FrameKind::readings);
                content.readings = from_.readings();
                part.add(content);
            });
        }
        attempt("counters", [&] { write_counters(part); });
    }

    void write_counters(PartWriter& part) {
        const auto utc = h5::read_column<std::int64_t>(file_.id(), "counters/utc_ns");
        const auto sequence = h5::read_column<std::uint64_t>(file_.id(), "counters/sequence");
        std::vector<std::pair<std::string, std::vector<std::uint64_t>>> columns;
        for (const std::string& name : columns_in(file_.id(), "counters")) {
            if (name != "utc_ns" && name != "sequence")
                columns.emplace_back(name, h5::read_column<std::uint64_t>(file_.id(), "counters/" + name));
        }
        for (std::size_t i = 0; i < utc.size(); ++i) {
            FrameContent content = frame(FrameKind::counters);
            content.counters.utc_ns = utc[i];
            content.counters.sequence = sequence[i];
            for (const auto& [name, values] : columns) content.counters.counters.emplace_back(name, values[i]);
            part.add(content);
        }
    }

    void write_triggers(PartWriter& part) {
        load_truth();
        std::vector<Event> events;
        FrameContent states = frame(FrameKind::beam_states);
        for (std::uint64_t first = 0; first < good_.size();) {
            std::uint64_t end = first;
            while (end < good_.size() && good_[end] && end - first < kBlock) ++end;
            if (end == first) {
                ++first;
                continue;
            }
            try {
                from_.read_events(first, end - first, events, states.beam_states);
                const auto missing =
                    h5::read_column<std::uint64_t>(file_.id(), "triggers/missing_boards", first, end - first);
                for (std::size_t i = 0; i < events.size(); ++i) write_trigger(part, events[i], missing[i]);
                part.add(states);
            } catch (const Error& e) {
                lost_.push_back(fmt::format("rows {} to {} of /triggers: {}", first, end - 1,
                                            without_path(e.what(), from_.path())));
            }
            first = end;
        }
    }

    void write_trigger(PartWriter& part, const Event& event, std::uint64_t missing) {
        FrameContent content = frame(FrameKind::trigger);
        content.trigger.event = event;
        content.trigger.trigger.sequence = event.sequence;
        content.trigger.trigger.missing_boards = missing;
        std::vector<RecordHeader> headers(boards_.size());
        std::vector<std::vector<std::byte>> payloads(boards_.size());
        bool any = false;
        for (std::size_t b = 0; b < boards_.size(); ++b) {
            const bool there = raw_.of != RawData::none && boards_[b].read(event.sequence, headers[b], payloads[b]);
            const auto pulses = truth_.find({event.sequence, static_cast<std::uint16_t>(b)});
            any = any || there;
            if (!there && (pulses == truth_.end() || keeps_samples(event))) {
                if (keeps_samples(event) && !triggers_are_hits(run_) && (missing >> b & 1) == 0)
                    without_[b].push_back(event.sequence);
                continue;
            }
            if (!there) headers[b].board = static_cast<std::uint16_t>(b);
            add_truth(pulses, headers[b], payloads[b]);
            content.trigger.trigger.add(RecordView{headers[b], payloads[b]});
        }
        if (!any && keeps_samples(event) && triggers_are_hits(run_)) without_[boards_.size()].push_back(event.sequence);
        part.add(content);
        saved_.push_back(event.sequence);
    }

    [[nodiscard]] bool keeps_samples(const Event& event) const {
        const auto windows = std::span{event.window}.first(event.window_count);
        return raw_.keeps(
            std::any_of(windows.begin(), windows.end(), [](const WindowEvent& w) { return w.accepted(); }),
            event.sequence);
    }

    [[nodiscard]] std::uint64_t prescale() const {
        return h5::get_number<std::uint64_t>(file_.id(), "raw_prescale").value_or(0);
    }

    // ---- what the simulator put in

    using Truth = std::map<std::pair<std::uint64_t, std::uint16_t>, std::vector<TruthPulse>>;

    void load_truth() {
        attempt("truth", [&] {
            const auto sequence = h5::read_column<std::uint64_t>(file_.id(), "truth/sequence");
            const auto board = h5::read_column<std::uint16_t>(file_.id(), "truth/board");
            const auto onset = h5::read_column<float>(file_.id(), "truth/onset_ns");
            const auto pe = h5::read_column<std::uint32_t>(file_.id(), "truth/photoelectrons");
            const auto kind = h5::read_column<std::uint8_t>(file_.id(), "truth/kind");
            for (std::size_t i = 0; i < sequence.size(); ++i)
                truth_[{sequence[i], board[i]}].push_back({onset[i], pe[i], static_cast<TruthKind>(kind[i]), {}});
        });
    }

    void add_truth(Truth::const_iterator pulses, RecordHeader& header, std::vector<std::byte>& payload) const {
        if (pulses == truth_.end()) return;
        header.truth_count = static_cast<std::uint16_t>(std::min<std::size_t>(pulses->second.size(), 0xFFFF));
        const auto bytes = std::as_bytes(std::span{pulses->second}).first(header.truth_count * sizeof(TruthPulse));
        payload.resize(payload_bytes(header));
        std::copy(bytes.begin(), bytes.end(), payload.end() - static_cast<std::ptrdiff_t>(bytes.size()));
    }

    // ---- what is lost

    /// Every sequence number that the file still names, or lies between two of those, and was not saved.
    void name_lost_triggers() {
        for (const SavedRecords& board : boards_) named_.insert(board.seen().begin(), board.seen().end());
        if (summary_ && summary_->first_sequence != kNoSequence) {
            named_.insert(summary_->first_sequence);
            named_.insert(summary_->last_sequence);
        }
        std::vector<SequenceRange> there = refused_;
        for (const std::uint64_t s : saved_) add_recorded(there, s);
        std::sort(there.begin(), there.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        if (!named_.empty()) {
            Sentences lost{lost_};
            std::uint64_t next = *named_.begin();
            for (const SequenceRange& r : there) {
                if (r.first > next) lost.add(text_of(next, r.first - 1));
                next = std::max(next, r.last + 1);
            }
            if (*named_.rbegin() >= next) lost.add(text_of(next, *named_.rbegin()));
        }
        if (!summary_) lost_.push_back("what came behind the last trigger in it, if anything did");
    }

    void name_lost_records() {
        for (const auto& [board, sequences] : without_) {
            lost_.push_back(fmt::format("samples of {}: {}",
                                        board < run_.boards.size() ? run_.boards[board].name : "any board",
                                        text_of(sequences)));
        }
    }

    const AlleycatFile& from_;
    DamagedFile file_;
    RunDescription run_;
    std::optional<PartSummary> summary_;
    RawSelection raw_;
    Rows good_;
    std::vector<std::uint64_t> sequences_;
    std::vector<SavedRecords> boards_;
    std::set<std::uint64_t> named_;
    std::vector<std::uint64_t> saved_;
    std::vector<SequenceRange> refused_;
    Truth truth_;
    std::map<std::size_t, std::vector<std::uint64_t>> without_;  ///< by board: triggers whose samples are lost
    std::vector<std::string> lost_;
};

/// Where HDF5's superblock says the file ends; nullopt when it is not one of ours.
std::optional<std::uint64_t> stored_end(const std::filesystem::path& path) {
    std::array<std::byte, 48> head{};
    const FileDescriptor file = open_file(path, O_RDONLY);
    if (read_at(file, head, 0, path) < head.size() || head[8] != std::byte{0} || head[13] != std::byte{8})
        return std::nullopt;
    std::uint64_t end = 0;
    std::memcpy(&end, head.data() + 40, sizeof end);
    return end < kMostFileBytes ? std::optional{end} : std::nullopt;
}

/// A file that was cut short, made as long as HDF5 asks: it does not open it otherwise. Gone with this object.
class LongEnough {
  public:
    explicit LongEnough(const std::filesystem::path& path)
        : path_{path}, real_bytes_{std::filesystem::file_size(path)} {
        const std::optional<std::uint64_t> end = stored_end(path);
        if (!end || *end <= real_bytes_) return;
        copy_ = path.string() + ".salvage";
        std::filesystem::copy_file(path, copy_, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(copy_, *end);
    }
    ~LongEnough() {
        std::error_code ignored;
        if (!copy_.empty()) std::filesystem::remove(copy_, ignored);
    }
    LongEnough(const LongEnough&) = delete;
    LongEnough& operator=(const LongEnough&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return copy_.empty() ? path_ : copy_; }
    [[nodiscard]] std::uint64_t real_bytes() const noexcept { return real_bytes_; }

  private:
    std::filesystem::path path_, copy_;
    std::uint64_t real_bytes_;
};

/// From a copy that is long enough to be read into a part that is called `closed`.
Repair write_salvaged(const LongEnough& readable, const std::filesystem::path& damaged,
                      const std::filesystem::path& closed) {
    const AlleycatFile from = AlleycatFile::open_damaged(readable.path());
    Salvage salvage{from, readable.real_bytes()};
    const RunDescription& run = from.run();
    const std::vector<std::byte> start_bytes = encode_run_start(run, 0);
    FrameView start;
    if (read_frame(start_bytes, start) != FrameError::none) throw Error{"its run's description cannot be read"};
    const std::optional<PartName> name = parse_part_name(closed);
    const StoreConfig store = store_config_of(run.config_text);
    PartWriter part{closed, start, name ? name->part : from.part(), store.compression, salvage.raw()};
    try {
        salvage.write(part);
        if (salvage.triggers() == 0) throw Error{"no trigger in it is provably right"};
        part.close(salvage.end());
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(part.unfinished_file(), ignored);
        throw;
    }
    return {fmt::format("salvaged: {} triggers; the original is {}", salvage.triggers(), damaged.filename().string()),
            salvage.lost()};
}

Repair write_salvaged(const std::filesystem::path& damaged, const std::filesystem::path& closed) {
    const LongEnough readable{damaged};
    const std::filesystem::path rehearsed = closed.string() + ".rehearsal";
    const auto clear = [&] {
        std::error_code ignored;
        std::filesystem::remove(rehearsed, ignored);
        std::filesystem::remove(rehearsed.string() + ".part", ignored);
    };
    try {
        require_openable(readable.path(), [&] { (void)write_salvaged(readable, damaged, rehearsed); });
    } catch (const Error&) {
        clear();
        throw;
    }
    clear();
    return write_salvaged(readable, damaged, closed);
}

}  // namespace

Repair salvage_part(const std::filesystem::path& part) {
    h5::prepare();
    const std::filesystem::path closed = closed_path(part), folder = folder_of(part);
    const bool of_a_run = parse_part_name(part).has_value();
    std::optional<FileDescriptor> lock;
    if (of_a_run) {
        lock = open_file(folder / "writer.lock", O_RDWR | O_CREAT);
        if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) throw Error{"is not salvaged while a writer uses its folder"};
    }
    if (part != closed && std::filesystem::exists(closed))
        throw Error{fmt::format("is not salvaged: {} is there", closed.filename().string())};
    const std::filesystem::path aside = name_aside(part);
    rename_new(part, aside);
    try {
        Repair repair = write_salvaged(aside, closed);
        if (of_a_run && std::filesystem::exists(Catalogue::file_in(folder))) {
            Catalogue catalogue{folder, Catalogue::Open::write};
            const AlleycatFile file{closed};
            catalogue.put(part_row(file, sha256_of(closed), "salvaged"));
            put_run_row(catalogue, file,
                        h5::get_number<std::uint64_t>(h5::open_group(file.hdf5_id(), "summary").get(), "last_ordinal")
                            .value_or(0));
        }
        return repair;
    } catch (const Error& e) {
        if (!std::filesystem::exists(closed)) rename_new(aside, part);
        throw Error{fmt::format("cannot be salvaged: {}", without_path(e.what(), aside))};
    }
}

}  // namespace alleycat
