#include "daq/run/spill.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"

namespace alleycat {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadAhead = 4u << 20;
constexpr std::size_t kBatch = 8u << 20;  // between two looks at the socket
constexpr std::size_t kAll = ~std::size_t{0};
constexpr std::chrono::seconds kTryAgain{1};

/// The number in "spill_000042.journal"; nullopt: another file.
std::optional<std::uint64_t> number_of(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    constexpr std::string_view kBefore = "spill_", kBehind = ".journal";
    if (!name.starts_with(kBefore) || !name.ends_with(kBehind)) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size() - kBehind.size();
    const auto [at, error] = std::from_chars(name.data() + kBefore.size(), end, number);
    if (error != std::errc{} || at != end) return std::nullopt;
    return number;
}

FrameHeader header_of(std::span<const std::byte> frame) {
    FrameHeader header;
    if (frame.size() < sizeof header) throw Error{"the retransmit buffer holds something that is not a frame"};
    std::memcpy(&header, frame.data(), sizeof header);
    return header;
}

/// Triggers whose frames are whole, from a byte on: what a damage before them makes useless.
std::uint64_t triggers_behind(const std::filesystem::path& path, std::uint64_t from) {
    const FileDescriptor file = open_file(path, O_RDONLY);
    const std::uint64_t size = std::filesystem::file_size(path);
    std::vector<std::uint64_t> words((size - std::min(size, from)) / sizeof(std::uint64_t));
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span{words});
    const std::size_t got = read_at(file, bytes, from, path) / 8 * 8;
    std::uint64_t triggers = 0;
    FrameView frame;
    for (std::size_t at = 0; at + sizeof(FrameHeader) <= got;) {
        const bool whole = read_frame(bytes.first(got).subspan(at), frame) == FrameError::none;
        if (whole && frame.header.kind == FrameKind::trigger) ++triggers;
        at += whole ? frame.bytes.size() : 8;
    }
    return triggers;
}

}  // namespace

SpillingQueue::SpillingQueue(Config config, Ring& ring, CounterRegistry& registry)
    : config_{std::move(config)},
      ring_{ring},
      frames_spilled_{registry.get("spill.frames")},
      lost_triggers_{registry.get("spill.lost_triggers")},
      lost_bytes_{registry.get("spill.lost_bytes")} {
    config_.segment_bytes = std::max<std::uint64_t>(1u << 20, std::min(config_.segment_bytes, config_.max_bytes / 16));
    std::error_code error;
    std::filesystem::create_directories(config_.folder, error);
    if (error) throw Error{fmt::format("{}: cannot be made: {}", config_.folder.string(), error.message())};
    lock_ = open_file(config_.folder / "spill.lock", O_RDWR | O_CREAT);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
        throw Error{fmt::format("{}: another daemon spills into this folder", config_.folder.string())};
    find_left_behind();
}

SpillingQueue::~SpillingQueue() = default;

// ---- what an earlier process left

void SpillingQueue::find_left_behind() {
    std::vector<std::pair<std::uint64_t, std::filesystem::path>> files;
    for (const auto& entry : std::filesystem::directory_iterator{config_.folder}) {
        if (const std::optional<std::uint64_t> number = number_of(entry.path()))
            files.emplace_back(*number, entry.path());
    }
    std::sort(files.begin(), files.end());
    std::optional<FrameHeader> last;
    bool broken = false;  // the run of `last` has a hole: nothing more of it can be sent
    for (const auto& [number, path] : files) {
        next_name_ = number + 1;
        read_left_behind(path, last, broken);
    }
    if (found_ && found_->frames == 0 && found_->lost_bytes == 0) found_.reset();
    if (found_) {
        log::run().info("{}: {} triggers of an earlier process wait here, up to run {}: they are sent first",
                        config_.folder.string(), found_->triggers, found_->run);
        lost_triggers_.add(found_->lost_triggers);
        lost_bytes_.add(found_->lost_bytes);
    }
    count_file_bytes();
}

