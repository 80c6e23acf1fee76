#pragma once
// One number for all that stands in a file, so that a lone file proves itself (internal to daq/store;
// FORMAT.md#digest).

#include <string>

#include "daq/store/hdf5.hpp"

namespace alleycat::h5 {

/// SHA-256 over every name, type, shape and attribute, over what stands outside chunks (/config, /run_description), and
/// over place, filters, length and checksum of every chunk; in an order that does not depend on the file. Samples are
/// not read: whoever wants to know reads every chunk against its own checksum besides. What was written must have been
/// flushed. Throws Error when a chunk was never written, or the file cannot be walked through.
[[nodiscard]] std::string content_digest(hid_t file);

/// Looks at all that it covers, and passes over what cannot be read: a file that HDF5 dies of does so here. Throws
/// Error when not even the first group can be listed.
void try_everything(hid_t file);

/// Writes it as /summary's attribute content_sha256, which it does not cover; nothing may be written after this.
void put_content_digest(hid_t file);
[[nodiscard]] std::optional<std::string> get_content_digest(hid_t file);

}  // namespace alleycat::h5
