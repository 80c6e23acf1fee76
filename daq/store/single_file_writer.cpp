#include "daq/store/single_file_writer.hpp"

#include <fmt/format.h>

#include "daq/core/error.hpp"
#include "daq/store/files.hpp"

namespace alleycat {

SingleFileWriter::SingleFileWriter(std::filesystem::path file, Compression compression, const RawSelection& raw,
                                   unsigned compression_threads)
    : file_{std::move(file)}, compression_{compression}, raw_{raw}, compression_threads_{compression_threads} {
    const std::filesystem::path unfinished = file_.string() + ".part";
    if (std::filesystem::exists(file_))
        throw Error{fmt::format("{}: exists already and is not overwritten", file_.string())};
    if (std::filesystem::exists(unfinished)) {
        throw Error{fmt::format("{}: exists already: another program writes it, or it was cut short and can be removed",
                                unfinished.string())};
    }
    if (!std::filesystem::is_directory(folder_of(file_)))
        throw Error{fmt::format("{}: there is no folder {}", file_.string(), folder_of(file_).string())};
}

void SingleFileWriter::append(const FrameView& frame) {
    if (finished_) throw Error{fmt::format("{}: a frame came after the file was closed", file_.string())};
    if (last_ && frame.header.run != last_->run) {
        throw Error{
            fmt::format("{}: holds run {}, a frame of run {} came", file_.string(), last_->run, frame.header.run)};
    }
    if (last_ && frame.header.ordinal <= last_->ordinal) return;
    check_follows(frame, last_ ? std::optional{last_->ordinal} : std::nullopt);
    if (end_)
        throw Error{fmt::format("run {}: frame {} came after the run's end", frame.header.run, frame.header.ordinal)};
    read_content(frame, part_ ? &part_->run() : nullptr, content_);
    if (!part_)
        part_ = std::make_unique<PartWriter>(file_, frame, 1, compression_, raw_, compression_threads_);
    else
        check_order(content_, last_->sequence);
    part_->add(content_);
    if (!last_) last_ = Durable{frame.header.run, 0, kNoSequence};
    last_->ordinal = frame.header.ordinal;
    if (content_.kind == FrameKind::trigger) last_->sequence = content_.trigger.event.sequence;
    if (content_.kind == FrameKind::run_end) end_ = content_.run_end;
}

std::optional<Durable> SingleFileWriter::sync() {
    if (part_) part_->flush();
    return last_;
}

void SingleFileWriter::finish() {
    finished_ = true;
    if (!part_) return;
    part_->close({.run_ended = end_.has_value(),
                  .clean = end_ && end_->clean,
                  .repaired = false,
                  .reason = end_ ? end_->reason : "interrupted"});
    part_.reset();
}

WriterStatus SingleFileWriter::status() const {
    WriterStatus status;
    status.connected = !finished_;
    status.file = part_ ? part_->unfinished_file().filename().string() : file_.filename().string();
    status.file_bytes = part_ ? part_->bytes() : 0;
    status.durable_triggers = part_ ? part_->triggers() : 0;
    status.disk_free_bytes = free_bytes(folder_of(file_)).value_or(0);
    return status;
}

}  // namespace alleycat
