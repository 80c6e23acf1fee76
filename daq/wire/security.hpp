#pragma once
// Who may listen where, and the CURVE keys that protect what leaves the host.

#include <filesystem>
#include <string>
#include <string_view>

namespace alleycat {

/// How a socket is protected. Without keys: loopback and ipc only, unless unencrypted traffic was allowed by name.
///
/// A listening socket has the secret key; who connects has the public key of that socket (and draws a key pair of its
/// own). CURVE encrypts, proves to the client whom it talks to, and keeps out everybody who was not given the public
/// key.
struct Security {
    std::string secret_key;         ///< of the listening side, Z85 (40 characters); "" : not encrypted
    std::string server_public_key;  ///< for the connecting side, Z85; "": not encrypted
    bool allow_unencrypted = false;
};

/// Draws a CURVE key pair. `path` gets both keys (mode 0600, for the daemon), `path`.pub the public one (for those who
/// connect). Neither file may exist yet. Throws Error.
void write_key_pair(const std::filesystem::path& path);

/// The secret key in a file of write_key_pair(). Throws Error: absent, not a key, or readable by others.
[[nodiscard]] std::string load_secret_key(const std::filesystem::path& path);
/// The public key in either file.
[[nodiscard]] std::string load_public_key(const std::filesystem::path& path);

/// Nothing leaves the host: ipc, 127.x.y.z, localhost, [::1], the interface lo.
[[nodiscard]] bool is_local(std::string_view endpoint) noexcept;
/// Where to connect on the listener's own host: "every address" (tcp://*:PORT, tcp://0.0.0.0:PORT) becomes loopback, so
/// that one station file serves the daemon and the programs beside it.
[[nodiscard]] std::string connect_endpoint(std::string_view endpoint);
/// "" when `endpoint` is tcp://HOST:PORT or ipc://PATH, else what is wrong with it.
[[nodiscard]] std::string endpoint_problem(std::string_view endpoint);

}  // namespace alleycat
