#include "daq/wire/security.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "daq/core/config.hpp"
#include "daq/core/error.hpp"

namespace alleycat {
namespace {

constexpr std::size_t kZ85Characters = 40;

/// Makes a new file with exactly this mode, whatever the umask, on disk before it returns.
void write_new_file(const std::filesystem::path& path, mode_t mode, std::string_view text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) throw Error{fmt::format("cannot make {}: {}", path.string(), std::strerror(errno))};
    const bool written = ::fchmod(file, mode) == 0 &&
                         ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                         ::fsync(file) == 0;
    const int why = errno;
    if (::close(file) != 0 || !written) {
        ::unlink(path.c_str());
        throw Error{fmt::format("cannot write {}: {}", path.string(), std::strerror(why))};
    }
}

std::string load_key(const std::filesystem::path& path, std::string_view key) {
    const ConfigFile file = ConfigFile::load(path);
    ConfigProblems problems;
    ConfigSection section{file, problems};
    std::string text = section.text(key, "");
    std::array<std::uint8_t, 32> raw{};
    if (text.size() != kZ85Characters || zmq_z85_decode(raw.data(), text.c_str()) == nullptr) {
        throw Error{fmt::format("{}: {} is not a CURVE key of {} characters", path.string(), key, kZ85Characters)};
    }
    return text;
}

}  // namespace

void write_key_pair(const std::filesystem::path& path) {
    std::array<char, kZ85Characters + 1> public_key{};
    std::array<char, kZ85Characters + 1> secret_key{};
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
        throw Error{fmt::format("cannot draw a CURVE key pair: {}", zmq_strerror(zmq_errno()))};
    }
    const std::filesystem::path public_path = path.string() + ".pub";
    if (std::filesystem::exists(public_path)) throw Error{fmt::format("{} exists already", public_path.string())};
    // Z85 has no quote and no backslash: the keys stand in TOML's literal quotes as they are.
    write_new_file(path, 0600,
                   fmt::format("# Alleycat CURVE key pair. Whoever has this file can pose as the daemon.\n"
                               "public_key = '{}'\nsecret_key = '{}'\n",
                               public_key.data(), secret_key.data()));
    write_new_file(
        public_path, 0644,
        fmt::format("# Alleycat CURVE public key: for those who may connect.\npublic_key = '{}'\n", public_key.data()));
}

std::string load_secret_key(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw Error{fmt::format("{}: {}", path.string(), std::strerror(errno))};
    if ((info.st_mode & 077) != 0) {
        throw Error{fmt::format("{}: others may read this secret key, chmod 600 it", path.string())};
    }
    return load_key(path, "secret_key");
}

std::string load_public_key(const std::filesystem::path& path) { return load_key(path, "public_key"); }

bool is_local(std::string_view endpoint) noexcept {
    if (endpoint.starts_with("ipc://")) return true;
    for (const std::string_view prefix : {"tcp://127.", "tcp://localhost:", "tcp://[::1]:", "tcp://lo:"}) {
        if (!endpoint.starts_with(prefix)) continue;
        if (prefix != "tcp://127.") return true;
        // 127.evil.example is a name, not the loopback network
        const std::string_view host = endpoint.substr(6, endpoint.rfind(':') - 6);
        return host.find_first_not_of("0123456789.") == std::string_view::npos;
    }
    return false;
}

std::string connect_endpoint(std::string_view endpoint) {
    for (const std::string_view every : {"tcp://*:", "tcp://0.0.0.0:"}) {
        if (endpoint.starts_with(every)) return fmt::format("tcp://127.0.0.1:{}", endpoint.substr(every.size()));
    }
    return std::string{endpoint};
}

std::string endpoint_problem(std::string_view endpoint) {
    if (endpoint.starts_with("ipc://")) return endpoint.size() > 6 ? "" : "ipc:// needs a path";
    if (!endpoint.starts_with("tcp://")) {
        return fmt::format("'{}' is not an endpoint: tcp://HOST:PORT or ipc://PATH", endpoint);
    }
    const std::size_t colon = endpoint.rfind(':');
    const std::string_view host = colon > 6 ? endpoint.substr(6, colon - 6) : std::string_view{};
    const std::string_view port = colon > 6 ? endpoint.substr(colon + 1) : std::string_view{};
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool good_port =
        port == "*" || (error == std::errc{} && end == port.data() + port.size() && number >= 1 && number <= 65535);
    if (host.empty() || !good_port) {
        return fmt::format("'{}' is not an endpoint: tcp://HOST:PORT with a port from 1 to 65535", endpoint);
    }
    return "";
}

}  // namespace alleycat
