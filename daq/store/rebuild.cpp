#include "daq/store/rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daq/core/error.hpp"

namespace alleycat {

RebuiltPart rebuild_part(const std::filesystem::path& journal, const std::filesystem::path& file,
                         Compression compression, const RawSelection& raw, unsigned threads,
                         std::uint64_t trusted_bytes) {
    JournalReader reader{journal, trusted_bytes};
    reader.read_from_disk();
    RebuiltPart part;
    part.header = reader.header();
    part.last_ordinal = part.header.first_ordinal - std::min<std::uint64_t>(part.header.first_ordinal, 1);
    remove_file(file.string() + ".part");
    FrameContent content;
    part.whole_bytes = reader.whole_bytes();
    for (FrameView frame; reader.next(frame); part.whole_bytes = reader.whole_bytes()) {
        try {
            read_content(frame, part.writer ? &part.writer->run() : nullptr, content);
            if (part.writer) check_order(content, part.last_sequence);
        } catch (const Error&
                     e) {  // the writer checks before it writes, so this is damage, however unlikely with a good CRC
            part.tear = fmt::format("{}: {} at byte {}", journal.string(), e.what(), part.whole_bytes);
            part.frames_behind_the_tear = true;
            return part;
        }
        if (!part.writer) {
            part.writer = std::make_unique<PartWriter>(file, frame, part.header.part, compression, raw, threads);
            part.start_frame.assign(frame.bytes.begin(), frame.bytes.end());
        } else {
            part.writer->add(content);
        }
        if (content.kind == FrameKind::trigger) part.last_sequence = content.trigger.event.sequence;
        if (content.kind == FrameKind::run_end) part.end = content.run_end;
        if (content.kind == FrameKind::calibration) {
            part.calibrations.push_back({content.calibration, {frame.bytes.begin(), frame.bytes.end()}});
        }
        part.last_ordinal = std::max(part.last_ordinal, frame.header.ordinal);
    }
    if (!reader.complete()) {
        part.tear = reader.why();
        part.frames_behind_the_tear = reader.frames_behind_the_tear();
    }
    return part;
}

}  // namespace alleycat
