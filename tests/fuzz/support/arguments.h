// The arguments of one call, made of a fuzzer's bytes by their types.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "tests/fuzz/support/bytes.h"

namespace tenon::fuzz {

/// What a tensor is for, where just any one would mostly be refused: indices, truth, nothing at all.
struct Places : Tensor {};
struct Mask : Tensor {};
struct Maybe : Tensor {};
struct Vector : Tensor {};
struct Number : Tensor {};
/// What is a Dims in the API, but means extents.
struct Extents : Shape {};
struct Equation : std::string {};

class Arguments {
 public:
  /// New tensors live on `device`. Of `pool` some arguments are taken, if it has any.
  Arguments(Bytes& in, Device device, Device other, const std::vector<Tensor>& pool);

  /// From here on tensors are new, small cubes of one extent and rank, and most other arguments what
  /// fits them; or whatever comes.
  void agree(bool agree);

  /// One of the tensors to come, counted from 0, is undefined, or lies on the other device.
  void spoil(int which, bool undefined) { spoiled_ = which, undefined_ = undefined; }
  /// How many tensors that an op needs were made.
  int tensors() const { return tensors_; }
  /// Whether an index out of range may be told late.
  bool has_places() const { return has_places_; }
  const std::vector<Tensor>& fresh() const { return fresh_; }

  template <class T>
  T make();

  DType any_dtype();
  Bytes& in() { return in_; }
  Device device() const { return device_; }
  Device other() const { return other_; }

 private:
  template <class T>
  struct Made {
    static T by(Arguments& a) { return a.make_plain<T>(); }
  };
  template <class T>
  struct Made<std::optional<T>> {
    static std::optional<T> by(Arguments& a) {
      if (a.in_.flag()) return std::nullopt;
      return a.make<T>();
    }
  };
  template <class T>
  struct Made<std::vector<T>> {
    static std::vector<T> by(Arguments& a) {
      std::vector<T> values;
      for (int left = a.in_.between(0, 3); left > 0; --left) values.push_back(a.make<T>());
      return values;
    }
  };
  template <class T>
  T make_plain();

  Tensor filled(const Shape& shape, DType dtype);
  /// Counted, and spoiled where it is its turn.
  Tensor counted(Tensor x);
  std::int64_t wild(std::int64_t first, std::int64_t last);
  Shape cube(int rank) const { return Shape::filled(rank, extent_); }

  Bytes& in_;
  Device device_, other_;
  const std::vector<Tensor>& pool_;
  std::vector<Tensor> fresh_;
  bool agree_ = false, records_ = false, undefined_ = false, has_places_ = false;
  int rank_ = 0, tensors_ = 0, spoiled_ = -1;
  std::int64_t extent_ = 0;
  DType dtype_ = f32;
};

template <class T>
T Arguments::make() {
  return Made<T>::by(*this);
}

}  // namespace tenon::fuzz