void SpillingQueue::read_left_behind(const std::filesystem::path& path, std::optional<FrameHeader>& last,
                                     bool& broken) {
    if (!found_) found_.emplace();
    std::uint64_t end = 0, frames = 0;
    std::string why;
    try {
        JournalReader reader{path};
        end = reader.whole_bytes();
        auto content = std::make_unique<TriggerFrame>();
        for (FrameView frame; reader.next(frame);) {
            const FrameHeader& header = frame.header;
            const bool same_run = last && last->run == header.run;
            if (same_run && header.ordinal <= last->ordinal) {  // came twice: an attempt that failed was repeated
                end = reader.whole_bytes();
                continue;
            }
            if (!same_run) broken = false;
            if (broken || (same_run && header.ordinal != last->ordinal + 1)) {
                broken = true;
                why = fmt::format("frames of run {} are missing before frame {}", header.run, header.ordinal);
                break;
            }
            last = header;
            ++frames;
            end = reader.whole_bytes();
            if (found_->run != header.run) {
                found_->run = header.run;
                found_->last_sequence = kNoSequence;
            }
            if (!decode_trigger(frame, *content)) continue;
            ++found_->triggers;
            found_->last_sequence = content->event.sequence;
            found_->last_utc_ns = content->event.utc_ns;
        }
        if (why.empty() && !reader.complete() && reader.frames_behind_the_tear()) {
            broken = true;
            why = reader.why();
        }
    } catch (const Error& e) {
        if (std::filesystem::file_size(path) <= sizeof(JournalHeader)) {  // killed while it was made
            std::filesystem::remove(path);
            return;
        }
        broken = true;
        why = e.what();
    }
    found_->frames += frames;
    if (!why.empty()) count_lost(path, std::max<std::uint64_t>(end, sizeof(JournalHeader)), why);
    if (frames > 0) {
        segments_.push_back({path, open_file(path, O_RDONLY), end, !why.empty()});
        unreleased_ += end - sizeof(JournalHeader);
    } else if (why.empty()) {
        std::filesystem::remove(path);
    } else {
        set_aside(path);
    }
}

void SpillingQueue::count_lost(const std::filesystem::path& path, std::uint64_t from, const std::string& why) {
    const std::uint64_t size = std::filesystem::file_size(path);
    const std::uint64_t bytes = size - std::min(size, from);
    const std::uint64_t triggers = triggers_behind(path, from);
    found_->lost_bytes += bytes;
    found_->lost_triggers += triggers;
    log::run().error("{}: {} triggers in {} bytes from there on cannot be sent, the file will be kept as {}.damaged",
                     why, triggers, bytes, path.filename().string());
}

/// A file part of which could not be sent stays, under a name that nobody takes for a spill.
void SpillingQueue::set_aside(const std::filesystem::path& path) {
    std::filesystem::path kept = path.string() + ".damaged";
    for (int n = 2; std::filesystem::exists(kept); ++n) kept = fmt::format("{}.damaged{}", path.string(), n);
    std::error_code ignored;
    std::filesystem::rename(path, kept, ignored);
}

// ---- reading: the files, then the ring

/// A place at the end of a file is one at the start of the next.
void SpillingQueue::skip_ends(Place& place) {
    while (place.segment < segments_end() && place.offset >= segment(place.segment).end &&
           place.segment + 1 < segments_end()) {
        place = {place.segment + 1, sizeof(JournalHeader)};
    }
}

std::span<const std::byte> SpillingQueue::look(const Place& place, std::size_t bytes) {
    const auto in_buffer = [&]() -> std::size_t {
        if (place.segment != buffer_at_.segment || place.offset < buffer_at_.offset) return 0;
        return buffer_at_.offset + buffer_bytes_ - std::min(place.offset, buffer_at_.offset + buffer_bytes_);
    };
    const Segment& from = segment(place.segment);
    if (in_buffer() < bytes) {
        const std::uint64_t left = from.end - place.offset;
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left, std::max(bytes, kReadAhead)));
        if (buffer_.size() * sizeof(std::uint64_t) < size) buffer_.resize((size + 7) / 8);
        buffer_bytes_ = 0;  // nothing, should reading fail
        buffer_bytes_ =
            read_at(from.file, std::as_writable_bytes(std::span{buffer_}).first(size), place.offset, from.path);
        buffer_at_ = place;
    }
    return std::as_bytes(std::span{buffer_})
        .first(buffer_bytes_)
        .subspan(static_cast<std::size_t>(place.offset - buffer_at_.offset));
}

