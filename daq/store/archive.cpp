#include "daq/store/archive.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <system_error>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/core/time.hpp"
#include "daq/store/catalogue.hpp"
#include "daq/store/files.hpp"
#include "daq/store/repair.hpp"
#include "daq/store/sha256.hpp"

extern char** environ;  // NOLINT: POSIX wants it declared

namespace alleycat {
namespace {

constexpr std::size_t kBlockBytes = 1 << 22;
constexpr int kStopLookMs = 100;

std::int64_t now_utc_ns() { return utc_now().time_since_epoch().count(); }

void look_at(const std::stop_token& stop) {
    if (stop.stop_requested()) throw Error{"told to end"};
}

/// Copies the bytes; returns when they are on the disk.
void copy_bytes(const std::filesystem::path& from, const std::filesystem::path& to, const std::stop_token& stop) {
    const FileDescriptor source = open_file(from, O_RDONLY);
    const FileDescriptor target = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
    std::vector<std::byte> block(kBlockBytes);
    for (std::uint64_t at = 0;;) {
        look_at(stop);
        const std::size_t n = read_at(source, block, at, from);
        if (n == 0) break;
        write_at(target, std::span{block}.first(n), at, to);
        at += n;
    }
    if (::fsync(target.get()) != 0)
        throw Error{fmt::format("{}: cannot be made durable: {}", to.string(), std::generic_category().message(errno))};
}

/// What the disk holds, not what memory remembers of the writing.
std::string digest_on_disk(const std::filesystem::path& file) {
    forget_cached(open_file(file, O_RDONLY), file);
    return sha256_of(file);
}

/// Runs `arguments` as a program of its own, its output on our stderr. Returns what is wrong; "": it left with 0.
std::string run_program(std::vector<std::string> arguments, std::chrono::seconds timeout, const std::stop_token& stop) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);  // ours are blocked: a thread waits for them
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const int failed = ::posix_spawnp(&child, argv[0], &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) return fmt::format("cannot be started: {}", std::generic_category().message(failed));

    const FileDescriptor ended{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::string why;
    pollfd wait{.fd = ended.get(), .events = POLLIN, .revents = 0};
    while (::poll(&wait, 1, kStopLookMs) == 0) {
        if (stop.stop_requested()) why = "ended with the archive";
        if (std::chrono::steady_clock::now() >= deadline) why = fmt::format("did not end within {} s", timeout.count());
        if (why.empty()) continue;
        ::kill(-child, SIGKILL);  // its group: what it started goes with it
        break;
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!why.empty()) return why;
    if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ? "" : fmt::format("left with status {}", WEXITSTATUS(status));
}

}  // namespace

