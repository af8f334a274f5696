// Products by other names: of checked ranks, along one dimension, over several, in blocks.
#include <algorithm>

#include <tenon/ops.h>

#include "core/autograd/record.h"
#include "core/base/fail.h"
#include "core/ops/destination.h"
#include "core/ops/formula.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

void check_operands(std::string_view op, const Tensor& x, const Tensor& y) {
  const Tensor operands[] = {x, y};
  ops::common_device(op, operands);
}

Tensor ranked_product(std::string_view op, const Tensor& x, int x_rank, const Tensor& y, int y_rank) {
  check_operands(op, x, y);
  require(x.rank() == x_rank && y.rank() == y_rank, "[{}] takes a {}-D and a {}-D operand, not {} x {}",
          op, x_rank, y_rank, x.shape(), y.shape());
  const std::int64_t inner = y.size(y_rank == 1 ? 0 : -2);
  require(x.size(-1) == inner, "[{}] inner dimensions differ: {} x {}", op, x.shape(), y.shape());
  return matmul(x, y);
}

/// a and b of one shape with extent 3 along d; y_i = a_j b_k - a_k b_j.
Tensor cross_product(const Tensor& a, const Tensor& b, int d) {
  const DType dtype = a.dtype(), acc = ops::accumulator(dtype);
  program::Builder builder;
  const auto in = [&] { return cast(builder.input(dtype), acc); };
  const auto aj = in(), bk = in(), ak = in(), bj = in();
  builder.output(cast(aj * bk - ak * bj, dtype));
  const program::Program program = builder.build();

  const Tensor y = allocate(a.shape(), dtype, a.device());
  std::vector<ops::Operands> components;
  for (int i = 0; i < 3; ++i) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    components.push_back({{y.select(d, i)},
                          {{a.detach().select(d, j)},
                           {b.detach().select(d, k)},
                           {a.detach().select(d, k)},
                           {b.detach().select(d, j)}}});
  }
  ops::run("cross", program, components);
  const Tensor inputs[] = {a, b};
  if (autograd::needs_record(inputs)) {
    // da = b x dy, db = dy x a
    autograd::record("cross", inputs, {&y, 1},
                     [d, a = autograd::Saved(a), b = autograd::Saved(b)](std::span<const Tensor> dy) {
                       return std::vector<Tensor>{cross_product(b.get("cross"), dy[0], d),
                                                  cross_product(dy[0], a.get("cross"), d)};
                     });
  }
  return y;
}

/// Dimensions counted from the front, each once.
Dims checked_dims(const Tensor& x, const Dims& dims) {
  Dims checked;
  for (const std::int64_t dim : dims) {
    const int d = checked_dim("tensordot", dim, x.rank());
    require(std::find(checked.begin(), checked.end(), d) == checked.end(),
            "[tensordot] dimension {} is named twice in {}", d, dims);
    checked.push_back(d);
  }
  return checked;
}

Dims all_but(const Dims& dims, int rank) {
  Dims rest;
  for (int d = 0; d < rank; ++d) {
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) rest.push_back(d);
  }
  return rest;
}

std::int64_t count_along(const Tensor& x, const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t d : dims) count *= x.shape()[static_cast<int>(d)];
  return count;
}

Dims joined(Dims a, const Dims& b) {
  for (const std::int64_t d : b) a.push_back(d);
  return a;
}

Shape extents(const Tensor& x, const Dims& dims) {
  Shape shape;
  for (const std::int64_t d : dims) shape.push_back(x.shape()[static_cast<int>(d)]);
  return shape;
}

}  // namespace

Tensor mm(const Tensor& x, const Tensor& y) {
  return ranked_product("mm", x, 2, y, 2);
}
Tensor& mm_out(Tensor& out, const Tensor& x, const Tensor& y) {
  return ops::write_out("mm", out, {x, y}, [&] { return mm(x, y); });
}
Tensor mv(const Tensor& x, const Tensor& y) {
  return ranked_product("mv", x, 2, y, 1);
}
Tensor& mv_out(Tensor& out, const Tensor& x, const Tensor& y) {
  return ops::write_out("mv", out, {x, y}, [&] { return mv(x, y); });
}
Tensor dot(const Tensor& x, const Tensor& y) {
  return ranked_product("dot", x, 1, y, 1);
}
Tensor bmm(const Tensor& x, const Tensor& y) {
  check_operands("bmm", x, y);
  require(x.rank() != 3 || y.rank() != 3 || x.size(0) == y.size(0), "[bmm] batches differ: {} x {}",
          x.shape(), y.shape());
  return ranked_product("bmm", x, 3, y, 3);
}
Tensor& bmm_out(Tensor& out, const Tensor& x, const Tensor& y) {
  return ops::write_out("bmm", out, {x, y}, [&] { return bmm(x, y); });
}

