#include "daq/store/part_closer.hpp"

#include <fmt/format.h>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/store/catalogue_rebuild.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kMostClosing = 2;  // more would only hide for longer that the disk does not keep up

}  // namespace

ClosedPart close_now(ClosingPart& part) {
    const std::uint64_t triggers = part.writer->summary().triggers;
    const std::filesystem::path path = part.writer->file();
    part.writer->close(part.end);
    part.writer.reset();
    const AlleycatFile file{path};
    if (!file.closed() || file.triggers() != triggers) {
        throw Error{fmt::format("{}: does not hold what was written into it ({} of {} triggers)", path.string(),
                                file.triggers(), triggers)};
    }
    log::store().info("{}: closed, {} triggers", path.filename().string(), triggers);
    return {*file.summary(), part_row(file, sha256_of(path), part.state)};
}

PartCloser::PartCloser()
    : queue_{kMostClosing,
             {[](Job& job) { job.closed = close_now(job.part); }},
             done_,
             "part-closer",
             SingleWorker::own_thread} {}

void PartCloser::close(ClosingPart part) {
    queue_.back() = Job{std::move(part), std::nullopt};
    queue_.submit();
}

std::optional<ClosedPart> PartCloser::take() {
    Job* const job = queue_.front();
    return job == nullptr ? std::nullopt : std::optional{pop(*job)};
}

ClosedPart PartCloser::wait() { return pop(queue_.wait_for_front()); }

ClosedPart PartCloser::pop(Job& job) {
    ClosedPart closed = std::move(job.closed).value();
    job = Job{};
    queue_.pop();
    return closed;
}

}  // namespace alleycat
