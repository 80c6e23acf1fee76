#include "readout/labview_minute.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat::labview {
namespace fs = std::filesystem;

namespace {

std::int32_t big_endian_int32(const std::byte* at) noexcept {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
    return std::bit_cast<std::int32_t>(value);
}

}  // namespace

ChunkHeader decode_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes) noexcept {
    const std::int32_t columns = big_endian_int32(bytes.data());
    const std::int32_t channels = big_endian_int32(bytes.data() + 4);
    if (columns > static_cast<std::int32_t>(kMostColumns)) return {ChunkKind::leftovers, 0};
    if (columns <= 0 || channels != static_cast<std::int32_t>(kChannels) ||
        static_cast<std::size_t>(columns) % kColumns != 0) {
        return {ChunkKind::bad, 0};
    }
    return {ChunkKind::waveforms, static_cast<std::size_t>(columns) / kColumns};
}

LocalTime decode_stamp(std::span<const std::byte, kStampColumns * kChannels> bytes) noexcept {
    const auto column = [&](std::size_t i) { return std::to_integer<int>(bytes[2 * i + 1]); };
    return {2000 + column(0), column(1), column(2), column(3), column(4), column(5), column(6)};
}

void deinterleave(std::span<const std::byte> pairs, std::span<std::byte> channels) noexcept {
    const std::size_t samples = pairs.size() / kChannels;
    std::byte* const signal = channels.data();
    std::byte* const veto = channels.data() + samples;
    // Eight pairs at a time in two words: their even bytes are pushed together in three steps.
    const auto even_bytes = [](std::uint64_t word) noexcept {
        word &= 0x00FF'00FF'00FF'00FFu;
        word = (word | word >> 8) & 0x0000'FFFF'0000'FFFFu;
        return (word | word >> 16) & 0x0000'0000'FFFF'FFFFu;
    };
    std::size_t i = 0;
    for (; i + 8 <= samples; i += 8) {
        std::array<std::uint64_t, 2> words;
        std::memcpy(words.data(), pairs.data() + 2 * i, 16);
        const std::uint64_t even = even_bytes(words[0]) | even_bytes(words[1]) << 32;
        const std::uint64_t odd = even_bytes(words[0] >> 8) | even_bytes(words[1] >> 8) << 32;
        std::memcpy(signal + i, &even, 8);
        std::memcpy(veto + i, &odd, 8);
    }
    for (; i < samples; ++i) {
        signal[i] = pairs[2 * i];
        veto[i] = pairs[2 * i + 1];
    }
}

bool is_minute(const fs::path& file, std::string& why_not) {
    ZipStream zip{file};
    std::string members;
    while (zip.next_member()) {
        std::array<std::byte, kChunkHeaderBytes> bytes{};
        if (zip.read(bytes) == bytes.size() && decode_chunk_header(bytes).kind == ChunkKind::waveforms) return true;
        members += (members.empty() ? "" : ", ") + zip.member();
        if (members.size() > 200) break;
    }
    if (!members.empty()) {
        why_not = "is a zip file, but no LabVIEW minute is in it (members: " + members + ")";
    } else {
        why_not = "is a zip file without members";
    }
    if (!zip.problem().empty()) why_not += "; " + zip.problem();
    return false;
}

std::string short_name(const fs::path& minute, bool one_of_many) {
    const fs::path day = minute.parent_path().filename();
    return one_of_many && !day.empty() ? (day / minute.filename()).string() : minute.filename().string();
}

void MinuteBlock::clear() {
    waveforms = 0;
    log = DefectLog{};
    packed_bytes = 0;
    last = false;
    failure = nullptr;
}

MinuteReader::MinuteReader(fs::path path, std::string name) : path_{std::move(path)}, name_{std::move(name)} {}

void MinuteReader::read(MinuteBlock& block, const std::stop_token& stop) {
    block.bytes.resize(MinuteBlock::kMost * kWaveformBytes);
    // One step reads a waveform or a header, so stop is looked at often enough also where nothing is found.
    while (block.waveforms < MinuteBlock::kMost && !block.last && !stop.stop_requested()) step(block);
    if (zip_) block.packed_bytes = zip_->bytes_consumed();
}

void MinuteReader::step(MinuteBlock& block) {
    switch (where_) {
        case Where::before: open(block); break;
        case Where::between_members: next_member(block); break;
        case Where::between_chunks: begin_chunk(block); break;
        case Where::in_chunk: read_waveform(block); break;
        case Where::skipping: skip_rest_of_member(block); break;
    }
}

