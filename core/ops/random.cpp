// Tensors of random numbers: parameters are checked and brought into the programs' terms.
#include <cmath>
#include <tuple>

#include <tenon/ops.h>
#include <tenon/random.h>

#include "core/base/fail.h"
#include "core/base/read_scalar.h"
#include "core/ops/program_table.h"
#include "core/ops/random_programs.h"
#include "core/ops/run.h"
#include "core/tensor/impl.h"

namespace tenon::random {
namespace {

using program::Program;

/// make(key...), made once.
template <auto make, class... Key>
const Program& known(Key... key) {
  static auto& table = *new ops::ProgramTable<std::tuple<Key...>>;
  return table.get({key...}, [&] { return make(key...); });
}

/// One tensor that is being drawn from a stream of its own.
class Draw {
 public:
  Draw(std::string_view op, const Shape& shape, DType dtype, const TensorOptions& options,
       Generator& generator)
      : op_(op),
        y_(allocate(shape, dtype, options.device ? *options.device : default_device(), op)),
        seed_(generator.seed()),
        offset_(generator.next_offset()) {}

  /// One launch. Element i has the words i · words .. i · words + words - 1, and the program takes
  /// those from `first` on; an input that is no word is the tensor as it is.
  void run(const Program& program, int words, int first, std::initializer_list<std::uint64_t> scalars) {
    ops::Operands operands{{y_}, {}, {offset_, seed_}};
    operands.scalars.insert(operands.scalars.end(), scalars);
    Strides strides = contiguous_strides(y_.shape());
    for (std::int64_t& stride : strides) stride *= words;
    for (int i = 0; i < program.input_count(); ++i) {
      const bool is_word = program.input_dtype(i) == u64;
      operands.inputs.push_back(is_word ? ops::Input{Tensor(), first++, strides} : ops::Input{y_});
    }
    ops::run(op_, program, {&operands, 1});
  }

  Tensor finished(const TensorOptions& options) {
    return options.requires_grad ? y_.set_requires_grad() : y_;
  }

