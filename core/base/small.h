// Short lists that live where their owner does: a call's operands, a node's edges.
#pragma once

#include <cstddef>
#include <span>

#include <boost/container/small_vector.hpp>

namespace tenon {

/// A vector whose first N elements need no memory of their own.
template <class T, std::size_t N>
class Small : public boost::container::small_vector<T, N> {
  using Base = boost::container::small_vector<T, N>;

 public:
  using Base::Base;
  operator std::span<T>() { return {this->data(), this->size()}; }
  operator std::span<const T>() const { return {this->data(), this->size()}; }
};

}  // namespace tenon