void MinuteReader::open(MinuteBlock& block) {
    try {
        zip_.emplace(path_);
        where_ = Where::between_members;
    } catch (const Error& e) {
        block.log.count("unreadable_file");
        block.log.remark(e.what());
        block.last = true;
    }
}

void MinuteReader::next_member(MinuteBlock& block) {
    if (!zip_->next_member()) return end(block);
    where_ = Where::between_chunks;
    first_chunk_ = true;
    skipped_bytes_ = 0;
}

void MinuteReader::begin_chunk(MinuteBlock& block) {
    std::array<std::byte, kChunkHeaderBytes> bytes{};
    const std::size_t got = zip_->read(bytes);
    const ChunkHeader chunk = got == bytes.size() ? decode_chunk_header(bytes) : ChunkHeader{};
    if (first_chunk_ && chunk.kind != ChunkKind::waveforms) {
        // Damage before the first chunk is said by end_member(); an empty member by end().
        if (got != 0 && zip_->damage() != ZipStream::Damage::torn) {
            block.log.count("foreign_member");
            block.log.remark(fmt::format("{}: member '{}' is not a LabVIEW minute, skipped", name_, zip_->member()));
            has_remark_ = true;
        }
        return end_member(block);
    }
    if (got < bytes.size()) {
        if (got != 0) block.log.count("trailing_bytes", got);
        return end_member(block);
    }
    first_chunk_ = false;
    waveforms_left_ = chunk.waveforms;
    switch (chunk.kind) {
        case ChunkKind::waveforms: where_ = Where::in_chunk; break;
        case ChunkKind::bad:
            block.log.count("bad_chunk");
            block.log.remark(fmt::format("{}: chunk header that cannot be after {} triggers, the rest is skipped",
                                         name_, triggers_));
            has_remark_ = true;
            [[fallthrough]];
        case ChunkKind::leftovers:
            where_ = Where::skipping;
            skipped_bytes_ = got;
            break;
    }
}

void MinuteReader::read_waveform(MinuteBlock& block) {
    if (waveforms_left_ == 0) {
        where_ = Where::between_chunks;
        return;
    }
    const std::size_t got = zip_->read(block.free_place());
    if (got < kWaveformBytes) {
        if (zip_->damage() != ZipStream::Damage::torn) {  // a tear has its own counter and sentence
            block.log.count(got != 0 ? "truncated_record" : "truncated_chunk");
            block.log.remark(
                fmt::format("{}: ends within a chunk after {} triggers: {} waveforms announced, {} bytes there", name_,
                            triggers_, waveforms_left_, got));
            has_remark_ = true;
        }
        return end_member(block);
    }
    --waveforms_left_;
    ++triggers_;
    ++block.waveforms;
}

/// The rest is read all the same: the checksum stands at its end.
void MinuteReader::skip_rest_of_member(MinuteBlock& block) {
    const std::size_t got = zip_->read(block.free_place());
    skipped_bytes_ += got;
    if (got == kWaveformBytes) return;
    block.log.count("trailing_bytes", skipped_bytes_);
    if (skipped_bytes_ >= kWaveformBytes) {
        block.log.remark(fmt::format("{}: {} bytes after the last chunk skipped", name_, skipped_bytes_));
        has_remark_ = true;
    }
    end_member(block);
}

void MinuteReader::end_member(MinuteBlock& block) {
    where_ = Where::between_members;
    if (zip_->damage() == ZipStream::Damage::checksum && triggers_ != 0) {
        block.log.count("crc_error");
        block.log.remark(
            fmt::format("{}: {} at the end: any of its {} triggers may be wrong", name_, zip_->problem(), triggers_));
        has_remark_ = true;
    }
}

void MinuteReader::end(MinuteBlock& block) {
    block.last = true;
    const bool torn = zip_->damage() == ZipStream::Damage::torn;
    if (torn && triggers_ != 0) {
        block.log.count("torn_file");
        block.log.remark(fmt::format("{}: torn after {} triggers: {}", name_, triggers_, zip_->problem()));
    } else if (!zip_->problem().empty() && triggers_ == 0) {
        block.log.count("unreadable_file");
        block.log.remark(fmt::format("{}: {} the first trigger: {}", name_,
                                     torn ? "torn before" : "cannot be read up to", zip_->problem()));
    } else if (triggers_ == 0) {
        block.log.count("empty_file");
        if (!has_remark_) block.log.remark(fmt::format("{}: holds no trigger", name_));
    }
}

}  // namespace alleycat::labview