ArchiveConfig parse_archive(ConfigSection& root) {
    ConfigSection section = root.section("archive");
    ArchiveConfig config;
    config.destination = section.text("destination", "");
    config.hook = section.text_list("hook", {});
    if (!config.hook.empty() && config.hook.front().empty()) section.problem("hook", "names no program");
    const auto count = [&](const char* key, auto fallback, std::int64_t min, std::int64_t max) {
        return section.integer(key, static_cast<std::int64_t>(fallback), min, max);
    };
    config.keep_free_mb = static_cast<std::uint64_t>(count("keep_free_mb", config.keep_free_mb, 0, 100'000'000));
    config.look_every = std::chrono::seconds{count("look_every_s", config.look_every.count(), 1, 3600)};
    config.hook_timeout = std::chrono::seconds{count("hook_timeout_s", config.hook_timeout.count(), 1, 86'400)};
    if (config.keep_free_mb > 0 && config.destination.empty())
        section.problem("keep_free_mb", "asks for a destination: nothing is deleted that is not verified elsewhere");
    section.finish();
    return config;
}

void copy_verified(const std::filesystem::path& part, const std::filesystem::path& destination,
                   const std::string& sha256, const std::stop_token& stop) {
    if (!std::filesystem::is_directory(destination))
        throw Error{fmt::format("{}: there is no such folder: is it mounted?", destination.string())};
    const std::filesystem::path final_name = destination / part.filename();
    if (std::filesystem::exists(final_name)) {  // ended between its name and its row in the catalogue
        if (digest_on_disk(final_name) == sha256) return sync_folder(destination);
        throw Error{fmt::format("{}: exists already, is something else, and is not overwritten", final_name.string())};
    }
    const std::filesystem::path unfinished = final_name.string() + ".new";
    std::filesystem::remove(unfinished);  // of a copy that was cut off
    const std::uint64_t bytes = std::filesystem::file_size(part);
    if (const std::optional<std::uint64_t> free = free_bytes(destination); free && *free < bytes) {
        throw Error{fmt::format("{}: {:.1f} MB are free, {} takes {:.1f} MB", destination.string(),
                                static_cast<double>(*free) / 1e6, part.filename().string(),
                                static_cast<double>(bytes) / 1e6)};
    }
    try {
        copy_bytes(part, unfinished, stop);
        accept_copy(unfinished, final_name, sha256, stop);
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(unfinished, ignored);  // what does not count takes no room there
        throw;
    }
}

void accept_copy(const std::filesystem::path& file, const std::filesystem::path& final_name, const std::string& sha256,
                 const std::stop_token& stop) {
    look_at(stop);
    if (digest_on_disk(file) != sha256)
        throw Error{
            fmt::format("{}: is not what the part was when it was closed (SHA-256): copied wrongly, or the part "
                        "has changed: `alleycat verify` tells",
                        file.string())};
    rename_new(file, final_name);
    sync_folder(folder_of(final_name));
}

namespace {

/// The verified copy of a part as the catalogue has it.
std::optional<CatalogueCopy> copy_of(const Catalogue& catalogue, const CataloguePart& part,
                                     const std::filesystem::path& destination) {
    for (CatalogueCopy& copy : catalogue.copies(part.file)) {
        if (copy.destination == destination.string() && copy.sha256 == part.sha256) return std::move(copy);
    }
    return std::nullopt;
}

bool has_all_bytes(const std::filesystem::path& copy, const CataloguePart& part) {
    std::error_code error;
    return std::filesystem::file_size(copy, error) == part.bytes && !error;
}

/// What would be lost with the catalogue that is there is not replaced.
void require_replaceable(const Catalogue& ours, const std::filesystem::path& destination) {
    const std::filesystem::path there = Catalogue::file_in(destination);
    if (std::filesystem::exists(destination / "writer.lock"))
        throw Error{
            fmt::format("{}: a writer uses it: the catalogue is not copied there, each station needs a "
                        "destination of its own",
                        destination.string())};
    if (!std::filesystem::exists(there) || !Catalogue::damage_in(destination).empty()) return;
    const std::string missing = ours.missing_of(Catalogue{destination, Catalogue::Open::read_only});
    if (!missing.empty())
        throw Error{
            fmt::format("{}: knows of {}, which the catalogue of the data does not: it is not replaced; is it "
                        "another station's, or was the catalogue of the data made anew? Move it away",
                        there.string(), missing)};
}

}  // namespace

ArchiveState look_at_archive(const std::filesystem::path& folder, const ArchiveConfig& config) {
    if (!std::filesystem::exists(Catalogue::file_in(folder)))
        throw Error{
            fmt::format("{}: there is no such file: nothing was closed yet", Catalogue::file_in(folder).string())};
    const Catalogue catalogue{folder, Catalogue::Open::read_only};
    ArchiveState state;
    for (const CataloguePart& part : catalogue.parts()) {
        ArchivedPart& one = state.parts.emplace_back();
        one.part = part.file;
        one.bytes = part.bytes;
        one.here = std::filesystem::exists(folder / part.file);
        one.hook_done = catalogue.hook(part.file).has_value();
        if (const auto copy = copy_of(catalogue, part, config.destination)) one.verified_utc_ns = copy->utc_ns;
        one.there = !config.destination.empty() && has_all_bytes(config.destination / part.file, part);
        if (one.verified_utc_ns != 0 && !one.there)
            state.problems.push_back(
                fmt::format("{}: was verified there and is not any more", (config.destination / part.file).string()));
        if (one.here || one.there || one.verified_utc_ns != 0) continue;
        const std::vector<CatalogueCopy> copies = catalogue.copies(part.file);
        state.problems.push_back(
            copies.empty() ? fmt::format("{}: is not in the folder, and was never verified elsewhere", part.file)
                           : fmt::format("{}: is not in the folder; its copy is in {}, which is not the "
                                         "destination any more",
                                         part.file, copies.front().destination));
    }
    return state;
}

struct Archive::Impl {
    std::filesystem::path folder;
    ArchiveConfig config;
    FileDescriptor lock{};
    std::string catalogue_there{};  ///< SHA-256 of the catalogue that was copied last

    /// Does `action` for one part; what does not work is a problem of this round.
    template <class Do>
    static void attempt(ArchiveRound& round, const Do& action) {
        try {
            action();
        } catch (const std::exception& e) {
            round.problems.emplace_back(e.what());
        }
    }

    void copy(Catalogue& catalogue, const CataloguePart& part, const std::stop_token& stop, ArchiveRound& round) const {
        if (copy_of(catalogue, part, config.destination)) return;
        if (part.sha256.empty())
            throw Error{fmt::format("{}: the catalogue has no digest to compare a copy with", part.file)};
        copy_verified(folder / part.file, config.destination, part.sha256, stop);
        catalogue.put(CatalogueCopy{part.file, config.destination.string(), part.sha256, now_utc_ns(), "verified"});
        log::store().info("{}: copied to {} and verified", part.file, config.destination.string());
        round.copied.push_back(part.file);
    }

    void run_hook(Catalogue& catalogue, const CataloguePart& part, const std::stop_token& stop,
                  ArchiveRound& round) const {
        if (catalogue.hook(part.file)) return;
        std::vector<std::string> arguments = config.hook;
        arguments.push_back((folder / part.file).string());
        const std::string command = fmt::format("{}", fmt::join(config.hook, " "));
        if (const std::string why = run_program(std::move(arguments), config.hook_timeout, stop); !why.empty())
            throw Error{fmt::format("{}: the hook '{}' {}", part.file, command, why)};
        catalogue.put(CatalogueHook{part.file, command, now_utc_ns()});
        log::store().info("{}: the hook is done", part.file);
        round.hooked.push_back(part.file);
    }

    /// Where the system does not say how much is free, nothing is deleted.
    [[nodiscard]] bool room_is_short() const {
        const std::optional<std::uint64_t> free = free_bytes(folder);
        return free && *free < config.keep_free_mb * 1'000'000;
    }

    /// true: it may be deleted here.
    [[nodiscard]] bool safe_elsewhere(const Catalogue& catalogue, const CataloguePart& part) const {
        if (has_journal(folder / part.file)) return false;  // the writer would make it a second time
        if (!config.hook.empty() && !catalogue.hook(part.file)) return false;
        if (!copy_of(catalogue, part, config.destination)) return false;
        const std::filesystem::path there = config.destination / part.file;
        if (has_all_bytes(there, part)) return true;
        throw Error{fmt::format("{}: was verified there and is not any more: {} is not deleted here", there.string(),
                                part.file)};
    }

    /// Behind the parts it speaks of.
    void copy_catalogue(const Catalogue& catalogue) {
        const std::vector<std::byte> content = catalogue.snapshot();
        Sha256 digest;
        digest.add(content);
        const std::string sha256 = digest.finish();
        if (!std::filesystem::is_directory(config.destination)) return;  // said of the parts
        const std::filesystem::path there = Catalogue::file_in(config.destination);
        const bool is_there = std::filesystem::exists(there);
        if (is_there && catalogue_there.empty()) catalogue_there = sha256_of(there);
        if (is_there && sha256 == catalogue_there) return;
        require_replaceable(catalogue, config.destination);
        replace_file(there, content);
        catalogue_there = digest_on_disk(there);
        if (catalogue_there != sha256)
            throw Error{fmt::format("{}: is not what was written there (SHA-256)", there.string())};
    }

    void make_room(Catalogue& catalogue, const std::vector<CataloguePart>& parts, const std::stop_token& stop,
                   ArchiveRound& round) const {
        for (const CataloguePart& part : parts) {
            if (!room_is_short() || stop.stop_requested()) return;
            attempt(round, [&] {
                if (!safe_elsewhere(catalogue, part)) return;
                // The row first: a part that is gone without a word would be a missing one.
                catalogue.put(
                    CatalogueCopy{part.file, config.destination.string(), part.sha256, now_utc_ns(), "moved"});
                std::filesystem::remove(folder / part.file);
                sync_folder(folder);
                log::store().info("{}: deleted here, its verified copy is in {}", part.file,
                                  config.destination.string());
                round.deleted.push_back(part.file);
            });
        }
        if (room_is_short()) {
            round.problems.push_back(
                fmt::format("{}: {} MB are free, {} should be, and no other part is verified elsewhere",
                            folder.string(), free_bytes(folder).value_or(0) / 1'000'000, config.keep_free_mb));
        }
    }
};

Archive::Archive(std::filesystem::path folder, ArchiveConfig config)
    : impl_{std::make_unique<Impl>(Impl{std::move(folder), std::move(config)})} {
    std::error_code ignored;
    if (!impl_->config.destination.empty() &&
        std::filesystem::equivalent(impl_->folder, impl_->config.destination, ignored))
        throw Error{
            fmt::format("{}: the archive's destination is the folder of the data itself", impl_->folder.string())};
    impl_->lock = open_file(impl_->folder / "archive.lock", O_RDWR | O_CREAT);
    if (::flock(impl_->lock.get(), LOCK_EX | LOCK_NB) != 0)
        throw Error{fmt::format("{}: another archive works on this folder", impl_->folder.string())};
}
Archive::~Archive() = default;

ArchiveRound Archive::work(const std::stop_token& stop) {
    ArchiveRound round;
    Impl& m = *impl_;
    if (!std::filesystem::exists(Catalogue::file_in(m.folder))) return round;  // nothing was closed yet
    Catalogue catalogue{m.folder, Catalogue::Open::write};
    std::vector<CataloguePart> parts = catalogue.parts();
    std::erase_if(parts, [&](const CataloguePart& part) { return !std::filesystem::exists(m.folder / part.file); });
    for (const CataloguePart& part : parts) {
        if (stop.stop_requested() || m.config.destination.empty()) break;
        Impl::attempt(round, [&] { m.copy(catalogue, part, stop, round); });
    }
    for (const CataloguePart& part : parts) {
        if (stop.stop_requested() || m.config.hook.empty()) break;
        Impl::attempt(round, [&] { m.run_hook(catalogue, part, stop, round); });
    }
    if (m.config.keep_free_mb > 0) m.make_room(catalogue, parts, stop, round);
    if (!m.config.destination.empty() && !stop.stop_requested())
        Impl::attempt(round, [&] { m.copy_catalogue(catalogue); });
    return round;
}

}  // namespace alleycat