Tensor outer(const Tensor& x, const Tensor& y) {
  check_operands("outer", x, y);
  require(x.rank() == 1 && y.rank() == 1, "[outer] takes two 1-D operands, not {} and {}", x.shape(),
          y.shape());
  return x.unsqueeze(1) * y.unsqueeze(0);
}

Tensor vecdot(const Tensor& x, const Tensor& y, int dim) {
  const DType dtype = promote(impl_of(x, "vecdot").dtype, impl_of(y, "vecdot").dtype);
  require(dtype != bool_, "[vecdot] bool holds no sums; convert one");
  const Shape shape = broadcast("vecdot", x.shape(), y.shape());
  const int d = checked_dim("vecdot", dim, shape.size());
  ops::Formula f(dtype);
  const auto a = f(x), b = f(y);
  f.output(a * b);
  return f.sum("vecdot", ops::fold_over(shape, 1u << d, false), dtype);
}

Tensor cross(const Tensor& x, const Tensor& y, int dim) {
  const DType dtype = promote(impl_of(x, "cross").dtype, impl_of(y, "cross").dtype);
  require(dtype != bool_, "[cross] takes numbers, not bool");
  const Tensor operands[] = {x, y};
  ops::common_device("cross", operands);
  const Shape shape = broadcast("cross", x.shape(), y.shape());
  const int d = checked_dim("cross", dim, shape.size());
  require(shape[d] == 3, "[cross] dimension {} of {} has not extent 3", d, shape);
  return cross_product(x.to(dtype).expand(shape), y.to(dtype).expand(shape), d);
}

Tensor tensordot(const Tensor& x, const Tensor& y, const Dims& x_dims, const Dims& y_dims) {
  check_operands("tensordot", x, y);
  const Dims inner = checked_dims(x, x_dims), to = checked_dims(y, y_dims);
  require(extents(x, inner) == extents(y, to), "[tensordot] {} over {} and {} over {} do not fit",
          x.shape(), x_dims, y.shape(), y_dims);
  const Dims left = all_but(inner, x.rank()), right = all_but(to, y.rank());
  const std::int64_t K = count_along(x, inner);
  const Tensor a = x.permute(joined(left, inner)).reshape({count_along(x, left), K});
  const Tensor b = y.permute(joined(to, right)).reshape({K, count_along(y, right)});
  return matmul(a, b).view(joined(extents(x, left), extents(y, right)));
}

Tensor tensordot(const Tensor& x, const Tensor& y, int dims) {
  const int most = std::min(impl_of(x, "tensordot").shape.size(), impl_of(y, "tensordot").shape.size());
  require(dims >= 0 && dims <= most, "[tensordot] {} dimensions are not among those of {} and {}", dims,
          x.shape(), y.shape());
  Dims last, first;
  for (int d = 0; d < dims; ++d) {
    last.push_back(x.rank() - dims + d);
    first.push_back(d);
  }
  return tensordot(x, y, last, first);
}

Tensor kron(const Tensor& x, const Tensor& y) {
  check_operands("kron", x, y);
  const int rank = std::max(x.rank(), y.rank());
  require(2 * rank <= kMaxRank, "[kron] {} and {} have more than {} dimensions", x.shape(), y.shape(),
          kMaxRank / 2);
  Shape a, b, shape;
  for (int d = 0; d < rank; ++d) {
    const int i = d - rank + x.rank(), j = d - rank + y.rank();
    const std::int64_t m = i < 0 ? 1 : x.shape()[i], n = j < 0 ? 1 : y.shape()[j];
    a = joined(a, {m, 1});
    b = joined(b, {1, n});
    shape.push_back(m * n);
  }
  return (x.reshape(a) * y.reshape(b)).view(shape);
}

Tensor trace(const Tensor& x, std::int64_t offset, std::optional<DType> dtype) {
  impl_of(x, "trace");
  require(x.rank() >= 2, "[trace] {} is no matrix", x.shape());
  return sum(x.diagonal(offset, -2, -1), {-1}, false, dtype);
}

Tensor matrix_power(const Tensor& x, std::int64_t n) {
  impl_of(x, "matrix_power");
  require(x.rank() >= 2 && x.size(-1) == x.size(-2), "[matrix_power] {} is no square matrix",
          x.shape());
  if (n < 0) {
    fail(ErrorKind::Unsupported, "[matrix_power] the power {} asks for an inverse, which is not there",
         n);
  }
  if (n == 0) {
    return eye(x.size(-1), {.dtype = x.dtype(), .device = x.device()}).expand(x.shape()).clone();
  }
  Tensor power, square = x;
  for (std::int64_t left = n;; square = matmul(square, square)) {
    if (left % 2 == 1) power = power.defined() ? matmul(power, square) : square;
    if ((left /= 2) == 0) break;
  }
  return n == 1 ? x.clone() : power;
}

Tensor matrix_transpose(const Tensor& x) {
  impl_of(x, "matrix_transpose");
  require(x.rank() >= 2, "[matrix_transpose] {} is no matrix", x.shape());
  return x.transpose(-2, -1);
}

}  // namespace tenon
