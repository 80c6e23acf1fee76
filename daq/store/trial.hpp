#pragma once
// HDF5 1.10 dies of some damaged files, and never ends with others. Whoever opens a file of unknown history asks here
// first (internal to daq/store).

#include <filesystem>
#include <functional>
#include <string>

namespace alleycat::h5 {

/// Walks through the whole file in a process of its own: groups, attributes, trees of chunks; not the samples. What
/// does not stand as its digest says may still kill HDF5 later, so `rehearsal`, which does to it what the caller will,
/// is then done in another such process. Returns "" when they came to their ends, whatever they found, else a sentence
/// without the file's name.
[[nodiscard]] std::string trial(const std::filesystem::path& path, const std::function<void()>& rehearsal = {});

}  // namespace alleycat::h5

namespace alleycat {

/// Throws Error "FILE: ..." when h5::trial() has something to say. What is no regular file is left to who opens it.
void require_openable(const std::filesystem::path& path, const std::function<void()>& rehearsal);

}  // namespace alleycat
