// The public API as a table of calls: a line for each function and overload.
#pragma once

#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "tests/fuzz/support/arguments.h"

namespace tenon::fuzz {

using Results = std::vector<Tensor>;

struct Line {
  std::string name;  ///< what its errors begin with
  std::function<Results(Arguments&)> call;
};

inline Results results(const Tensor& x) {
  return {x};
}
inline Results results(const Results& tensors) {
  return tensors;
}
inline Results results(const ValuesAndIndices& x) {
  return {x.values, x.indices};
}
inline Results results(const MinMax& x) {
  return {x.min, x.max};
}
inline Results results(const VarMean& x) {
  return {x.var, x.mean};
}
inline Results results(const StdMean& x) {
  return {x.std, x.mean};
}
inline Results results(const Histogram& x) {
  return {x.hist, x.bin_edges};
}
inline Results results(const Unique& x) {
  return {x.values, x.indices, x.inverse, x.counts};
}

/// A call of `op` with arguments of its own types, made from left to right.
template <class R, class... A>
Line line(std::string name, R (*op)(A...)) {
  return {std::move(name), [op](Arguments& a) {
            std::tuple<std::remove_cvref_t<A>...> arguments{a.make<std::remove_cvref_t<A>>()...};
            return results(std::apply(op, arguments));
          }};
}
template <class R, class... A>
Line line(std::string name, R (Tensor::*op)(A...) const) {
  return {std::move(name), [op](Arguments& a) {
            std::tuple<Tensor, std::remove_cvref_t<A>...> arguments{
                a.make<Tensor>(), a.make<std::remove_cvref_t<A>>()...};
            return results(std::apply(op, arguments));
          }};
}
/// The same of a lambda without captures: what there is to say of an argument, its types say.
template <class F>
  requires std::is_class_v<F>
Line line(std::string name, F op) {
  return line(std::move(name), +op);
}

/// A name of several functions, told apart by the type.
template <class F>
Line overload(std::string name, std::type_identity_t<F>* op) {
  return line(std::move(name), op);
}

/// The first of x's slices, for what has one dimension less than others; x where there is none.
inline Tensor first_of(const Tensor& x) {
  return x.defined() && x.rank() > 0 && x.size(0) > 0 ? x.select(0, 0) : x;
}

using Table = std::vector<Line>;
void add_elementwise(Table& table);
void add_numbers(Table& table);   ///< reductions, products, scans, order
void add_places(Table& table);    ///< indexing, arranging
void add_networks(Table& table);  ///< composites, creation, random numbers
void add_tensor(Table& table);    ///< views, copies, in place, gradients

/// All of them.
const Table& call_table();

}  // namespace tenon::fuzz
