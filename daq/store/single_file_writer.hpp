#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "daq/store/frame_sink.hpp"
#include "daq/store/part_writer.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat {

/// One run into one file, without a journal: what `alleycat replay --output FILE.h5` and the simulator write. What is
/// cut short can be made again. FILE.h5 is FILE.h5.part until finish(); sync() promises nothing against a power cut.
class SingleFileWriter final : public FrameSink {
  public:
    /// Throws Error when the file, or FILE.h5.part, exists.
    SingleFileWriter(std::filesystem::path file, Compression compression, const RawSelection& raw,
                     unsigned compression_threads = 1);

    void append(const FrameView& frame) override;
    std::optional<Durable> sync() override;
    /// Closes the file; one whose run has no end is closed as interrupted. Without any frame there is no file.
    void finish() override;
    [[nodiscard]] WriterStatus status() const override;

  private:
    std::filesystem::path file_;
    Compression compression_;
    RawSelection raw_;
    unsigned compression_threads_;
    std::unique_ptr<PartWriter> part_;
    FrameContent content_;
    std::optional<Durable> last_;
    std::optional<RunEnd> end_;
    bool finished_ = false;
};

}  // namespace alleycat
