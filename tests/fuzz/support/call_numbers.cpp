#include "tests/fuzz/support/call_table.h"

namespace tenon::fuzz {
namespace {

using OverDims = Tensor(const Tensor&, const Dims&, bool);
using AlongDim = ValuesAndIndices(const Tensor&, int, bool);
using OfAll = Tensor(const Tensor&);
using ByPlaces = Tensor(const Tensor&, const Tensor&, int);
using BySpacing = Tensor(const Tensor&, double, int);
using OfTensor = Tensor(const Tensor&, const Tensor&, const QuantileOptions&);
using OfNumber = Tensor(const Tensor&, double, const QuantileOptions&);

void add_reductions(Table& table) {
  table.insert(table.end(),
               {line("sum", sum),
                line("prod", prod),
                line("mean", mean),
                line("nansum", nansum),
                line("nanmean", nanmean),
                line("count_nonzero", count_nonzero),
                line("sum_to", [](const Tensor& x, const Extents& shape) { return sum_to(x, shape); }),
                line("amax", amax),
                line("amin", amin),
                line("aminmax", aminmax),
                overload<OfAll>("max", max),
                overload<OfAll>("min", min),
                overload<AlongDim>("max", max),
                overload<AlongDim>("min", min),
                line("argmax", argmax),
                line("argmin", argmin),
                overload<OverDims>("any", any),
                overload<OverDims>("all", all),
                line("var", var),
                line("std", tenon::std),
                line("var_mean", var_mean),
                line("std_mean", std_mean),
                line("logsumexp", logsumexp),
                line("norm", norm),
                line("cov", cov),
                line("corrcoef", corrcoef),
                line("sum_out", sum_out),
                line("prod_out", prod_out),
                line("mean_out", mean_out),
                line("amax_out", amax_out),
                line("amin_out", amin_out),
                line("argmax_out", argmax_out),
                line("argmin_out", argmin_out),
                line("any_out", any_out),
                line("all_out", all_out)});
}

void add_products(Table& table) {
  table.insert(
      table.end(),
      {line("matmul", matmul),
       line("mm", mm),
       line("bmm", bmm),
       line("mv", [](const Tensor& x, const Vector& y) { return mv(x, y); }),
       line("dot", dot),
       line("linear", [](const Tensor& x, const Tensor& weight,
                         const Maybe& bias) { return linear(x, weight, bias); }),
       line("addmm", addmm),
       line("baddbmm", baddbmm),
       line("outer", outer),
       line("vecdot", vecdot),
       line("cross", cross),
       overload<Tensor(const Tensor&, const Tensor&, const Dims&, const Dims&)>("tensordot", tensordot),
       overload<Tensor(const Tensor&, const Tensor&, int)>("tensordot", tensordot),
       line("kron", kron),
       line("trace", trace),
       line("matrix_transpose", matrix_transpose),
       line("einsum", [](const Equation& equation,
                         const std::vector<Tensor>& operands) { return einsum(equation, operands); }),
       line("addbmm", [](const Vector& c, const Tensor& x, const Tensor& y,
                         const AddmmOptions& options) { return addbmm(c, x, y, options); }),
       line("matrix_power", matrix_power),
       line("matmul_out", matmul_out),
       line("mm_out", mm_out),
       line("bmm_out", bmm_out),
       line("mv_out", [](Vector& out, const Tensor& x, const Vector& y) { return mv_out(out, x, y); }),
       line("addmm_out", addmm_out),
       line("baddbmm_out", baddbmm_out),
       line("addmm_", addmm_),
       line("baddbmm_", baddbmm_),
       line("addbmm_", [](Tensor& c, const Tensor& x, const Tensor& y, const AddmmOptions& options) {
         Tensor matrix = first_of(c);
         return addbmm_(matrix, x, y, options);
       })});
}

void add_scans(Table& table) {
  table.insert(
      table.end(),
      {line("cumsum", cumsum), line("cumprod", cumprod), line("cumulative_sum", cumulative_sum),
       line("cumulative_prod", cumulative_prod), line("cummax", cummax), line("cummin", cummin),
       line("logcumsumexp", logcumsumexp), line("diff", diff),
       overload<BySpacing>("trapezoid", trapezoid), overload<ByPlaces>("trapezoid", trapezoid),
       line("cumsum_out", cumsum_out), line("cumprod_out", cumprod_out), line("cumsum_", cumsum_),
       line("cumprod_", cumprod_), overload<BySpacing>("cumulative_trapezoid", cumulative_trapezoid),
       overload<ByPlaces>("cumulative_trapezoid", cumulative_trapezoid)});
}

void add_order(Table& table) {
  table.insert(table.end(),
               {line("sort", sort),
                line("argsort", argsort),
                line("topk", topk),
                line("kthvalue", kthvalue),
                overload<AlongDim>("median", median),
                overload<OfAll>("median", median),
                overload<AlongDim>("nanmedian", nanmedian),
                overload<OfAll>("nanmedian", nanmedian),
                overload<OfTensor>("quantile", quantile),
                overload<OfNumber>("quantile", quantile),
                overload<OfTensor>("nanquantile", nanquantile),
                overload<OfNumber>("nanquantile", nanquantile),
                line("mode", mode),
                line("searchsorted", [](const Tensor& sorted, const Tensor& values,
                                        bool right) { return searchsorted(sorted, values, right); }),
                line("searchsorted",
                     [](const Tensor& elements, const Tensor& values, bool right) {
                       return searchsorted(elements, values, right,
                                           elements.defined() ? argsort(elements) : elements);
                     }),
                line("bucketize", bucketize),
                line("isin", isin),
                line("bincount", [](const Places& x, const Maybe& weights,
                                    std::int64_t least) { return bincount(x, weights, least); }),
                overload<Histogram(const Tensor&, std::int64_t, const HistogramOptions&)>("histogram",
                                                                                          histogram),
                overload<Histogram(const Tensor&, const Tensor&, const HistogramOptions&)>("histogram",
                                                                                           histogram),
                line("histc", histc),
                line("unique", unique),
                line("unique_consecutive", unique_consecutive),
                line("unique", unique_all),
                line("unique", unique_counts),
                line("unique", unique_inverse),
                line("unique", unique_values)});
}

}  // namespace

void add_numbers(Table& table) {
  add_reductions(table);
  add_products(table);
  add_scans(table);
  add_order(table);
}

}  // namespace tenon::fuzz
