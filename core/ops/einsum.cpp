// Einstein's sums: the equation is read into a label for each dimension; then diagonals, and products
// of two terms from left to right, each one batched matmul (or, where nothing is summed, one product).
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

#include <tenon/ops.h>

#include "core/base/fail.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon {
namespace {

/// A-Z, a-z, then the dimensions of the ellipsis, then the ellipsis itself while it is not spelt out.
using Labels = std::vector<int>;
constexpr int kLetters = 52, kEllipsis = kLetters + kMaxRank;
using Extents = std::array<std::int64_t, kEllipsis>;

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

std::string text_of(int label) {
  if (label >= kLetters) return "...";
  return {static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26)};
}

/// The labels of one term of the equation, which has no blanks.
Labels parse_term(std::string_view term) {
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c == '.') {
      require(term.substr(i, 3) == "..." && !has(labels, kEllipsis),
              "[einsum] {} has a dot that is no part of its one ellipsis", term);
      labels.push_back(kEllipsis);
      i += 2;
      continue;
    }
    const bool upper = c >= 'A' && c <= 'Z';
    require(upper || (c >= 'a' && c <= 'z'), "[einsum] '{}' in {} is no letter", c, term);
    labels.push_back(upper ? c - 'A' : c - 'a' + 26);
  }
  return labels;
}

struct Equation {
  std::vector<Labels> inputs;
  std::optional<Labels> output;
};

Equation parse(std::string_view equation) {
  std::string text;
  for (const char c : equation) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) text += c;
  }
  Equation parsed;
  std::string_view left = text;
  if (const auto arrow = left.find("->"); arrow != std::string_view::npos) {
    parsed.output = parse_term(left.substr(arrow + 2));
    left = left.substr(0, arrow);
  }
  for (;;) {
    const auto comma = left.find(',');
    parsed.inputs.push_back(parse_term(left.substr(0, comma)));
    if (comma == std::string_view::npos) return parsed;
    left = left.substr(comma + 1);
  }
}

/// `labels` with its ellipsis spelt out: the last `count` of its dimensions.
Labels spelt_out(const Labels& labels, int count) {
  Labels all;
  for (const int label : labels) {
    if (label != kEllipsis) {
      all.push_back(label);
      continue;
    }
    for (int d = kMaxRank - count; d < kMaxRank; ++d) all.push_back(kLetters + d);
  }
  return all;
}

/// A tensor and what its dimensions are called.
struct Term {
  Tensor x;
  Labels labels;
};

/// How many dimensions the ellipsis of an operand has; 0 without one.
int ellipsis_rank(const Tensor& x, const Labels& labels, std::size_t operand) {
  const bool open = has(labels, kEllipsis);
  const int named = static_cast<int>(labels.size()) - (open ? 1 : 0);
  require(open ? x.rank() >= named : x.rank() == named,
          "[einsum] operand {} is {}, its term names {}{}", operand, x.shape(), open ? "at least " : "",
          named);
  return x.rank() - named;
}

/// Labels that stand once, and the ellipsis, by the alphabet.
Labels implicit_output(const std::vector<Labels>& inputs) {
  std::array<int, kEllipsis + 1> count{};
  for (const Labels& labels : inputs) {
    for (const int label : labels) ++count[static_cast<std::size_t>(label)];
  }
  Labels output;
  if (count[kEllipsis] > 0) output.push_back(kEllipsis);
  for (int label = 0; label < kLetters; ++label) {
    if (count[static_cast<std::size_t>(label)] == 1) output.push_back(label);
  }
  return output;
}

/// Each label once: repeated ones are their diagonal, which comes last.
Term diagonal(Term term) {
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    const auto again = std::find(term.labels.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                 term.labels.end(), term.labels[i]);
    if (again == term.labels.end()) continue;
    const int a = static_cast<int>(i), b = static_cast<int>(again - term.labels.begin());
    const int label = term.labels[i];
    const std::int64_t n = term.x.size(a);
    require(n == term.x.size(b), "[einsum] {} has the extents {} and {} in one operand", text_of(label),
            n, term.x.size(b));
    Dims order;
    Shape flat;
    for (int d = 0; d < term.x.rank(); ++d) {
      if (d == a || d == b) continue;
      order.push_back(d);
      flat.push_back(term.x.size(d));
    }
    order.push_back(a);
    order.push_back(b);
    flat.push_back(n * n);
    term.x = term.x.permute(order).reshape(flat).slice(-1, {.step = n + 1});
    term.labels.erase(again);
    term.labels.erase(term.labels.begin() + a);
    term.labels.push_back(label);
    return diagonal(std::move(term));
  }
  return term;
}

/// The extents of all labels, 0 dimensions of none being 1.
Extents common_extents(const std::vector<Term>& terms) {
  Extents extents;
  extents.fill(1);
  for (const Term& term : terms) {
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
      std::int64_t& known = extents[static_cast<std::size_t>(term.labels[i])];
      const std::int64_t own = term.x.size(static_cast<int>(i));
      require(own == known || own == 1 || known == 1, "[einsum] {} has the extents {} and {}",
              text_of(term.labels[i]), known, own);
      if (own != 1) known = own;
    }
  }
  return extents;
}

