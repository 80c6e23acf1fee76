#pragma once
// The writer of a station: every frame into a journal, and from there into HDF5 parts that are closed one by one.

#include <memory>
#include <optional>

#include "daq/store/frame_sink.hpp"
#include "daq/store/store_config.hpp"

namespace alleycat {

/// Owns the folder of a station's data: one at a time, one thread.
///
/// Making one recovers what a crash left: unfinished parts are rebuilt from their journals; the newest run, if it has
/// no end, is kept open so that its stream can go on behind durable(). Older ones are closed as interrupted. An Error
/// from append() is about the frame, which was not taken.
///
/// A disk that is full or fails does not end it. Below disk_stop_mb it syncs what it has and takes no more until there
/// is room; after an error it throws away what it holds open, tries the disk every retry_interval, and then recovers as
/// after a crash: from the journals, and of those only what was synced without an error. Both throw DiskRefused.
class RunWriter final : public FrameSink {
  public:
    /// Throws Error when the folder cannot be used or another writer uses it. A disk that is full or fails while a
    /// crash is recovered from only makes it not ready().
    explicit RunWriter(StoreConfig config);
    /// Without finish() as after a kill: what sync() did not return is not promised.
    ~RunWriter() override;

    [[nodiscard]] bool ready() override;
    /// Where the stream resumes: the newest run and its last durable frame; nullopt: nothing was ever written here, or
    /// it was not ready() yet.
    [[nodiscard]] std::optional<Durable> durable() const;

    /// The first frame of another run closes the one before as interrupted; a run_end closes its run's parts.
    void append(const FrameView& frame) override;
    /// Also flushes the part, once a second.
    std::optional<Durable> sync() override;
    /// Syncs, and leaves a run without an end as it is: the next start goes on with it.
    void finish() override;
    [[nodiscard]] WriterStatus status() const override;

    /// Beam states that came after the part with their row was closed: those rows say unknown.
    [[nodiscard]] std::uint64_t late_beam_states() const noexcept;

  private:
    class Folder;
    class Session;
    std::unique_ptr<Session> session_;
};

}  // namespace alleycat
