#include "daq/run/state_file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "daq/core/error.hpp"
#include "daq/core/log.hpp"
#include "daq/store/files.hpp"

namespace alleycat {

std::vector<std::byte> read_state_file(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in) throw Error{fmt::format("{}: cannot be read", path.string())};
    const std::vector<char> text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    const std::span<const std::byte> bytes = std::as_bytes(std::span{text});
    return {bytes.begin(), bytes.end()};
}

StateKeeper::StateKeeper(std::filesystem::path path, std::string thread_name)
    : path_{std::move(path)}, thread_{std::move(thread_name), [this](const std::stop_token& stop) { run(stop); }} {}

void StateKeeper::put(std::vector<std::byte> content) {
    newest_.put(std::make_shared<const std::vector<std::byte>>(std::move(content)));
    bell_.ring();
}

void StateKeeper::run(const std::stop_token& stop) {
    std::shared_ptr<const std::vector<std::byte>> tried;
    std::string warned;
    for (bool last = false; !last;) {
        const std::uint32_t seen = bell_.value();
        last = stop.stop_requested();
        if (const auto newest = newest_.get(); newest != tried) {
            tried = newest;
            try {
                replace_file(path_, *newest);
                warned.clear();
            } catch (const std::exception& e) {
                if (warned != e.what()) log::run().warn("{}", e.what());
                warned = e.what();
            }
        }
        if (!last) bell_.wait(seen, stop);
    }
}

}  // namespace alleycat
