#pragma once
// Plain little-endian encoding into and out of byte spans: no allocation, every read checked.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace alleycat {

static_assert(std::endian::native == std::endian::little, "frames and files are little endian, as memory here");

template <class T>
concept Plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

/// Writes one after another into a span. Where space ends, `overflowed()` is true and nothing more is written, but
/// `size()` goes on counting: an empty span measures.
class ByteWriter {
  public:
    explicit ByteWriter(std::span<std::byte> space) noexcept : space_{space} {}

    template <Plain T>
    void put(const T& value) noexcept {
        put_bytes(std::as_bytes(std::span{&value, 1}));
    }
    void put_bytes(std::span<const std::byte> bytes) noexcept {
        if (overflowed_ || bytes.size() > space_.size() - at_) {
            overflowed_ = true;
        } else if (!bytes.empty()) {
            std::memcpy(space_.data() + at_, bytes.data(), bytes.size());
        }
        at_ += bytes.size();
    }
    void put_text(std::string_view text) noexcept {
        put(static_cast<std::uint32_t>(text.size()));
        put_bytes(std::as_bytes(std::span{text}));
    }
    template <Plain T>
    void put_list(std::span<const T> values) noexcept {
        put(static_cast<std::uint32_t>(values.size()));
        put_bytes(std::as_bytes(values));
    }
    /// Zeros up to the next multiple of `alignment`.
    void align(std::size_t alignment) noexcept {
        while (at_ % alignment != 0) put(std::byte{0});
    }
    /// Bytes put so far, whether there was space or not.
    [[nodiscard]] std::size_t size() const noexcept { return at_; }
    [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }

  private:
    std::span<std::byte> space_;
    std::size_t at_ = 0;
    bool overflowed_ = false;
};

/// Reads one after another. After a read past the end, or a length that cannot be, `failed()` is true and every further
/// read gives zeros: check once at the end.
class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}

    template <Plain T>
    [[nodiscard]] T get() noexcept {
        T value{};
        const std::span<const std::byte> from = get_bytes(sizeof(T));
        if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
        return value;
    }
    /// Refuses a byte that is neither 0 nor 1.
    [[nodiscard]] bool get_bool() noexcept {
        const auto value = get<std::uint8_t>();
        if (value > 1) failed_ = true;
        return value == 1;
    }
    /// An enum whose values run from 0 to `last`; others are refused.
    template <class E>
    [[nodiscard]] E get_enum(E last) noexcept {
        const auto value = get<std::underlying_type_t<E>>();
        if (value > static_cast<std::underlying_type_t<E>>(last)) {
            failed_ = true;
            return E{};
        }
        return static_cast<E>(value);
    }
    [[nodiscard]] std::span<const std::byte> get_bytes(std::size_t n) noexcept {
        if (failed_ || n > bytes_.size() - at_) {
            failed_ = true;
            return {};
        }
        const std::span<const std::byte> from = bytes_.subspan(at_, n);
        at_ += n;
        return from;
    }
    [[nodiscard]] std::string get_text() {
        const std::span<const std::byte> from = get_bytes(get<std::uint32_t>());
        return {reinterpret_cast<const char*>(from.data()), from.size()};
    }
    template <Plain T>
    [[nodiscard]] std::vector<T> get_list() {
        const std::size_t n = get<std::uint32_t>();
        const std::span<const std::byte> from = get_bytes(failed_ ? 0 : n * sizeof(T));
        std::vector<T> values(from.size() / sizeof(T));
        if (!values.empty()) std::memcpy(values.data(), from.data(), from.size());
        return values;
    }
    /// A number of things that follow, each at least `at_least` bytes: refused when so many cannot be there, or when
    /// there are more than `at_most`.
    [[nodiscard]] std::size_t get_count(std::size_t at_least = 1,
                                        std::size_t at_most = std::numeric_limits<std::size_t>::max()) noexcept {
        const std::size_t n = get<std::uint32_t>();
        if (n > at_most || n * at_least > bytes_.size() - at_) failed_ = true;
        return failed_ ? 0 : n;
    }
    void align(std::size_t alignment) noexcept {
        const std::size_t over = at_ % alignment;
        if (over != 0) (void)get_bytes(alignment - over);
    }
    [[nodiscard]] std::size_t position() const noexcept { return at_; }
    [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    void fail() noexcept { failed_ = true; }

  private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

}  // namespace alleycat
