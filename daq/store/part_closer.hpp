#pragma once
// Closes parts beside the thread that writes (internal to daq/store).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "daq/core/doorbell.hpp"
#include "daq/core/ordered_workers.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/part_writer.hpp"

namespace alleycat {

/// A part that takes nothing more.
struct ClosingPart {
    std::unique_ptr<PartWriter> writer;
    PartEnd end;
    std::string state;  ///< for the catalogue: "closed", "interrupted"
};

/// A closed file, found to hold what was written into it.
struct ClosedPart {
    PartSummary summary;
    CataloguePart row;
};

/// Makes a full part durable, gives it its final name and reads it again for its digest: seconds for gigabytes, in
/// which triggers keep coming. One after the other, in a thread of its own, so that a part is never closed before an
/// older one. Used by one thread. What was not begun when it goes away is left as after a kill.
class PartCloser {
  public:
    PartCloser();

    /// Waits for nobody: only when there is room().
    void close(ClosingPart part);
    [[nodiscard]] bool room() const noexcept { return !queue_.full(); }
    [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }

    /// The oldest, once it is closed; nullopt: not yet, or there is none. Rethrows what closing it threw.
    [[nodiscard]] std::optional<ClosedPart> take();
    /// Waits for the oldest, which must be there.
    [[nodiscard]] ClosedPart wait();

  private:
    struct Job {
        ClosingPart part;
        std::optional<ClosedPart> closed;
    };
    [[nodiscard]] ClosedPart pop(Job& job);

    Doorbell done_;
    OrderedWorkers<Job> queue_;  // last: its thread uses what stands above
};

/// The same in the caller's thread. Throws Error, of the disk DiskError.
[[nodiscard]] ClosedPart close_now(ClosingPart& part);

}  // namespace alleycat
