#pragma once

#include <stdexcept>

namespace alleycat {

/// Something failed at start, in a file or on a socket. The message is one sentence that names the thing:
/// "board pci5153: no trigger within 5 s". Programs print it and end with exit status 1.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The command line or the configuration is wrong. Programs print it and end with exit status 2.
class UsageError : public Error {
  public:
    using Error::Error;
};

}  // namespace alleycat
