#pragma once
// /raw/<board>, read record by record in the order of their triggers (internal to daq/store).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "daq/store/chunk_reader.hpp"
#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {

/// A column read in blocks, as it is walked through.
template <class T>
class Walk {
  public:
    Walk() = default;
    Walk(hid_t file, std::string path)
        : file_{file}, path_{std::move(path)}, rows_{h5::rows(file, path_).value_or(0)} {}
    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
    [[nodiscard]] T at(std::uint64_t row) {
        if (row < first_ || row - first_ >= block_.size()) {
            first_ = row / kBlock * kBlock;
            block_ = read_column<T>(file_, path_, first_, std::min(kBlock, rows_ - first_));
        }
        return block_[row - first_];
    }

  private:
    static constexpr std::uint64_t kBlock = 8192;
    hid_t file_ = H5I_INVALID_HID;
    std::string path_;
    std::uint64_t rows_ = 0, first_ = 0;
    std::vector<T> block_;
};

/// One group of records: those of the board's own shape, or the irregular ones.
class RecordRows {
  public:
    RecordRows(hid_t file, std::string group, const BoardInfo& board, bool irregular, unsigned decode_threads);

    /// Sequence of the next record; nullopt at the end.
    [[nodiscard]] std::optional<std::uint64_t> peek();
    /// Steps to the next record and describes it. Throws Error when the rows contradict each other.
    void next(RecordHeader& header);
    /// Samples of the record next() described: channels x samples_per_channel codes.
    void read_samples(const RecordHeader& header, std::span<std::byte> samples);
    /// Leaves out the records before `sequence`.
    void skip_to(std::uint64_t sequence);

  private:
    [[nodiscard]] std::uint64_t end_of_row(std::uint64_t row) { return ends_.at(row); }

    std::string group_;
    BoardInfo board_;
    bool irregular_, hits_;
    Walk<std::uint64_t> sequence_, counter_, clock_, mask_, ends_;
    Walk<std::uint32_t> flags_;
    Walk<std::uint16_t> channels_;
    Walk<std::uint8_t> type_;
    std::uint64_t rows_ = 0, row_ = 0;
    std::uint64_t current_ = 0;  ///< row (fixed) or first sample (hits) of the record described last
    ChunkReader samples_;        ///< its rows are records (fixed) or samples (hits)
    std::vector<std::byte> wide_;
};

/// All records of a board in one file.
class BoardReader {
  public:
    /// decode_threads  decompress ahead; 1: the calling thread does it (the irregular records always so)
    BoardReader(hid_t file, const BoardInfo& board, std::uint16_t index, unsigned decode_threads);
    [[nodiscard]] bool next();
    /// Of the record next() stepped to; time, host time, trigger class and truth are left to the caller.
    [[nodiscard]] const RecordHeader& header() const noexcept { return header_; }
    void read_samples(std::span<std::byte> samples);
    void skip_to(std::uint64_t sequence);

  private:
    std::uint16_t index_;
    std::optional<RecordRows> regular_, irregular_;
    RecordRows* current_ = nullptr;
    RecordHeader header_;
};

}  // namespace alleycat::h5
