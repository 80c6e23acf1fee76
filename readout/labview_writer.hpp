#pragma once
// Writes the raw format of the 2015-17 CsI[Na] data acquisition: what old readers, and the published analysis, take.
//
//   FOLDER/Run-YY-MM-DD-hh-mm-ss/YYMMDD/HHMMSS.zip   one file per minute, local time of its first trigger
//   one member "HHMMSS": chunks of up to 10 triggers
//     int32 big endian  number of columns: triggers x 35007
//     int32 big endian  number of channels: 2
//     per trigger 35007 columns of 2 bytes: 7 of time stamp (second byte: yy mm dd HH MM SS and hundredths),
//     then 35000 pairs of int8 codes (signal, veto)

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "daq/core/record.hpp"
#include "readout/local_time.hpp"

namespace alleycat {

class LabviewWriter {
  public:
    static constexpr std::uint32_t kSamples = 35'000;

    /// The run's folder is made below `folder` when the first trigger comes. `signal` and `veto` are the positions of
    /// the two channels in a record. A file in work is called HHMMSS.zip.part.
    LabviewWriter(std::filesystem::path folder, TimeZone zone, std::uint16_t signal = 0, std::uint16_t veto = 1);
    /// Closes; a failure is then logged only. Call close() to hear of it.
    ~LabviewWriter();
    LabviewWriter(const LabviewWriter&) = delete;
    LabviewWriter& operator=(const LabviewWriter&) = delete;

    /// Throws Error when the record does not fit the format (two channels of 35,000 int8 samples), when a file of this
    /// minute exists already (the hour that comes twice in autumn), or when the disk refuses.
    void write(const RecordView& record);
    /// Finishes the file in work. The next write() would start another one.
    void close();

  private:
    struct Minute;
    void open(UtcTime first_trigger);

    std::filesystem::path folder_;
    std::filesystem::path run_folder_;  // empty before the first trigger
    TimeZone zone_;
    std::uint16_t signal_, veto_;
    std::unique_ptr<Minute> minute_;
};

}  // namespace alleycat
