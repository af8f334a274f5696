// Reads what Program::text writes. One pass over lines and tokens; the builder checks what they mean.
#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <tenon/scalar.h>

#include "core/base/fail.h"
#include "core/base/half.h"
#include "core/program/draft.h"

namespace tenon::program {
namespace {

/// A mark (one of , : =), a run of characters between marks and spaces, or "" at the end of the line.
struct Token {
  std::string_view text;
  std::size_t column = 1;
};

class Line {
 public:
  Line() = default;
  Line(int number, std::string_view text) : text_(text.substr(0, text.find('#'))), number_(number) {
    take();
  }

  const Token& peek() const { return token_; }
  bool done() const { return token_.text.empty(); }

  Token take() {
    const Token taken = token_;
    const std::size_t first = std::min(text_.find_first_not_of(" \t\r", at_), text_.size());
    std::size_t last = std::min(text_.find_first_of(" \t\r,:=", first), text_.size());
    if (last == first && last < text_.size()) ++last;  // a mark
    token_ = {text_.substr(first, last - first), first + 1};
    at_ = last;
    return taken;
  }
  void take(std::string_view mark) {
    if (peek().text != mark) expected(fmt::format("\"{}\"", mark));
    take();
  }
  bool take_if(std::string_view mark) {
    const bool there = peek().text == mark;
    if (there) take();
    return there;
  }

  [[noreturn]] void expected(std::string_view what) const { expected(what, token_); }
  [[noreturn]] void expected(std::string_view what, const Token& found) const {
    fail(ErrorKind::InvalidArgument, "[program] line {}, column {}: expected {}, found {}", number_,
         found.column, what, shown(found.text));
  }
  /// What the builder said of the token, with its place.
  [[noreturn]] void refused(const Error& error, const Token& token) const {
    std::string_view why = error.what();
    if (constexpr std::string_view kHead = "[program] "; why.starts_with(kHead)) {
      why.remove_prefix(kHead.size());
    }
    fail(error.kind(), "[program] line {}, column {}: {}", number_, token.column, why);
  }

 private:
  static std::string shown(std::string_view text) {
    if (text.empty()) return "the end of the line";
    std::string kept(text.substr(0, 24));
    const auto unprintable = [](char c) { return c <= ' ' || c >= '\x7f'; };
    std::ranges::replace_if(kept, unprintable, '?');
    return fmt::format("\"{}\"{}", kept, kept.size() < text.size() ? "..." : "");
  }

  std::string_view text_;
  int number_ = 0;
  std::size_t at_ = 0;
  Token token_;
};

/// All of the text as a number.
template <class T, class... Format>
std::optional<T> number(std::string_view text, Format... format) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, format...);
  if (error != std::errc() || stopped != end) return {};
  return value;
}

/// The 12 of "in12" with the prefix "in".
std::optional<std::size_t> numbered(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return {};
  return number<std::size_t>(text.substr(prefix.size()));
}

std::optional<std::uint64_t> fitting(std::optional<Scalar> value, DType dtype) {
  if (!value || !value->fits(dtype)) return {};
  return value->bits(dtype);
}

std::optional<std::uint64_t> raw_bits(std::string_view digits, DType dtype) {
  const auto bits = number<std::uint64_t>(digits, 16);
  const std::uint64_t most = ~std::uint64_t{0} >> (64 - 8 * size_of(dtype));
  return bits && *bits <= most ? bits : std::nullopt;
}

std::optional<std::uint64_t> literal(std::string_view text, DType dtype) {
  if (text.starts_with("0x")) return raw_bits(text.substr(2), dtype);
  if (dtype == bool_ && (text == "true" || text == "false")) return text == "true" ? 1 : 0;
  if (dtype == bool_) return {};
  if (is_unsigned_integer(dtype)) return fitting(number<std::uint64_t>(text), dtype);
  if (is_integer(dtype)) return fitting(number<std::int64_t>(text), dtype);
  if (dtype == f32) {
    const auto value = number<float>(text);
    return value ? std::optional(std::bit_cast<std::uint32_t>(*value)) : std::nullopt;
  }
  return fitting(number<double>(text), dtype);
}

