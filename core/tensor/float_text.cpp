#include "core/tensor/float_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "core/base/read_scalar.h"

namespace tenon {
namespace {

/// x rounded to dtype.
double rounded(double x, DType dtype) {
  const std::uint64_t bits = Scalar(x).bits(dtype);
  std::byte bytes[sizeof bits];
  std::memcpy(bytes, &bits, sizeof bits);
  return read_scalar(dtype, bytes).to_double();
}

/// A finite number in decimal: digits with a point behind the first, times 10^exponent.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

/// With `count` digits behind the point; trailing zeros are left out.
Decimal with_digits(double size, int count) {
  const std::string text = fmt::format("{:.{}e}", size, count);
  const std::size_t e = text.find('e');
  Decimal number{text.substr(0, 1), std::atoi(text.c_str() + e + 1)};
  if (count > 0) number.digits += text.substr(2, e - 2);
  number.digits.resize(std::max<std::size_t>(number.digits.find_last_not_of('0') + 1, 1));
  return number;
}

/// Whether `count` digits behind the point tell the number from all others of its dtype.
bool give_back(double size, int count, DType dtype) {
  const std::string text = fmt::format("{:.{}e}", size, count);
  double back = 0;
  std::from_chars(text.data(), text.data() + text.size(), back);
  return rounded(back, dtype) == size;
}

/// The fewest digits that give the number of this dtype back.
Decimal shortest(double size, DType dtype) {
  constexpr int kMost = 16;  // behind the point: what f64 may need
  int count = 0;
  while (count < kMost && !give_back(size, count, dtype)) ++count;
  return with_digits(size, count);
}

/// The three parts of a number's text.
struct Parts {
  std::string whole, fraction, exponent;
};

std::string sign_of(double value) {
  return std::signbit(value) ? "-" : "";
}

Parts scientific(double value, const Decimal& number) {
  const int exponent = number.exponent;
  return {sign_of(value) + number.digits[0], number.digits.substr(1),
          fmt::format("{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent))};
}

/// How many digits behind the point give all back that `precision` digits do.
int common_digits(const std::vector<double>& values, DType dtype, int precision) {
  std::size_t digits = 1;
  std::vector<double> whole;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const std::size_t most = static_cast<std::size_t>(precision) + 1;
    Decimal number = shortest(std::abs(value), dtype);
    if (number.digits.size() > most) {
      number = with_digits(std::abs(value), precision);
    } else {
      whole.push_back(std::abs(value));
    }
    digits = std::max(digits, number.digits.size());
  }
  int count = static_cast<int>(digits) - 1;
  // What fewer digits give back, more may not, next to a power of two.
  const auto lost = [&](double size) { return !give_back(size, count, dtype); };
  while (count < precision && std::any_of(whole.begin(), whole.end(), lost)) ++count;
  return count;
}

/// At most `precision` digits behind the point.
Parts positional(double value, DType dtype, int precision) {
  const Decimal number = shortest(std::abs(value), dtype);
  const int places = static_cast<int>(number.digits.size()) - 1 - number.exponent;
  std::string text;
  if (places > precision) {
    text = fmt::format("{:.{}f}", std::abs(value), precision);
    if (precision > 0) text.resize(text.find_last_not_of('0') + 1);
  } else if (places > 0) {
    text = fmt::format("{:.{}f}", std::abs(value), places);
  } else {
    text = number.digits + std::string(static_cast<std::size_t>(-places), '0');
  }
  const std::size_t point = std::min(text.find('.'), text.size());
  return {sign_of(value) + text.substr(0, point), text.substr(std::min(point + 1, text.size())), ""};
}

std::string infinite_text(double value) {
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/// From where on one number alone has an exponent.
double positional_limit(DType dtype) {
  return dtype == f64 ? 1e16 : dtype == f32 ? 1e6 : 1e3;
}

/// Where a fixed point would hide digits, or show zeros without end.
bool need_exponents(const std::vector<double>& values, DType dtype) {
  double least = 0, most = 0;
  for (const double value : values) {
    const double size = std::abs(value);
    if (!std::isfinite(size) || size == 0) continue;
    least = least == 0 ? size : std::min(least, size);
    most = std::max(most, size);
  }
  if (most == 0) return false;
  const double limit = std::min(positional_limit(dtype), 1e8);
  return most >= limit || least < rounded(1e-4, dtype) || rounded(most / least, dtype) > 1000;
}

}  // namespace

std::vector<std::string> float_texts(const std::vector<double>& values, DType dtype,
                                     const PrintOptions& options) {
  const bool sci = options.sci.value_or(need_exponents(values, dtype));
  const int digits = sci ? common_digits(values, dtype, options.precision) : 0;
  std::vector<Parts> parts;
  std::size_t whole = 0, fraction = 0, exponent = 0;
  for (const double value : values) {
    Parts& p = parts.emplace_back();
    if (!std::isfinite(value)) continue;
    p = sci ? scientific(value, with_digits(std::abs(value), digits))
            : positional(value, dtype, options.precision);
    whole = std::max(whole, p.whole.size());
    fraction = std::max(fraction, p.fraction.size());
    exponent = std::max(exponent, p.exponent.size());
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Parts& p = parts[i];
    if (!std::isfinite(values[i])) {
      texts.push_back(infinite_text(values[i]));
      continue;
    }
    p.fraction.resize(fraction, sci ? '0' : ' ');
    if (sci) p.exponent.insert(1, exponent - p.exponent.size(), '0');
    texts.push_back(
        fmt::format("{:>{}}.{}{}{}", p.whole, whole, p.fraction, sci ? "e" : "", p.exponent));
  }
  return texts;
}

std::string float_text(double value, DType dtype, const PrintOptions& options) {
  if (!std::isfinite(value)) return infinite_text(value);
  constexpr int kAll = 2000;  // more than a number has
  const double size = std::abs(value);
  const bool usual = size == 0 || (size >= 1e-4 && size < positional_limit(dtype));
  if (options.sci.value_or(!usual)) {
    const Parts p = scientific(value, shortest(size, dtype));
    return fmt::format("{}{}{}e{}", p.whole, p.fraction.empty() ? "" : ".", p.fraction, p.exponent);
  }
  const Parts p = positional(value, dtype, kAll);
  return fmt::format("{}.{}", p.whole, p.fraction.empty() ? "0" : p.fraction);
}

}  // namespace tenon
