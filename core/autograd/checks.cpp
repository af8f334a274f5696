// One reduction for each tensor that is looked through.
#include "core/autograd/checks.h"

#include <cmath>
#include <string>
#include <tuple>

#include <tenon/autograd.h>

#include "core/base/fail.h"
#include "core/ops/kinds.h"
#include "core/ops/program_table.h"
#include "core/tensor/impl.h"

namespace tenon::autograd {
namespace {

const program::Program& program_for(Looking what, DType dtype) {
  static auto& table = *new ops::ProgramTable<std::tuple<Looking, DType>>;
  return table.get({what, dtype}, [&] {
    program::Builder b;
    const auto x = b.input(dtype), nan = x != x;
    b.output(what == Looking::for_nan ? nan : nan | (abs(x) == HUGE_VAL));
    return b.build();
  });
}

bool has_nan(const Tensor& x) {
  if (!x.defined() || !is_floating(x.dtype()) || x.numel() == 0) return false;
  const Tensor flag = allocate({}, bool_, x.device());
  look(Looking::for_nan, x, flag);
  return flag.item<bool>();
}

}  // namespace

void look(Looking what, const Tensor& x, const Tensor& flag) {
  const NoGrad guard;
  ops::Reduction work{.shape = x.shape(),
                      .axes = (1u << x.rank()) - 1,
                      .results = {flag.view(Shape::filled(x.rank(), 1))},
                      .operators = {TENON_REDUCE_ANY},
                      .inputs = {{x.detach()}}};
  work.prologue = program_for(what, x.dtype());
  ops::run("look", work);
}

void check_anomaly(std::string_view op, std::string_view module, std::span<const Tensor> dy,
                   std::span<const Tensor> dx) {
  for (std::size_t i = 0; i < dx.size(); ++i) {
    if (!has_nan(dx[i])) continue;
    for (const Tensor& gradient : dy) {
      if (has_nan(gradient)) return;
    }
    const std::string place = module.empty() ? "" : fmt::format(", recorded in module {}", module);
    fail(ErrorKind::InvalidArgument,
         "[backward] {} made NaN of a gradient without one, for its input {}{}", op, i, place);
  }
}

}  // namespace tenon::autograd
