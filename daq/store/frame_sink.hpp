#pragma once
// Where frames end: in journals and parts, or in one file.

#include <cstdint>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/core/frame.hpp"
#include "daq/core/status.hpp"

namespace alleycat {

/// Up to where a run is on the disk.
struct Durable {
    std::uint64_t run = 0;
    std::uint64_t ordinal = 0;             ///< last frame that is on the disk: the stream resumes behind it
    std::uint64_t sequence = kNoSequence;  ///< last trigger among them; kNoSequence: none yet
    std::int64_t utc_ns = 0;               ///< host time of that trigger; 0: not known

    /// The time goes along with the sequence, where it is known.
    friend bool operator==(const Durable& a, const Durable& b) {
        return a.run == b.run && a.ordinal == b.ordinal && a.sequence == b.sequence;
    }
};

/// The disk took nothing, or not all. What sync() has returned stays; every frame behind it is to be brought again when
/// ready() says so. The message is that of status().problem.
class DiskRefused : public Error {
  public:
    using Error::Error;
};

/// Takes a run's frames in the order of their ordinals. Used by one thread. All of these throw Error.
class FrameSink {
  public:
    virtual ~FrameSink() = default;
    /// false: the disk refuses, append() would throw DiskRefused. Asked again and again it tries the disk every few
    /// seconds. A sink that never throws DiskRefused is always ready.
    [[nodiscard]] virtual bool ready() { return true; }
    /// Frames of the same run that were taken before are ignored. A hole in the ordinals is recorded as a gap where the
    /// stream comes from another process; of one that cannot lose any it is an Error naming both.
    virtual void append(const FrameView& frame) = 0;
    /// Makes everything appended so far durable. Only what this returns may be acknowledged; nullopt: nothing yet.
    virtual std::optional<Durable> sync() = 0;
    /// No more frames will come.
    virtual void finish() = 0;
    [[nodiscard]] virtual WriterStatus status() const = 0;
};

}  // namespace alleycat
