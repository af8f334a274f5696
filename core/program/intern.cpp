// Sealed programs: the ABI's block, of which equal programs share one.
#include <cstring>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "core/base/fail.h"
#include "core/program/draft.h"
#include "core/program/view.h"

namespace tenon::program {
namespace {

void limit(std::string_view what, std::size_t count, std::size_t most) {
  if (count > most) {
    fail(ErrorKind::Unsupported, "[program] {} {}, the most is {}", count, what, most);
  }
}

void check_limits(const Draft& draft) {
  require(!draft.outputs.empty(), "[program] no outputs");
  limit("instructions", draft.instructions.size(), kMaxInstructions);
  limit("inputs", draft.inputs.size(), TENON_MAX_INPUTS);
  limit("outputs", draft.outputs.size(), TENON_MAX_OUTPUTS);
  limit("scalars", draft.scalars.size(), TENON_MAX_SCALARS);
  limit("constants", draft.constants.size(), kMaxConstants);
}

/// Collects a block's parts one after the other.
class Writer {
 public:
  template <class T>
  std::uint16_t add(const std::vector<T>& values) {
    const auto at = bytes_.size();
    const auto* data = reinterpret_cast<const char*>(values.data());
    bytes_.append(data, values.size() * sizeof(T));
    return static_cast<std::uint16_t>(at);
  }
  void pad() { bytes_.resize((bytes_.size() + 7) / 8 * 8); }
  std::size_t size() const { return bytes_.size(); }

  std::vector<std::uint64_t> words(const TenonProgram& head) const {
    std::vector<std::uint64_t> result(bytes_.size() / 8);
    std::memcpy(result.data(), bytes_.data(), bytes_.size());
    std::memcpy(result.data(), &head, sizeof head);
    return result;
  }

 private:
  std::string bytes_ = std::string(sizeof(TenonProgram), '\0');
};

std::string_view key(const std::vector<std::uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof words[0]};
}

}  // namespace

std::vector<std::uint64_t> encode(const Draft& draft) {
  check_limits(draft);
  std::vector<std::uint64_t> constants;
  std::vector<DType> dtypes = draft.inputs;
  dtypes.insert(dtypes.end(), draft.scalars.begin(), draft.scalars.end());
  for (const Constant& constant : draft.constants) {
    constants.push_back(constant.bits);
    dtypes.push_back(constant.dtype);
  }
  Writer writer;
  TenonProgram head{};
  head.struct_size = sizeof head;
  head.instruction_count = static_cast<std::uint16_t>(draft.instructions.size());
  head.input_count = static_cast<std::uint8_t>(draft.inputs.size());
  head.output_count = static_cast<std::uint8_t>(draft.outputs.size());
  head.scalar_count = static_cast<std::uint8_t>(draft.scalars.size());
  head.constant_count = static_cast<std::uint8_t>(draft.constants.size());
  head.instructions_at = writer.add(draft.instructions);
  head.constants_at = writer.add(constants);
  head.outputs_at = writer.add(draft.outputs);
  head.dtypes_at = writer.add(dtypes);
  writer.pad();
  head.total_size = static_cast<std::uint32_t>(writer.size());
  return writer.words(head);
}

Draft decode(const Program& program) {
  const View view(program);
  const auto as_dtypes = [](std::span<const std::uint8_t> codes) {
    std::vector<DType> dtypes;
    for (const std::uint8_t code : codes) dtypes.push_back(static_cast<DType>(code));
    return dtypes;
  };
  Draft draft{.inputs = as_dtypes(view.inputs),
              .scalars = as_dtypes(view.scalars),
              .constants = {},
              .instructions = {view.instructions.begin(), view.instructions.end()},
              .outputs = {view.outputs.begin(), view.outputs.end()}};
  for (std::size_t i = 0; i < view.constants.size(); ++i) {
    draft.constants.push_back({static_cast<DType>(view.constant_dtypes[i]), view.constants[i]});
  }
  return draft;
}

const Program::Data* Program::Data::intern(std::vector<std::uint64_t> words) {
  static std::mutex mutex;
  using Table = std::unordered_map<std::string_view, const Data*>;
  static Table& table = *new Table;  // leaked: programs may be built while the process ends
  const std::lock_guard lock(mutex);
  if (const auto found = table.find(key(words)); found != table.end()) return found->second;
  const auto* data = new const Data{table.size() + 1, std::move(words)};
  table.emplace(key(data->words), data);
  return data;
}

Program seal(const Draft& draft) {
  return Program(Program::Data::intern(encode(draft)));
}

std::span<const std::byte> Program::bytes() const {
  return std::as_bytes(std::span(data_->words));
}
std::uint64_t Program::id() const {
  return data_->id;
}

int Program::input_count() const {
  return static_cast<int>(View(*this).inputs.size());
}
int Program::output_count() const {
  return static_cast<int>(View(*this).outputs.size());
}
int Program::scalar_count() const {
  return static_cast<int>(View(*this).scalars.size());
}
int Program::constant_count() const {
  return static_cast<int>(View(*this).constants.size());
}
int Program::instruction_count() const {
  return static_cast<int>(View(*this).instructions.size());
}

DType Program::input_dtype(int i) const {
  require(i >= 0 && i < input_count(), "[program] input {} of {}", i, input_count());
  return View(*this).dtype(TENON_REF(TENON_REF_INPUT, i));
}
DType Program::scalar_dtype(int i) const {
  require(i >= 0 && i < scalar_count(), "[program] scalar {} of {}", i, scalar_count());
  return View(*this).dtype(TENON_REF(TENON_REF_SCALAR, i));
}
DType Program::output_dtype(int i) const {
  require(i >= 0 && i < output_count(), "[program] output {} of {}", i, output_count());
  return View(*this).dtype(View(*this).outputs[static_cast<std::size_t>(i)]);
}

}  // namespace tenon::program