/// The frame there, checked; empty: it is not what was written. Then the rest of this file is given up, and said.
std::span<const std::byte> SpillingQueue::frame_at(const Place& place) {
    Segment& from = segment(place.segment);
    std::string why = "is damaged";
    try {
        std::span<const std::byte> bytes = look(place, sizeof(FrameHeader));
        if (bytes.size() >= sizeof(FrameHeader)) {
            const std::uint64_t size = frame_bytes(header_of(bytes).body_bytes);
            if (size <= from.end - place.offset) bytes = look(place, static_cast<std::size_t>(size));
            FrameView frame;
            if (read_frame(bytes, frame) == FrameError::none) return frame.bytes;
        }
    } catch (const Error& e) {
        why = e.what();
    }
    const std::uint64_t lost = from.end - place.offset;
    log::run().error("{}: {} at byte {}: {} bytes behind it cannot be sent", from.path.string(), why, place.offset,
                     lost);
    lost_bytes_.add(lost);
    unreleased_ -= lost;
    from.end = place.offset;
    from.damaged = true;
    if (place.segment + 1 == segments_end()) writer_.reset();
    return {};
}

std::span<const std::byte> SpillingQueue::peek() {
    for (;;) {
        skip_ends(read_);
        if (read_.segment >= segments_end() || read_.offset >= segment(read_.segment).end) return ring_.peek();
        if (const std::span<const std::byte> frame = frame_at(read_); frame.data() != nullptr) return frame;
    }
}

std::span<const std::byte> SpillingQueue::next() {
    const std::span<const std::byte> frame = peek();
    if (frame.data() == nullptr) return frame;
    if (read_.segment < segments_end() && read_.offset < segment(read_.segment).end) {
        read_.offset += frame.size();
        looked_at_.push_back(static_cast<std::uint32_t>(frame.size()));
        return frame;
    }
    ++ring_looked_at_;
    return ring_.next();
}

void SpillingQueue::release() {
    if (looked_at_.empty()) {
        ring_.release();
        --ring_looked_at_;
        return;
    }
    skip_ends(released_);
    released_.offset += looked_at_.front();
    unreleased_ -= looked_at_.front();
    looked_at_.pop_front();
    while (!segments_.empty() && (released_.segment > first_segment_ || released_.offset >= segments_.front().end)) {
        drop_first_segment();
    }
}

/// All of it is on the writer's disk.
void SpillingQueue::drop_first_segment() {
    const Segment& first = segments_.front();
    if (segments_.size() == 1) writer_.reset();
    std::error_code ignored;
    if (first.damaged) {
        set_aside(first.path);
    } else {
        std::filesystem::remove(first.path, ignored);
    }
    segments_.pop_front();
    ++first_segment_;
    if (released_.segment < first_segment_) released_ = {first_segment_, sizeof(JournalHeader)};
    if (read_.segment < first_segment_) read_ = released_;
    count_file_bytes();
}

void SpillingQueue::rewind() {
    read_ = released_;
    looked_at_.clear();
    ring_.rewind();
    ring_looked_at_ = 0;
}

// ---- from the ring to the files

bool SpillingQueue::keep_room() {
    const RingStats ring = ring_.stats();
    const double used = static_cast<double>(ring.used_bytes) / static_cast<double>(ring.capacity_bytes);
    if (used > config_.spill_above) spilling_ = true;
    if (used <= config_.spill_down_to) spilling_ = false;
    if (!spilling_ && has_problem_) say("");
    if (!spilling_ || steady_clock::now() < try_again_) return false;
    return spill(kBatch);
}

void SpillingQueue::spill_all() {
    while (spill(kAll)) {
    }
}