class Parser {
 public:
  Program run(std::string_view text) {
    bool returned = false;
    for (int n = 1; !text.empty(); ++n) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line_ = Line(n, text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line_.done()) continue;
      if (returned) line_.expected("nothing after return");
      returned = statement();
    }
    require(returned, "[program] expected a line \"return\", found the end of the text");
    return builder_.build();
  }

 private:
  /// Reads a line; whether it was the last one.
  bool statement() {
    const bool returns = line_.take_if("return");
    if (returns) {
      do builder_.output(operand());
      while (line_.take_if(","));
    } else if (line_.peek().text.starts_with('%')) {
      instruction();
    } else {
      do parameter();
      while (line_.take_if(","));
    }
    if (!line_.done()) line_.expected("the end of the line");
    return returns;
  }

  void parameter() {
    const Token token = line_.take();
    const bool input = numbered(token.text, "in") == inputs_.size();
    if (!input && numbered(token.text, "s") != scalars_.size()) {
      line_.expected(fmt::format("in{}, s{}, %{} or return", inputs_.size(), scalars_.size(),
                                 instructions_.size()),
                     token);
    }
    line_.take(":");
    const DType type = dtype();
    checked(token, [&] {
      if (input) inputs_.push_back(builder_.input(type));
      if (!input) scalars_.push_back(builder_.scalar(type));
    });
  }

  void instruction() {
    if (numbered(line_.peek().text, "%") != instructions_.size()) {
      line_.expected(fmt::format("%{}", instructions_.size()));
    }
    line_.take();
    line_.take(":");
    const DType type = dtype();
    line_.take("=");
    const Token token = line_.peek();
    const Opcode code = opcode();
    Value operands[3];
    for (int i = 0; i < arity(code); ++i) {
      if (i > 0) line_.take(",");
      operands[i] = operand();
    }
    checked(token, [&] {
      instructions_.push_back(builder_.apply(code, type, operands[0], operands[1], operands[2]));
    });
  }

  Value operand() {
    const Token token = line_.take();
    const auto among = [&](const std::vector<Value>& values, std::size_t i) {
      if (i >= values.size()) line_.expected("a value defined above", token);
      return values[i];
    };
    if (const auto i = numbered(token.text, "%")) return among(instructions_, *i);
    if (const auto i = numbered(token.text, "in")) return among(inputs_, *i);
    if (const auto i = numbered(token.text, "s")) return among(scalars_, *i);
    const bool is_number = line_.peek().text == ":";
    if (!is_number) line_.expected("an operand", token);
    line_.take();
    const DType type = dtype();
    const auto bits = literal(token.text, type);
    if (!bits) line_.expected(fmt::format("a number of {}", name(type)), token);
    Value value;
    checked(token, [&] { value = builder_.constant_bits(type, *bits); });
    return value;
  }

  DType dtype() {
    const Token token = line_.take();
#define TENON_DTYPE(ident, NAME, code, bytes) \
  if (token.text == name(DType::ident)) return DType::ident;
#include <tenon/dtypes.def>
#undef TENON_DTYPE
    line_.expected("a dtype", token);
  }

  Opcode opcode() {
    const Token token = line_.take();
#define TENON_OPCODE(ident, NAME, code, arity, group, ulp) \
  if (token.text == name(Opcode::ident)) return Opcode::ident;
#include <tenon/opcodes.def>
#undef TENON_OPCODE
    line_.expected("an opcode", token);
  }

  template <class F>
  void checked(const Token& token, F build) {
    try {
      build();
    } catch (const Error& error) {
      line_.refused(error, token);
    }
  }

  Builder builder_;
  Line line_;
  std::vector<Value> inputs_, scalars_, instructions_;
};

}  // namespace

Program parse(std::string_view text) {
  return Parser().run(text);
}

}  // namespace tenon::program
