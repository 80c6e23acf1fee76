#include "daq/store/trial.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "daq/core/error.hpp"
#include "daq/store/content_digest.hpp"
#include "daq/store/file_reader.hpp"
#include "daq/store/files.hpp"
#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {
namespace {

// Of the processor's time, which a slow disk does not take: a walk through a file of 2 GB needs about a second.
constexpr rlim_t kSeconds = 5;
constexpr std::uintmax_t kBytesPerSecond = 50'000'000;
constexpr rlim_t kOfARehearsal = 8;   // times as long
constexpr int kPatienceMs = 600'000;  // whatever else may hold it up

constexpr int kAsWritten = 0, kOtherwise = 2;  // exit statuses

/// The child's part. Nothing of what is said on dying reaches the user: he gets a sentence.
void prepare_to_die(rlim_t seconds) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGTERM, SIGINT}) std::signal(number, SIG_DFL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const rlimit enough{seconds, seconds};
    ::setrlimit(RLIMIT_CPU, &enough);
}

/// The file stands as its digest says. Else all of it is tried, and what a reader does first.
bool walk_through(const std::filesystem::path& path) {
    prepare();
    const Handle access = file_access();
    const Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get())};
    if (!file) return false;
    try {
        const std::optional<std::string> digest = get_content_digest(file.get());
        if (digest && *digest == content_digest(file.get())) return true;
    } catch (const std::exception&) {
        // Here as below: HDF5 said no, and lives.
    }
    try {
        try_everything(file.get());
    } catch (const std::exception&) {
    }
    try {
        (void)AlleycatFile::open_damaged(path);
    } catch (const std::exception&) {
    }
    return false;
}

/// Waits for the child's end; false: it takes too long.
bool wait_for_end(pid_t child) {
    const FileDescriptor handle{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
    if (handle.get() < 0) return true;  // an old kernel: then waitpid() is all there is
    pollfd ended{handle.get(), POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&ended, 1, kPatienceMs);
    } while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/// Of a child: its exit status, or a sentence when that is none it should have.
struct End {
    int status = 0;
    std::string sentence;
};

/// Does `action`, which returns the exit status, in a process of its own.
End in_a_child(const std::filesystem::path& path, rlim_t seconds, const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child < 0) throw Error{fmt::format("{}: no process to try it in: {}", path.string(), std::strerror(errno))};
    if (child == 0) {
        prepare_to_die(seconds);
        ::_exit(action());
    }
    const bool ended = wait_for_end(child);
    if (!ended) ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended || (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)))
        return {0, "its structure is damaged: HDF5 does not come to an end with it"};
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != kAsWritten && WEXITSTATUS(status) != kOtherwise))
        return {0, "its structure is damaged, so that HDF5 itself crashes on it: it is not opened"};
    return {WEXITSTATUS(status), ""};
}

}  // namespace

std::string trial(const std::filesystem::path& path, const std::function<void()>& rehearsal) {
    std::error_code ignored;
    const rlim_t seconds = kSeconds + std::filesystem::file_size(path, ignored) / kBytesPerSecond;
    const End walk = in_a_child(path, seconds, [&] { return walk_through(path) ? kAsWritten : kOtherwise; });
    if (!walk.sentence.empty() || walk.status == kAsWritten || !rehearsal) return walk.sentence;
    return in_a_child(path, kOfARehearsal * seconds,
                      [&] {
                          try {
                              rehearsal();
                          } catch (const std::exception&) {
                              // It will be told by who does it in earnest.
                          }
                          return kOtherwise;
                      })
        .sentence;
}

}  // namespace alleycat::h5

namespace alleycat {

void require_openable(const std::filesystem::path& path, const std::function<void()>& rehearsal) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return;
    const std::string why = h5::trial(path, rehearsal);
    if (!why.empty()) throw Error{fmt::format("{}: {}", path.string(), why)};
}

}  // namespace alleycat