 private:
  std::string_view op_;
  Tensor y_;
  std::uint64_t seed_, offset_;
};

void require_floating(std::string_view op, DType dtype) {
  require(is_floating(dtype), "[{}] {} is not floating; convert what is drawn", op, name(dtype));
}

double value_of(std::uint64_t bits, DType dtype) {
  return read_scalar(dtype, reinterpret_cast<const std::byte*>(&bits)).to_double();
}
double rounded(double x, DType dtype) {
  return value_of(Scalar(x).bits(dtype), dtype);
}

/// The largest number below `x`, which is one of `dtype`.
double before(double x, DType dtype) {
  const std::uint64_t bits = Scalar(x).bits(dtype);
  if (x == 0) return value_of(Scalar(-0.0).bits(dtype) + 1, dtype);
  return value_of(x > 0 ? bits - 1 : bits + 1, dtype);
}

/// The first integer and how many follow it, as 64-bit patterns.
struct IntegerRange {
  std::uint64_t low, span;
  bool within_i32;
};

bool is_negative(Scalar x) {
  return x.to_int64() < 0;
}
bool less(Scalar a, Scalar b) {
  return is_negative(a) != is_negative(b) ? is_negative(a) : a.bits(u64) < b.bits(u64);
}
std::string text_of(Scalar x) {
  return is_negative(x) ? fmt::format("{}", x.to_int64()) : fmt::format("{}", x.bits(u64));
}

Scalar last_of(const IntegersOptions& range, DType dtype) {
  if (!range.high) return Scalar(HUGE_VAL).bits(dtype);
  const std::int64_t high = range.high->to_int64();
  return high <= 0 ? Scalar(high - 1) : Scalar(range.high->bits(u64) - 1);
}

IntegerRange checked(const IntegersOptions& range, DType dtype) {
  require(is_integer(dtype), "[integers] {} is no integer dtype; convert what is drawn", name(dtype));
  const Scalar low = range.low, high = range.high.value_or(0);
  require(!low.is_floating() && !high.is_floating(), "[integers] the range {} .. {} is not of integers",
          low.to_double(), high.to_double());
  require(low.fits(dtype), "[integers] {} does not fit {}", text_of(low), name(dtype));
  require(!range.high || less(low, high), "[integers] the range {} .. {} is empty", text_of(low),
          text_of(high));
  const Scalar last = last_of(range, dtype);
  require(last.fits(dtype), "[integers] the last of {} .. {} does not fit {}", text_of(low),
          text_of(high), name(dtype));
  return {low.bits(u64), last.bits(u64) - low.bits(u64), low.fits(i32) && last.fits(i32)};
}

}  // namespace

Tensor uniform(const Shape& shape, UniformOptions range, TensorOptions options, Generator& generator) {
  const DType dtype = options.dtype.value_or(default_dtype()), drawn = drawn_in(dtype);
  require_floating("uniform", dtype);
  const double low = rounded(range.low, dtype), high = rounded(range.high, dtype);
  const double span = rounded(high - low, drawn);
  require(std::isfinite(low) && std::isfinite(high) && std::isfinite(span) && low < high,
          "[uniform] the range {} .. {} is empty or not finite in {}", range.low, range.high,
          name(dtype));
  // Rounding may reach high, which is outside.
  const double below = before(high, dtype), limit = dtype == drawn ? high : (below + high) / 2;
  const auto bits = [&](double x) { return Scalar(x).bits(drawn); };
  Draw draw("uniform", shape, dtype, options, generator);
  draw.run(known<uniform_program>(dtype), dtype == f64 ? 2 : 1, 0,
           {bits(low), bits(span), bits(limit), bits(below)});
  return draw.finished(options);
}

Tensor normal(const Shape& shape, NormalOptions parameters, TensorOptions options,
              Generator& generator) {
  const DType dtype = options.dtype.value_or(default_dtype()), drawn = drawn_in(dtype);
  require_floating("normal", dtype);
  const double mean = rounded(parameters.mean, drawn), std = rounded(parameters.std, drawn);
  require(std::isfinite(mean) && std::isfinite(std) && std >= 0,
          "[normal] mean {} and std {} are not finite in {}, or std is negative", parameters.mean,
          parameters.std, name(dtype));
  const std::uint64_t mean_bits = Scalar(mean).bits(drawn), std_bits = Scalar(std).bits(drawn);
  Draw draw("normal", shape, dtype, options, generator);
  if (dtype == f64) {
    draw.run(known<exponential_program>(f64), 4, 0, {Scalar(1.0).bits(f64)});
    draw.run(known<normal_of_log_program>(), 4, 2, {mean_bits, std_bits});
  } else {
    draw.run(known<normal_program>(dtype), 2, 0, {mean_bits, std_bits});
  }
  return draw.finished(options);
}

Tensor exponential(const Shape& shape, double rate, TensorOptions options, Generator& generator) {
  const DType dtype = options.dtype.value_or(default_dtype()), drawn = drawn_in(dtype);
  require_floating("exponential", dtype);
  const double scale = rounded(1 / rate, drawn);
  require(rate > 0 && std::isfinite(scale) && scale > 0,
          "[exponential] the rate is {}: it must be above 0, and its inverse finite in {}", rate,
          name(dtype));
  Draw draw("exponential", shape, dtype, options, generator);
  draw.run(known<exponential_program>(dtype), dtype == f64 ? 2 : 1, 0, {Scalar(scale).bits(drawn)});
  return draw.finished(options);
}

Tensor bernoulli(const Shape& shape, double p, TensorOptions options, Generator& generator) {
  require(p >= 0 && p <= 1, "[bernoulli] the probability {} is not in [0, 1]", p);
  const auto threshold = static_cast<std::uint64_t>(std::nearbyint(p * 0x1p32));
  const DType dtype = options.dtype.value_or(bool_);
  Draw draw("bernoulli", shape, dtype, options, generator);
  draw.run(known<bernoulli_program>(dtype), 1, 0, {threshold & 0xffffffff, threshold >> 32});
  return draw.finished(options);
}

Tensor integers(const Shape& shape, IntegersOptions range, TensorOptions options,
                Generator& generator) {
  const DType dtype = options.dtype.value_or(i64);
  const auto [low, span, within_i32] = checked(range, dtype);
  const std::uint64_t count = span + 1;
  Draw draw("integers", shape, dtype, options, generator);
  if (size_of(dtype) < 8 || within_i32) {
    draw.run(known<integers_program>(dtype, false), 2, 0,
             {low & 0xffffffff, count & 0xffffffff, count & 0xffff, count >> 16});
  } else {
    draw.run(known<integers_program>(dtype, true), 4, 0,
             {low, count, count & 0xffffffff, count == 0 ? std::uint64_t{1} << 32 : count >> 32});
  }
  return draw.finished(options);
}

}  // namespace tenon::random
