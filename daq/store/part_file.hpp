#pragma once
// The file under an HDF5 part that is being written (internal to daq/store).
//
// HDF5 1.10 does not survive a failed write: the file can no longer be closed, its identifiers stay for ever, and its
// handler at the end of the process dies with a signal. So HDF5 never hears of one. Its file driver here is ours: after
// the first failure it writes nothing more, keeps what it is given in memory so that HDF5 reads back what it wrote, and
// lets every call succeed. The owner asks after each step whether the disk took it, closes the file as usual and throws
// it away: the journal holds what stood in it.

#include <filesystem>
#include <memory>

#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {

/// H5Fget_vfd_handle() of such a file gives its descriptor, as of HDF5's own ordinary files.
[[nodiscard]] bool is_part_driver(hid_t driver);

class PartFile {
  public:
    explicit PartFile(std::filesystem::path path);
    ~PartFile();
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;

    /// Makes the file, empty. Throws Error when it exists or cannot be made.
    [[nodiscard]] Handle create();
    /// Throws the DiskError of the first call the disk refused.
    void check() const;
    /// After H5Fclose(): makes the file durable, through the descriptor it was written with: that one hears of every
    /// page that could not be written. Not within H5Fclose(), where every other thread would wait for HDF5's one lock.
    /// Throws as check().
    void sync();

    struct State;

  private:
    std::shared_ptr<State> state_;  ///< the driver holds it too, for a file that HDF5 failed to close
};

}  // namespace alleycat::h5
