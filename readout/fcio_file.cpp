#include "readout/fcio_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "daq/core/error.hpp"

namespace alleycat {
namespace fs = std::filesystem;

namespace {
constexpr std::size_t kReadBytes = 256 * 1024;
}  // namespace

bool fcio::is_stream_file(const fs::path& path, std::string& why_not) {
    RecordedFile file{path};
    std::int32_t tag = 0;
    std::array<char, kProtocol.size()> name{};
    if (file.get(tag) && tag == kProtocolTag && file.get(name) &&
        std::string_view{name.data(), name.size()} == kProtocol)
        return true;
    why_not = "does not begin like a FlashCam stream";
    return false;
}

FcioFileSource::FcioFileSource(std::vector<fs::path> files, const BoardInfo& board, std::uint16_t board_index,
                               const std::vector<std::uint16_t>& traces)
    : files_{std::move(files)}, records_{board, board_index, traces} {
    for (const fs::path& path : files_) all_bytes_ += fs::file_size(path);
    if (load_event(first_.emplace())) return;
    std::string counts;
    for (const auto& [name, n] : log_.counts()) counts += fmt::format("{} {} {}", counts.empty() ? ":" : ",", n, name);
    throw Error{fmt::format("{}: no whole event of board {}{}", files_.front().string(), board.name, counts)};
}

/// Reads on; false at the end of the last file.
bool FcioFileSource::more() {
    if (!file_) {
        if (next_file_ == files_.size()) return false;
        file_.emplace(files_[next_file_++]);
        decoder_.restart();
        events_ = 0;
    }
    const std::span<std::byte> space = decoder_.space(kReadBytes);
    decoder_.add(file_->read(space.first(kReadBytes)));
    return true;
}

void FcioFileSource::end_file() {
    bytes_of_ended_ += file_->bytes();
    file_.reset();
}

bool FcioFileSource::load_event(RecordHeader& header) {
    for (;;) {
        fcio::Item item = decoder_.next();
        if (item == fcio::Item::need_more) {
            const std::uint64_t before = file_ ? file_->position() : 0;
            if (!file_ || file_->left() != 0) {
                if (!more()) return false;
                if (file_->position() != before) continue;  // a file that became shorter ends like any other
            }
            item = decoder_.finish();
            if (item == fcio::Item::need_more && decoder_.left_over() != 0) {
                log_.count("truncated_record");
                log_.remark(fmt::format("{}: cut short after {} whole events", file_->name(), events_));
            }
            if (item != fcio::Item::event) end_file();
        }
        switch (item) {
            case fcio::Item::need_more:
            case fcio::Item::start:
            case fcio::Item::status: break;
            case fcio::Item::config: records_.take_config(decoder_); break;
            case fcio::Item::event:
                ++events_;
                if (records_.describe(decoder_, header, log_)) return true;
                break;
            case fcio::Item::lost:
                log_.remark(fmt::format("{}: is no stream any more after {} events: the file is not read on from there",
                                        file_->name(), events_));
                end_file();
                decoder_.restart();
                [[fallthrough]];
            case fcio::Item::unknown_tag:
            case fcio::Item::short_message:
            case fcio::Item::bad_frame:
            case fcio::Item::event_before_config:
            case fcio::Item::bad_config: log_.count(fcio::kItemNames[static_cast<std::size_t>(item)]); break;
        }
    }
}

RecordSource::Next FcioFileSource::next(RecordHeader& header, std::stop_token stop) {
    if (stop.stop_requested()) return Next::idle;
    if (first_) {
        header = *first_;
        first_.reset();
        return Next::record;
    }
    return load_event(header) ? Next::record : Next::end;
}

std::optional<double> FcioFileSource::fraction_done() const {
    if (all_bytes_ == 0) return std::nullopt;
    const std::uint64_t here = file_ ? file_->position() : 0;
    return std::min(1.0, static_cast<double>(bytes_of_ended_ + here) / static_cast<double>(all_bytes_));
}

}  // namespace alleycat
