#pragma once
// The samples of one board under /raw/<board> (internal to daq/store; FORMAT.md#raw).

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daq/core/record.hpp"
#include "daq/core/run_description.hpp"
#include "daq/store/chunk_encoder.hpp"
#include "daq/store/hdf5.hpp"
#include "daq/store/table.hpp"

namespace alleycat::h5 {

/// Records of one shape: a dataset (records, channels, samples), chunks of whole records put down as they are.
class FixedRecords final : public ChunkOwner {
  public:
    FixedRecords(hid_t raw_group, const BoardInfo& board, Compression compression, ChunkEncoder& encoder);
    [[nodiscard]] bool fits(const RecordHeader& header) const noexcept;
    void add(std::uint64_t sequence, const RecordView& record);
    /// Only when the encoder is drained.
    void flush();
    /// What is still being compressed counts as much as the chunk put down last: parts end on time.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return stored_bytes_ + (chunks_full_ - chunks_put_down_) * newest_bytes_ + table_.bytes();
    }

    void put_down(std::uint64_t chunk, std::span<const std::byte> packed) override;

  private:
    void write_chunk(std::uint64_t chunk, std::size_t records, std::span<const std::byte> packed);

    BoardInfo board_;
    Compression compression_;
    ChunkEncoder& encoder_;
    Table table_;
    Handle samples_;
    std::size_t record_bytes_, records_per_chunk_;
    std::vector<std::byte> chunk_;  ///< records of the chunk being filled
    std::size_t in_chunk_ = 0;
    bool chunk_changed_ = false;
    std::uint64_t chunks_full_ = 0, chunks_put_down_ = 0, newest_bytes_ = 0, stored_bytes_ = 0, extent_ = 0;
    std::vector<std::byte> scratch_;
};

/// Records of any shape: an LH5 vector of vectors, one row per channel hit.
class HitRecords {
  public:
    /// `irregular`: what does not fit its board; samples are widened to int32 so that every ADC type fits.
    HitRecords(hid_t parent, const std::string& name, const BoardInfo& board, bool irregular, Compression compression);
    [[nodiscard]] bool fits(const RecordHeader& header) const noexcept;
    void add(std::uint64_t sequence, const RecordView& record);
    void flush();
    [[nodiscard]] std::uint64_t bytes() const noexcept { return table_.bytes() + samples_.bytes() + ends_.bytes(); }

  private:
    SampleType type_;
    bool irregular_;
    Table table_;
    Handle group_;
    Column ends_, samples_;
    std::uint64_t end_ = 0;  ///< samples so far
    std::vector<std::int32_t> widened_;
};

/// All of a board's records.
class BoardWriter {
  public:
    BoardWriter(hid_t file, const BoardInfo& board, Compression compression, ChunkEncoder& encoder);
    void add(std::uint64_t sequence, const RecordView& record);
    void flush();
    [[nodiscard]] std::uint64_t bytes() const noexcept;

  private:
    BoardInfo board_;
    Compression compression_;
    Handle raw_;
    std::optional<FixedRecords> fixed_;
    std::optional<HitRecords> hits_;
    std::optional<HitRecords> irregular_;  ///< made with its first record
};

[[nodiscard]] hid_t sample_type_id(SampleType type);

}  // namespace alleycat::h5
