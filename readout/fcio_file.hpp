#pragma once
// Recorded FlashCam streams: files of the bytes that went over the wire.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daq/core/source.hpp"
#include "readout/fcio_records.hpp"
#include "readout/recorded_file.hpp"

namespace alleycat {

namespace fcio {
/// Begins with the protocol's tag and name. `why_not` else.
[[nodiscard]] bool is_stream_file(const std::filesystem::path& file, std::string& why_not);
}  // namespace fcio

/// Events of one board, in the order of their files. What the stream holds besides is counted by the names of
/// fcio::kItemNames, an end within a message as truncated_record; what becomes of events is in FcioRecords.
class FcioFileSource final : public RecordSource {
  public:
    /// Throws UsageError when the board cannot be this one, Error when there is no whole event.
    FcioFileSource(std::vector<std::filesystem::path> files, const BoardInfo& board, std::uint16_t board_index,
                   const std::vector<std::uint16_t>& traces);

    [[nodiscard]] const BoardInfo& board() const noexcept override { return records_.board(); }
    [[nodiscard]] Next next(RecordHeader& header, std::stop_token stop) override;
    void fill(std::span<std::byte> payload) override { records_.fill(decoder_, payload); }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> defects() const override { return log_.counts(); }
    [[nodiscard]] std::optional<double> fraction_done() const override;
    [[nodiscard]] std::vector<std::string> remarks() const override { return log_.remarks(); }

  private:
    [[nodiscard]] bool load_event(RecordHeader& header);
    [[nodiscard]] bool more();
    void end_file();

    std::vector<std::filesystem::path> files_;
    FcioRecords records_;
    fcio::Decoder decoder_;
    DefectLog log_;
    std::size_t next_file_ = 0;
    std::optional<RecordedFile> file_;
    std::uint64_t all_bytes_ = 0, bytes_of_ended_ = 0;
    std::uint64_t events_ = 0;
    std::optional<RecordHeader> first_;  ///< found by the constructor
};

}  // namespace alleycat
