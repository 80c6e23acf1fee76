#include "daq/store/raw_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daq/core/error.hpp"
#include "daq/store/raw_writer.hpp"

namespace alleycat::h5 {
namespace {

std::string samples_path(const std::string& group, bool hits) {
    return group + (hits ? "/samples/flattened_data" : "/samples");
}

}  // namespace

RecordRows::RecordRows(hid_t file, std::string group, const BoardInfo& board, bool irregular, unsigned decode_threads)
    : group_{std::move(group)},
      board_{board},
      irregular_{irregular},
      hits_{irregular || exists(file, group_ + "/samples/flattened_data")},
      sequence_{file, group_ + "/sequence"},
      counter_{file, group_ + "/counter"},
      clock_{file, group_ + "/clock"},
      mask_{file, group_ + "/channel_mask"},
      flags_{file, group_ + "/flags"},
      samples_{file, samples_path(group_, hits_), irregular ? H5T_NATIVE_INT32 : sample_type_id(board.sample_type),
               decode_threads} {
    rows_ = std::min({sequence_.rows(), counter_.rows(), clock_.rows(), mask_.rows(), flags_.rows()});
    if (hits_) {
        ends_ = {file, group_ + "/samples/cumulative_length"};
        channels_ = {file, group_ + "/channels"};
        rows_ = std::min({rows_, ends_.rows(), channels_.rows()});
        if (irregular_) {
            type_ = {file, group_ + "/sample_type"};
            rows_ = std::min(rows_, type_.rows());
        }
    } else {
        rows_ = std::min(rows_, h5::rows(file, group_ + "/samples").value_or(0));
        const Handle samples{
            check(H5Dopen2(file, (group_ + "/samples").c_str(), H5P_DEFAULT), "cannot open /" + group_ + "/samples")};
        const Handle space{H5Dget_space(samples.get())};
        std::array<hsize_t, H5S_MAX_RANK> size{};
        if (H5Sget_simple_extent_dims(space.get(), size.data(), nullptr) != 3 || size[1] != board.channels.size() ||
            size[2] != board.samples) {
            throw Error{fmt::format("/{}/samples does not have the shape of its board: {} channels x {} samples",
                                    group_, board.channels.size(), board.samples)};
        }
    }
}

std::optional<std::uint64_t> RecordRows::peek() {
    if (row_ >= rows_) return std::nullopt;
    return sequence_.at(row_);
}

void RecordRows::skip_to(std::uint64_t sequence) {
    std::uint64_t low = row_, high = rows_;  // sequences grow
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (sequence_.at(middle) < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    row_ = low;
}

void RecordRows::next(RecordHeader& header) {
    header.sequence = sequence_.at(row_);
    header.counter = counter_.at(row_);
    header.clock = clock_.at(row_);
    header.channel_mask = mask_.at(row_);
    header.flags = flags_.at(row_);
    if (!hits_) {
        header.channels = static_cast<std::uint16_t>(board_.channels.size());
        header.samples_per_channel = board_.samples;
        header.sample_type = board_.sample_type;
        current_ = row_++;
        return;
    }
    const auto contradiction = [&](std::string_view what) {
        throw Error{fmt::format("/{}: the record at row {} {}", group_, row_, what)};
    };
    header.channels = channels_.at(row_);
    const std::uint64_t n = std::max<std::uint64_t>(header.channels, 1);
    if (header.channels > kMaxChannels || n > rows_ - row_)
        contradiction(fmt::format("has {} channels", header.channels));
    header.sample_type =
        irregular_ ? static_cast<SampleType>(std::min<std::uint8_t>(type_.at(row_), 4)) : board_.sample_type;
    if (header.sample_type > SampleType::uint16) contradiction("has an unknown sample type");
    current_ = row_ == 0 ? 0 : end_of_row(row_ - 1);
    std::uint64_t begin = current_, length = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t end = end_of_row(row_ + i);
        if (end < begin || (i > 0 && (end - begin != length || sequence_.at(row_ + i) != header.sequence))) {
            contradiction("has rows that do not belong together");
        }
        length = end - begin;
        begin = end;
    }
    if (length > 1u << 28) contradiction(fmt::format("has {} samples", length));
    header.samples_per_channel = static_cast<std::uint32_t>(length);
    row_ += n;
}

void RecordRows::read_samples(const RecordHeader& header, std::span<std::byte> samples) {
    if (samples.empty()) return;
    const std::uint64_t rows = hits_ ? std::uint64_t{header.channels} * header.samples_per_channel : 1;
    if (current_ + rows > samples_.rows())
        throw Error{
            fmt::format("/{} ends before the samples of trigger {}", samples_path(group_, hits_), header.sequence)};
    if (!irregular_) {
        samples_.read(current_, rows, samples);
        return;
    }
    wide_.resize(rows * sizeof(std::int32_t));
    samples_.read(current_, rows, wide_);
    with_sample_type(header.sample_type, [&]<class T>(T) {
        for (std::size_t i = 0; i < samples.size() / sizeof(T); ++i) {
            std::int32_t wide = 0;
            std::memcpy(&wide, wide_.data() + i * sizeof wide, sizeof wide);
            const T code = static_cast<T>(wide);
            std::memcpy(samples.data() + i * sizeof code, &code, sizeof code);
        }
    });
}

BoardReader::BoardReader(hid_t file, const BoardInfo& board, std::uint16_t index, unsigned decode_threads)
    : index_{index} {
    const std::string group = "raw/" + board.name;
    if (exists(file, group)) regular_.emplace(file, group, board, false, decode_threads);
    if (exists(file, group + "/irregular")) irregular_.emplace(file, group + "/irregular", board, true, 1);
}

bool BoardReader::next() {
    const std::optional<std::uint64_t> a = regular_ ? regular_->peek() : std::nullopt;
    const std::optional<std::uint64_t> b = irregular_ ? irregular_->peek() : std::nullopt;
    if (!a && !b) return false;
    current_ = a && (!b || *a <= *b) ? &*regular_ : &*irregular_;
    header_ = RecordHeader{};
    header_.board = index_;
    current_->next(header_);
    return true;
}

void BoardReader::read_samples(std::span<std::byte> samples) {
    const std::size_t n =
        std::size_t{header_.channels} * header_.samples_per_channel * bytes_per_sample(header_.sample_type);
    current_->read_samples(header_, samples.first(n));
}

void BoardReader::skip_to(std::uint64_t sequence) {
    if (regular_) regular_->skip_to(sequence);
    if (irregular_) irregular_->skip_to(sequence);
}

}  // namespace alleycat::h5