/// Without the dimensions of extent 1 that another term stretches.
Term unstretched(Term term, const Extents& extents) {
  for (std::size_t i = term.labels.size(); i-- > 0;) {
    if (extents[static_cast<std::size_t>(term.labels[i])] == 1) continue;
    if (term.x.size(static_cast<int>(i)) != 1) continue;
    term.x = term.x.squeeze(static_cast<int>(i));
    term.labels.erase(term.labels.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return term;
}

/// Summed over the labels that are not `wanted`.
template <class Wanted>
Term summed(Term term, Wanted wanted) {
  Dims dims;
  Labels left;
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    if (wanted(term.labels[i])) {
      left.push_back(term.labels[i]);
    } else {
      dims.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (dims.empty()) return term;
  return {sum(term.x, dims, false, term.x.dtype()), left};
}

/// The term's dimensions in the order of `labels`, with extent 1 for those that it lacks.
Tensor arranged(const Term& term, const Labels& labels) {
  Dims order;
  for (const int label : labels) {
    const auto at = std::find(term.labels.begin(), term.labels.end(), label);
    if (at != term.labels.end()) order.push_back(at - term.labels.begin());
  }
  Tensor x = term.x.permute(order);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!has(term.labels, labels[i])) x = x.unsqueeze(static_cast<int>(i));
  }
  return x;
}

Labels operator+(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::int64_t count_of(const Labels& labels, const Extents& extents) {
  std::int64_t count = 1;
  for (const int label : labels) count *= extents[static_cast<std::size_t>(label)];
  return count;
}

Shape shape_of(const Labels& labels, const Extents& extents) {
  Shape shape;
  for (const int label : labels) shape.push_back(extents[static_cast<std::size_t>(label)]);
  return shape;
}

/// a · b, summed over what both have and nobody wants any more.
template <class Wanted>
Term product(const Term& a, const Term& b, const Extents& extents, Wanted wanted) {
  const Term x = summed(a, [&](int label) { return wanted(label) || has(b.labels, label); });
  const Term y = summed(b, [&](int label) { return wanted(label) || has(a.labels, label); });
  Labels batch, left, inner, right;
  for (const int label : x.labels) {
    (!has(y.labels, label) ? left : wanted(label) ? batch : inner).push_back(label);
  }
  for (const int label : y.labels) {
    if (!has(x.labels, label)) right.push_back(label);
  }
  const Labels labels = batch + left + right;
  if (inner.empty()) return {arranged(x, labels) * arranged(y, labels), labels};
  const auto count = [&](const Labels& of) { return count_of(of, extents); };
  const Tensor m = arranged(x, batch + left + inner).reshape({count(batch), count(left), count(inner)});
  const Tensor n =
      arranged(y, batch + inner + right).reshape({count(batch), count(inner), count(right)});
  return {matmul(m, n).view(shape_of(labels, extents)), labels};
}

void check_output(const Labels& output, const std::vector<Labels>& inputs) {
  for (std::size_t i = 0; i < output.size(); ++i) {
    const int label = output[i];
    require(std::count(output.begin(), output.end(), label) == 1,
            "[einsum] {} stands twice in the output", text_of(label));
    require(label == kEllipsis || std::any_of(inputs.begin(), inputs.end(),
                                              [&](const Labels& of) { return has(of, label); }),
            "[einsum] {} of the output is in no operand", text_of(label));
  }
}

/// The operands, of one dtype, with their labels; `output` is spelt out too.
std::vector<Term> labelled(const Equation& equation, const std::vector<Tensor>& operands,
                           Labels& output) {
  DType dtype = operands.front().dtype();
  for (const Tensor& x : operands) dtype = promote(dtype, x.dtype());
  std::vector<Term> terms;
  int most = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const int rank = ellipsis_rank(operands[i], equation.inputs[i], i);
    most = std::max(most, rank);
    terms.push_back(diagonal({operands[i].to(dtype), spelt_out(equation.inputs[i], rank)}));
  }
  output = spelt_out(output, most);
  return terms;
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  const Equation parsed = parse(equation);
  require(parsed.inputs.size() == operands.size() && !operands.empty(),
          "[einsum] \"{}\" has {} terms for {} operands", equation, parsed.inputs.size(),
          operands.size());
  for (const Tensor& x : operands) impl_of(x, "einsum");
  ops::common_device("einsum", operands);
  Labels output = parsed.output.value_or(implicit_output(parsed.inputs));
  check_output(output, parsed.inputs);
  std::vector<Term> terms = labelled(parsed, operands, output);
  const Extents extents = common_extents(terms);
  for (Term& term : terms) term = unstretched(std::move(term), extents);

  Term all = terms.front();
  for (std::size_t i = 1; i < terms.size(); ++i) {
    all = product(all, terms[i], extents, [&](int label) {
      return has(output, label) ||
             std::any_of(terms.begin() + static_cast<std::ptrdiff_t>(i) + 1, terms.end(),
                         [&](const Term& later) { return has(later.labels, label); });
    });
  }
  return arranged(summed(std::move(all), [&](int label) { return has(output, label); }), output);
}

}  // namespace tenon
