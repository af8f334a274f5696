// A fuzzer's input, taken apart from its beginning on; where it ends, zeros follow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>

namespace tenon::fuzz {

class Bytes {
 public:
  Bytes(const std::uint8_t* bytes, std::size_t size) : left_(bytes, size) {}

  bool empty() const { return left_.empty(); }

  template <class T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof value, left_.size());
    if (size > 0) std::memcpy(&value, left_.data(), size);
    left_ = left_.subspan(size);
    return value;
  }
  std::uint8_t byte() { return take<std::uint8_t>(); }
  bool flag() { return (byte() & 1) != 0; }
  /// True for one byte in n.
  bool rarely(int n = 16) { return byte() % n == n - 1; }
  /// first .. last.
  template <class T>
  T between(T first, T last) {
    return static_cast<T>(first + byte() % (last - first + 1));
  }
  std::size_t below(std::size_t n) { return byte() % n; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  /// All that is left.
  std::string_view rest() {
    const std::span<const std::uint8_t> all = left_;
    left_ = {};
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace tenon::fuzz
