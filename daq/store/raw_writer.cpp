#include "daq/store/raw_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "daq/store/chunk_codec.hpp"

namespace alleycat::h5 {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::size_t kMostRecordsPerChunk = 4096;
constexpr std::size_t kSamplesPerChunk = 1 << 16;  // of flattened_data

void add_record_columns(Table& table) {
    table.add_column<std::uint64_t>("sequence", "", "trigger the record belongs to");
    table.add_column<std::uint64_t>("counter", "", "the board's trigger counter, unwrapped");
    table.add_column<std::uint64_t>("clock", "", "the board's clock as delivered, in its own ticks");
    table.add_column<std::int64_t>("time_ps", "ps", "the board's clock, unwrapped; its origin is the board's");
    table.add_column<std::uint64_t>("channel_mask", "",
                                    "channels present, bit = index in the attribute channels of the board");
    Column& flags = table.add_column<std::uint32_t>("flags", "", "what the source noticed");
    std::string bits;
    for (const std::string_view name : kRecordFlagNames) bits += (bits.empty() ? "" : ",") + std::string{name};
    put_text(flags.dataset(), "bits", bits);
}

}  // namespace

hid_t sample_type_id(SampleType type) {
    return with_sample_type(type, []<class T>(T) { return native_type<T>(); });
}

