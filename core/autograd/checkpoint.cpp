// Checkpoints: places instead of saved tensors, filled by a second call.
#include "core/autograd/checkpoint.h"

#include <utility>

#include "core/autograd/autocast.h"
#include "core/base/fail.h"

namespace tenon::autograd {
namespace {

/// Sets the thread's default generator and puts it back.
class GeneratorGuard {
 public:
  explicit GeneratorGuard(const random::GeneratorState& state)
      : before_(random::default_generator().state()) {
    random::default_generator().set_state(state);
  }
  ~GeneratorGuard() { random::default_generator().set_state(before_); }
  GeneratorGuard(const GeneratorGuard&) = delete;
  GeneratorGuard& operator=(const GeneratorGuard&) = delete;

 private:
  random::GeneratorState before_;
};

constexpr const char* kHint = "the function must do the same each time";

std::string text(const Shape& shape, DType dtype) {
  return fmt::format("{} {}", name(dtype), to_string(shape));
}

}  // namespace

/// While one lives, the thread's saved tensors are this frame's: to be counted, or to be collected.
struct Frame::Scope {
  Scope(const Frame* of, Frame* packs, Places* collects)
      : frame(of), packing(packs), collecting(collects), before(std::exchange(scope, this)) {}
  ~Scope() { scope = before; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  const Frame* frame;
  Frame* packing;
  Places* collecting;
  Scope* before;
};

thread_local Frame::Scope* Frame::scope = nullptr;

Frame::Frame(const Function& f, const std::vector<Tensor>& inputs)
    : f_(f),
      inputs_(inputs.begin(), inputs.end()),
      random_(random::default_generator().state()),
      autocast_(autocast_state()) {}

Tensor Frame::forward(const std::vector<Tensor>& inputs) {
  // Gradients that f itself takes find what they need until it returns.
  const auto clear = [](Frame* frame) { frame->places_.clear(); };
  const std::unique_ptr<Frame, decltype(clear)> until_the_end(this, clear);
  const Scope guard(this, this, nullptr);
  const Tensor y = f_(inputs);
  require(y.defined(), "[checkpoint] the function's result is undefined");
  result_ = {y.shape(), y.dtype()};
  return y;
}

std::shared_ptr<Frame> Frame::packing() {
  return scope == nullptr || scope->packing == nullptr ? nullptr : scope->packing->shared_from_this();
}

std::size_t Frame::pack(const Saved& saved, const Tensor& x) {
  places_.emplace_back(saved);
  packed_.push_back({x.shape(), x.dtype()});
  return packed_.size() - 1;
}

void Frame::collect(const Saved& saved, const Tensor& x) {
  if (scope == nullptr || scope->collecting == nullptr) return;
  const std::vector<Meta>& packed = scope->frame->packed_;
  const std::size_t place = scope->collecting->size();
  require(place < packed.size(),
          "[checkpoint] {} tensors were saved for backward, computed again there are more; {}",
          packed.size(), kHint);
  require(Meta{x.shape(), x.dtype()} == packed[place],
          "[checkpoint] a saved tensor was {}, computed again it is {}; {}",
          text(packed[place].shape, packed[place].dtype), text(x.shape(), x.dtype()), kHint);
  scope->collecting->emplace_back(saved);
}

Saved Frame::unpack(std::size_t place) {
  const auto take = [&]() -> std::optional<Saved> {
    if (place >= places_.size()) return std::nullopt;
    return result_ ? std::exchange(places_[place], std::nullopt) : places_[place];
  };
  {
    const std::lock_guard lock(mutex_);
    if (auto saved = take()) return *std::move(saved);
  }
  Places again = recompute();  // unlocked, since f is the user's
  const std::lock_guard lock(mutex_);
  places_ = std::move(again);
  return *take();
}

Frame::Places Frame::recompute() const {
  std::vector<Tensor> inputs;
  for (const Saved& input : inputs_) inputs.push_back(input.get("checkpoint"));
  Places places;
  const GeneratorGuard generator(random_);
  const AutocastGuard autocast(autocast_);
  const EnableGrad recorded;
  const Scope guard(this, nullptr, &places);
  const Tensor y = f_(inputs);
  require(y.defined() && Meta{y.shape(), y.dtype()} == result_,
          "[checkpoint] the result was {}, computed again it is {}; {}",
          text(result_->shape, result_->dtype), y.defined() ? text(y.shape(), y.dtype()) : "undefined",
          kHint);
  require(places.size() == packed_.size(),
          "[checkpoint] {} tensors were saved for backward, computed again {}; {}", packed_.size(),
          places.size(), kHint);
  return places;
}

Tensor checkpoint(const Function& f, const std::vector<Tensor>& inputs) {
  return grad_enabled() ? std::make_shared<Frame>(f, inputs)->forward(inputs) : f(inputs);
}

}  // namespace tenon::autograd
