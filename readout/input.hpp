#pragma once
// Recorded files of other programs: what they are, and the source that reads them.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "daq/core/config.hpp"
#include "daq/core/source.hpp"
#include "readout/caen_block.hpp"
#include "readout/compass.hpp"
#include "readout/labview.hpp"
#include "readout/sis3316_files.hpp"
#include "readout/wavedump.hpp"

namespace alleycat {

/// [labview], [wavedump], [sis3316], [caen] and [compass] of a station file, and what [board.fcio] says of recorded
/// streams.
struct FileSourceConfig {
    LabviewConfig labview{};
    WaveDumpConfig wavedump{};
    Sis3316FilesConfig sis3316{};
    CaenConfig caen{};
    CompassConfig compass{};
    std::vector<std::uint16_t> fcio_traces{};  ///< FcioConfig::traces of the board that is replayed
};

/// Reads [labview], [wavedump], [sis3316], [caen] and [compass]; problems are reported, not thrown.
[[nodiscard]] FileSourceConfig parse_file_sources(ConfigSection& root);

enum class InputKind {
    labview,   ///< a zip with a minute of 2015-17, or a folder of such zips
    wavedump,  ///< events with WaveDump headers, or a folder of wave<N>.dat
    sis3316,   ///< native event words of one channel
    caen,      ///< raw event blocks of CAEN digitizers
    compass,   ///< a CoMPASS list
    fcio,      ///< a recorded FlashCam stream
    unknown,
};

/// Looks at the bytes, not at the name (of a folder: at the names in it). Throws Error when the path cannot be read.
[[nodiscard]] InputKind recognise(const std::filesystem::path& path);

/// Words for [[board]] `source` of a station that is fed from recorded files only.
[[nodiscard]] std::span<const std::string_view> recorded_sources() noexcept;
[[nodiscard]] bool is_recorded_source(std::string_view source) noexcept;

/// The source for these files or folders, which must be of one kind. WaveDump files without headers look like nothing:
/// they are taken when the board says source = "wavedump" and the file says [wavedump] header = false.
/// CoMPASS lists that begin without their first word likewise, with source = "compass" and [compass] fields.
/// decode_threads  decompress ahead of the reader's thread (LabVIEW minutes); 1: none. The records are the same.
/// Throws Error naming the file that is absent, empty, of no known format or of another kind than the first.
[[nodiscard]] std::unique_ptr<RecordSource> open_recorded(const std::vector<std::filesystem::path>& inputs,
                                                          const BoardInfo& board, std::uint16_t board_index,
                                                          const FileSourceConfig& config, unsigned decode_threads = 1);

}  // namespace alleycat
