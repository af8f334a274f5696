// What is worked out once for each key and kept for good: nothing is ever taken out, so that a look
// needs no lock and writes nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#ifndef BOOST_NO_CXX98_FUNCTION_BASE
#define BOOST_NO_CXX98_FUNCTION_BASE  // Boost 1.74 does not see that C++20 has no std::unary_function
#endif
#include <boost/container_hash/hash.hpp>

namespace tenon {

/// From any threads. Values stay where they are; the table is made to be leaked.
template <class Key, class Value, std::size_t Buckets = 64>
class PermanentTable {
 public:
  /// The value for `key`, which `make` gives at first; two threads may make it, one of them in vain.
  template <class Make>
  const Value& get(const Key& key, Make&& make) {
    std::atomic<Node*>& bucket = buckets_[boost::hash<Key>()(key) % Buckets];
    if (const Node* node = find(bucket, key)) return node->value;
    auto made = std::make_unique<Node>(key, make());
    const std::lock_guard lock(adding_);
    if (const Node* node = find(bucket, key)) return node->value;
    made->next = bucket.load(std::memory_order_relaxed);
    bucket.store(made.get(), std::memory_order_release);
    return made.release()->value;
  }

 private:
  struct Node {
    Node(const Key& k, Value&& v) : key(k), value(std::move(v)) {}
    const Key key;
    const Value value;
    const Node* next = nullptr;
  };
  static const Node* find(const std::atomic<Node*>& bucket, const Key& key) {
    const Node* node = bucket.load(std::memory_order_acquire);
    while (node != nullptr && !(node->key == key)) node = node->next;
    return node;
  }

  std::array<std::atomic<Node*>, Buckets> buckets_{};
  std::mutex adding_;
};

}  // namespace tenon