FixedRecords::FixedRecords(hid_t raw_group, const BoardInfo& board, Compression compression, ChunkEncoder& encoder)
    : board_{board},
      compression_{compression},
      encoder_{encoder},
      table_{raw_group, board.name, "one row per record: samples exactly as the ADC gave them", compression},
      record_bytes_{board.channels.size() * board.samples * bytes_per_sample(board.sample_type)},
      records_per_chunk_{
          std::clamp<std::size_t>(kChunkBytes / std::max<std::size_t>(record_bytes_, 1), 1, kMostRecordsPerChunk)} {
    newest_bytes_ = records_per_chunk_ * record_bytes_;
    const std::array<hsize_t, 3> size{0, board.channels.size(), board.samples};
    const std::array<hsize_t, 3> most{H5S_UNLIMITED, size[1], size[2]};
    const std::array<hsize_t, 3> chunk{records_per_chunk_, size[1], size[2]};
    const Handle space{H5Screate_simple(3, size.data(), most.data())};
    const Handle creation = chunked(chunk);
    H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
    if (compression == Compression::deflate) check(H5Pset_deflate(creation.get(), 1), "HDF5 has no deflate filter");
    if (compression == Compression::blosc) {
        const std::array<unsigned, 7> values{2,
                                             2,
                                             static_cast<unsigned>(bytes_per_sample(board.sample_type)),
                                             static_cast<unsigned>(records_per_chunk_ * record_bytes_),
                                             5,
                                             2,
                                             1};
        check(H5Pset_filter(creation.get(), kBloscFilter, H5Z_FLAG_OPTIONAL, values.size(), values.data()),
              "HDF5 does not take the blosc filter");
    }
    add_checksum(creation);
    samples_ = Handle{check(H5Dcreate2(table_.group(), "samples", sample_type_id(board.sample_type), space.get(),
                                       H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                            fmt::format("cannot make /raw/{}/samples", board.name))};
    put_text(samples_.get(), "datatype", "array_of_equalsized_arrays<1,2>{real}");
    put_text(samples_.get(), "units", "adc");
    put_text(samples_.get(), "description", "raw ADC codes, shape (records, channels, samples)");
    add_record_columns(table_);
    const std::array<std::string, 1> more{"samples"};
    table_.describe(more);
}

bool FixedRecords::fits(const RecordHeader& header) const noexcept {
    const std::size_t n = board_.channels.size();
    const std::uint64_t all = n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    return header.sample_type == board_.sample_type && header.samples_per_channel == board_.samples &&
           header.channels == n && header.channel_mask == all;
}

void FixedRecords::add(std::uint64_t sequence, const RecordView& record) {
    chunk_.resize(records_per_chunk_ * record_bytes_);  // the encoder may have left one of another board
    std::memcpy(chunk_.data() + in_chunk_ * record_bytes_, record.sample_bytes().data(), record_bytes_);
    ++in_chunk_;
    chunk_changed_ = true;
    const RecordHeader& h = record.header();
    table_.add_row(sequence, h.counter, h.clock, h.time_ps, h.channel_mask, h.flags);
    if (in_chunk_ < records_per_chunk_) return;
    encoder_.submit(*this, chunks_full_++, bytes_per_sample(board_.sample_type), chunk_);
    in_chunk_ = 0;
    chunk_changed_ = false;
}

void FixedRecords::put_down(std::uint64_t chunk, std::span<const std::byte> packed) {
    write_chunk(chunk, records_per_chunk_, packed);
    stored_bytes_ += newest_bytes_ = packed.size();
    ++chunks_put_down_;
}

void FixedRecords::write_chunk(std::uint64_t chunk, std::size_t records, std::span<const std::byte> packed) {
    const std::array<hsize_t, 3> at{chunk * records_per_chunk_, 0, 0};
    const std::array<hsize_t, 3> size{at[0] + records, board_.channels.size(), board_.samples};
    if (size[0] > extent_) {
        check(H5Dset_extent(samples_.get(), size.data()), fmt::format("cannot extend /raw/{}/samples", board_.name));
        extent_ = size[0];
    }
    check(H5Dwrite_chunk(samples_.get(), H5P_DEFAULT, 0, at.data(), packed.size(), packed.data()),
          fmt::format("cannot write /raw/{}/samples", board_.name));
}

void FixedRecords::flush() {
    if (chunk_changed_) {
        // A chunk that is not full yet is put down padded with zeros, and once more when it is.
        chunk_changed_ = false;
        std::fill(chunk_.begin() + static_cast<std::ptrdiff_t>(in_chunk_ * record_bytes_), chunk_.end(), std::byte{0});
        write_chunk(chunks_full_, in_chunk_,
                    encode_chunk(chunk_, bytes_per_sample(board_.sample_type), compression_, scratch_));
    }
    table_.flush();
}

HitRecords::HitRecords(hid_t parent, const std::string& name, const BoardInfo& board, bool irregular,
                       Compression compression)
    : type_{board.sample_type},
      irregular_{irregular},
      table_{parent, name,
             irregular ? "records of another shape than the board's, one row per channel" : "one row per channel hit",
             compression},
      group_{create_group(table_.group(), "samples")},
      ends_{group_.get(), "cumulative_length", H5T_NATIVE_UINT64, "", "end of each row in flattened_data", compression},
      samples_{group_.get(),
               "flattened_data",
               irregular ? H5T_NATIVE_INT32 : sample_type_id(board.sample_type),
               "adc",
               "raw ADC codes of all rows, one behind the other",
               compression,
               "array<1>{real}",
               kSamplesPerChunk} {
    put_text(group_.get(), "datatype", "array<1>{array<1>{real}}");
    put_text(group_.get(), "units", "adc");
    add_record_columns(table_);
    table_.add_column<std::uint16_t>(
        "channels", "", "channels of the record: so many rows belong together; 0: one row without samples");
    table_.add_column<std::uint16_t>("channel", "", "index in the attribute channels of the board");
    if (irregular) {
        Column& type = table_.add_column<std::uint8_t>("sample_type", "", "integer type the ADC gave");
        put_text(type.dataset(), "values", "int8,uint8,int16,uint16");
    }
    const std::array<std::string, 1> more{"samples"};
    table_.describe(more);
}

bool HitRecords::fits(const RecordHeader& header) const noexcept { return irregular_ || header.sample_type == type_; }

void HitRecords::add(std::uint64_t sequence, const RecordView& record) {
    const RecordHeader& h = record.header();
    // Channels stand in the payload in the order of their bits; a mask that does not count them right cannot name them.
    const bool named = std::popcount(h.channel_mask) == h.channels;
    std::uint64_t left = h.channel_mask;
    const std::size_t n = std::size_t{h.samples_per_channel} * bytes_per_sample(h.sample_type);
    for (std::uint16_t position = 0; position < std::max<std::uint16_t>(h.channels, 1); ++position) {
        const auto channel = named && left != 0 ? static_cast<std::uint16_t>(std::countr_zero(left)) : position;
        left &= left - 1;
        if (h.channels != 0) {
            if (irregular_) {
                with_sample_type(h.sample_type, [&]<class T>(T) {
                    const std::span<const T> codes = record.channel<T>(position);
                    widened_.assign(codes.begin(), codes.end());
                });
                samples_.add_bytes(std::as_bytes(std::span{widened_}));
            } else {
                samples_.add_bytes(record.sample_bytes().subspan(position * n, n));
            }
            end_ += h.samples_per_channel;
        }
        ends_.add(end_);
        table_.add_row(sequence, h.counter, h.clock, h.time_ps, h.channel_mask, h.flags, h.channels, channel);
        if (irregular_) table_.column(table_.size() - 1).add(static_cast<std::uint8_t>(h.sample_type));
    }
}

void HitRecords::flush() {
    samples_.flush();
    ends_.flush();
    table_.flush();
}

BoardWriter::BoardWriter(hid_t file, const BoardInfo& board, Compression compression, ChunkEncoder& encoder)
    : board_{board},
      compression_{compression},
      raw_{exists(file, "raw") ? open_group(file, "raw") : create_group(file, "raw")} {
    // A hit holds the channels of one detector: rows of different channels, even where all traces are as long.
    if (board.samples != 0 && !board.channels.empty() && !board.self_triggered)
        fixed_.emplace(raw_.get(), board, compression, encoder);
    else
        hits_.emplace(raw_.get(), board.name, board, false, compression);
    const Handle group = open_group(raw_.get(), board.name);
    std::string names, maps, polarities;
    for (const ChannelInfo& c : board.channels) {
        const std::string comma = names.empty() ? "" : ",";
        names += comma + c.name;
        maps += comma + c.code_map;
        polarities += comma + (c.negative_pulses ? "negative" : "positive");
    }
    put_text(group.get(), "channels", names);
    put_text(group.get(), "codes", maps);
    put_text(group.get(), "pulses", polarities);
    put_text(group.get(), "source", board.source);
    put_text(group.get(), "model", board.model);
    put_text(group.get(), "serial", board.serial);
    put_text(group.get(), "firmware", board.firmware);
    put_number(group.get(), "sample_period_ps", board.sample_period_ps);
    put_number(group.get(), "clock_period_ps", board.clock_period_ps);
}

void BoardWriter::add(std::uint64_t sequence, const RecordView& record) {
    if (fixed_ && fixed_->fits(record.header())) return fixed_->add(sequence, record);
    if (hits_ && hits_->fits(record.header())) return hits_->add(sequence, record);
    if (!irregular_)
        irregular_.emplace(open_group(raw_.get(), board_.name).get(), "irregular", board_, true, compression_);
    irregular_->add(sequence, record);
}

void BoardWriter::flush() {
    if (fixed_) fixed_->flush();
    if (hits_) hits_->flush();
    if (irregular_) irregular_->flush();
}

std::uint64_t BoardWriter::bytes() const noexcept {
    return (fixed_ ? fixed_->bytes() : 0) + (hits_ ? hits_->bytes() : 0) + (irregular_ ? irregular_->bytes() : 0);
}

}  // namespace alleycat::h5