/// Moves the oldest frames of the ring behind the files. Only what is synced leaves the ring. false: nothing was moved.
bool SpillingQueue::spill(std::size_t at_most_bytes) {
    std::vector<std::uint32_t> moved;
    std::uint64_t bytes = 0;
    const std::size_t segments_before = segments_.size();
    const std::uint64_t end_before = segments_.empty() ? 0 : segments_.back().end;
    ring_.rewind();
    try {
        for (auto frame = ring_.next(); frame.data() != nullptr && bytes < at_most_bytes; frame = ring_.next()) {
            if (file_bytes_ + bytes + frame.size() + sizeof(JournalHeader) > config_.max_bytes) {
                if (moved.empty()) say(fmt::format("{}: the spill is full", config_.folder.string()));
                break;
            }
            append(frame);
            moved.push_back(static_cast<std::uint32_t>(frame.size()));
            bytes += frame.size();
        }
        if (!moved.empty()) writer_->sync();
    } catch (const Error& e) {
        say(e.what());
        try_again_ = steady_clock::now() + kTryAgain;
        take_back(segments_before, end_before);
        moved.clear();
    }
    ring_.rewind();
    for (const std::uint32_t size : moved) {
        (void)ring_.next();
        ring_.release();
        unreleased_ += size;
        if (ring_looked_at_ == 0) continue;
        // It was sent from the ring and is not acknowledged: now it is one of those sent from the files.
        --ring_looked_at_;
        looked_at_.push_back(size);
        skip_ends(read_);
        read_.offset += size;
    }
    for (std::size_t i = 0; i < ring_looked_at_; ++i) (void)ring_.next();
    if (moved.empty()) return false;
    frames_spilled_.add(moved.size());
    if (has_problem_) say("");
    count_file_bytes();
    return true;
}

/// The files as they were: what was tried stays in the ring.
void SpillingQueue::take_back(std::size_t segments, std::uint64_t end) {
    writer_.reset();
    buffer_bytes_ = 0;
    std::error_code ignored;
    for (; segments_.size() > segments; segments_.pop_back()) std::filesystem::remove(segments_.back().path, ignored);
    if (segments_.empty()) return;
    segments_.back().end = end;
    std::filesystem::resize_file(segments_.back().path, end, ignored);
}

/// To the last file, or to a new one where that is long or of another run.
void SpillingQueue::append(std::span<const std::byte> frame) {
    const FrameHeader header = header_of(frame);
    if (!writer_ || writer_run_ != header.run || writer_->bytes() >= config_.segment_bytes) begin_segment(header);
    writer_->append(frame);
    segments_.back().end = writer_->bytes();
}

void SpillingQueue::begin_segment(const FrameHeader& first) {
    if (writer_) writer_->sync();
    const std::filesystem::path path = config_.folder / fmt::format("spill_{:06}.journal", next_name_);
    const auto part = static_cast<std::uint32_t>(next_name_++);
    writer_.reset();
    writer_.emplace(JournalWriter::create(path, {first.run, part}, first.ordinal));
    writer_run_ = first.run;
    segments_.push_back({path, open_file(path, O_RDONLY), sizeof(JournalHeader), false});
}

void SpillingQueue::say(std::string problem) {
    if (problem == this->problem()) return;
    has_problem_ = !problem.empty();
    if (!problem.empty()) log::run().warn("{}: frames stay in memory", problem);
    problem_.put(std::make_shared<const std::string>(std::move(problem)));
}

void SpillingQueue::count_file_bytes() {
    std::uint64_t bytes = 0;
    for (const Segment& one : segments_) bytes += one.end;
    file_bytes_ = bytes;
    high_water_ = std::max(high_water_.load(), bytes);
}

// ---- any thread

std::uint64_t SpillingQueue::waiting_bytes() const noexcept { return unreleased_ + ring_.stats().used_bytes; }

BufferStatus SpillingQueue::status() const { return {"spill", config_.max_bytes, file_bytes_, high_water_, 0}; }

std::string SpillingQueue::problem() const {
    const auto problem = problem_.get();
    return problem ? *problem : std::string{};
}

}  // namespace alleycat
