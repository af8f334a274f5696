// Modules: parameters, buffers and children with names.
//
//   class Net : public nn::Layer<Net> {
//    public:
//     Net() : fc(add("fc", nn::Linear(13, 1))) {}
//     Tensor forward(const Tensor& x) const { return fc(x); }
//     nn::Linear fc;
//   };
//
// A Net is a handle: copies share everything, clone() copies it. Calling one runs its hooks around
// `forward`. Members that the module owns are Parameters, Buffers, modules, or Shared: a clone's
// members of these types are its own, what else points at them keeps pointing at the original's.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <tenon/tensor.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

/// Names and what bears them, in the order of registration.
template <class T>
using Named = std::vector<std::pair<std::string, T>>;
using StateDict = Named<Tensor>;

class Module;

namespace detail {

/// What copies of what belongs to a module are made of while it is cloned, or looked through.
enum class Copies { new_ones, the_same };

/// While one lives, copies that this thread makes of what belongs to `root` belong to its clone, or are
/// noted.
class Cloning {
 public:
  explicit Cloning(const Module& root, Copies copies = Copies::new_ones);
  ~Cloning();
  Cloning(const Cloning&) = delete;
  Cloning& operator=(const Cloning&) = delete;
  /// InvalidArgument names what belongs to `root` and no member of the copy has taken.
  void require_complete() const;
  /// InvalidArgument where a tensor that belongs to `root` was not met, and one was that does not.
  void require_own() const;

 private:
  struct Context;
  friend class tenon::nn::Module;
  friend class Held;
  friend std::shared_ptr<void> clone_of(const std::shared_ptr<void>& value,
                                        std::shared_ptr<void> (*copy)(const void*));
  std::unique_ptr<Context> context_;
};

/// The clone's own of what copies share, made by `copy` at first; the value itself outside of cloning.
std::shared_ptr<void> clone_of(const std::shared_ptr<void>& value,
                               std::shared_ptr<void> (*copy)(const void*));

/// A tensor of a module.
class Held : public Tensor {
 public:
  Held() = default;
  Held(const Held& other);
  Held(Held&&) noexcept = default;
  Held& operator=(Held other) & noexcept {
    Tensor::operator=(std::move(other));
    return *this;
  }
  ~Held() = default;

 protected:
  explicit Held(Tensor value) : Tensor(std::move(value)) {}
};

}  // namespace detail

/// A leaf tensor that requires a gradient.
class Parameter : public detail::Held {
 public:
  Parameter() = default;
  /// Takes `value` out of any graph.
  explicit Parameter(const Tensor& value);
};

/// A tensor that belongs to a module's state and is not trained.
class Buffer : public detail::Held {
 public:
  Buffer() = default;
  /// Takes `value` out of any graph.
  explicit Buffer(const Tensor& value) : Held(value.detach()) {}
};

/// A T that copies of a module share; a clone has one of its own.
template <class T>
class Shared {
 public:
  Shared() : value_(std::make_shared<T>()) {}
  Shared(const Shared& other)
      : value_(std::static_pointer_cast<T>(detail::clone_of(other.value_, copy))) {}
  Shared(Shared&&) noexcept = default;
  Shared& operator=(Shared other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~Shared() = default;
  T& operator*() const { return *value_; }
  T* operator->() const { return value_.get(); }

 private:
  static std::shared_ptr<void> copy(const void* value) {
    return std::make_shared<T>(*static_cast<const T*>(value));
  }
  std::shared_ptr<T> value_;
};

/// Sees the tensors among the arguments of a module's call, and may put others in their places.
using ForwardPreHook = std::function<void(const Module& module, std::span<Tensor> inputs)>;
/// Sees these and the tensors that forward returned, and may put others in the latter's places.
using ForwardHook = std::function<void(const Module& module, std::span<const Tensor> inputs,
                                       std::span<Tensor> outputs)>;

/// Of one registered hook; the hook stays where its handle goes.
class HookHandle {
 public:
  HookHandle() = default;
  /// Takes the hook away; it is no error where it is gone.
  void remove();

 private:
  friend class Module;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  std::function<void()> remove_;
};

struct LoadOptions {
  bool strict = true;  ///< every name must be there, and no other
};

/// What load_state_dict met with `strict` off.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// A shared handle: copies share parameters, buffers, children, hooks and mode.
class Module {
 public:
  Module() : Module(typeid(Module)) {}
  Module(const Module& other);
  Module(Module&&) noexcept = default;
  Module& operator=(Module other) noexcept {
    state_ = std::move(other.state_);
    return *this;
  }
  ~Module() = default;

  /// All parameters, this module's first, then the children's in order, a shared one once.
  std::vector<Parameter> parameters() const;
  /// The same with names such as "0.weight", a shared one under each of its names.
  Named<Parameter> named_parameters() const;
  Named<Buffer> named_buffers() const;
  Named<Module> named_children() const;
  /// This one (named ""), and all below it, each before its children and once.
  Named<Module> named_modules() const;
  /// Calls `f` with each module once, children first.
  void apply(const std::function<void(const Module&)>& f) const;

  /// Parameters and persistent buffers themselves, outside any graph, in the order of
  /// named_parameters, a module's own parameters before its buffers.
  StateDict state_dict() const;
  /// Copies values into parameters and buffers. InvalidArgument names all keys that are missing,
  /// unexpected or of another shape, and then nothing is changed.
  LoadReport load_state_dict(const StateDict& state, LoadOptions options = {}) const;

  /// Sets this module's and its children's mode: training at first, `eval` for use.
  void train(bool on = true) const;
  void eval() const { train(false); }
  bool is_training() const;
  /// Lets no parameter require a gradient, or each.
  void freeze() const { set_trainable(false); }
  void unfreeze() const { set_trainable(true); }
  /// Sets all gradients to undefined.
  void zero_grad() const;
  /// Moves all parameters and buffers; handles on them, an optimiser's too, see it.
  void move_to(Device device) const;
  /// Converts all floating parameters and buffers; handles on them see it. Gradients are forgotten.
  void convert_to(DType dtype) const;

  /// Called before and after `forward`, in the order of registration.
  HookHandle register_forward_pre_hook(ForwardPreHook hook) const;
  HookHandle register_forward_hook(ForwardHook hook) const;

  /// The names from the module that has no parent down to this one: "encoder.0". One that was added to
  /// several has the path of the last; "" for one that was added to none.
  std::string path() const;
  /// A tree of text: modules by name and type with their tensors' shapes, dtypes and element counts;
  /// then the sums.
  std::string summary() const;
  /// The name of its class without namespaces, "Module" where that is no Layer.
  std::string type_name() const;

 protected:
  explicit Module(const std::type_info& type);
  /// Registers and returns a parameter; names are unique in a module and have no dots.
  Parameter add(const std::string& name, const Parameter& parameter);
  /// Registers and returns a child.
  template <class M>
    requires std::derived_from<M, Module>
  M add(const std::string& name, M child) {
    add_child(name, child);
    return child;
  }
  /// Registers and returns a buffer; one that is not persistent is not part of the state dict.
  Buffer register_buffer(const std::string& name, const Tensor& value, bool persistent = true);

  /// Whether this is the first time that it is asked.
  bool first_call() const;
  bool has_hooks() const;
  void run_pre_hooks(std::span<Tensor> inputs) const;
  void run_hooks(std::span<const Tensor> inputs, std::span<Tensor> outputs) const;

 private:
  struct State;
  friend class detail::Cloning;
  friend class CallScope;
  void add_child(const std::string& name, const Module& child);
  void set_trainable(bool on) const;
  std::shared_ptr<State> state_;
};

/// While one lives, ops are recorded as the module's own, for AnomalyMode to name by its path, or its
/// class where it has no parent: each call of a Layer has one.
class CallScope {
 public:
  explicit CallScope(const Module& module);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const void* before_module_;
  std::string (*before_path_)(const void*);
};

namespace detail {

template <class T>
inline constexpr bool kIsTensor = std::derived_from<std::remove_cvref_t<T>, Tensor>;

/// What forward gets for an argument: the next of `tensors` for a tensor, else the argument.
template <class Arg>
decltype(auto) argument(std::span<Tensor> tensors, std::size_t& next, Arg& arg) {
  if constexpr (kIsTensor<Arg>) {
    return static_cast<const Tensor&>(tensors[next++]);
  } else {
    return std::forward<Arg>(arg);
  }
}

inline std::span<Tensor> tensors_of(Tensor& result) {
  return {&result, 1};
}
inline std::span<Tensor> tensors_of(std::vector<Tensor>& result) {
  return result;
}
template <class T>
std::span<Tensor> tensors_of(T&) {
  return {};
}

}  // namespace detail

/// A module whose class is known: it is called, moved and cloned as what it is. Self has a `forward` of
/// any signature; hooks see the tensors among its arguments, and its result where that is a Tensor or
/// a std::vector of them. The first call is InvalidArgument where a member that was registered has been
/// assigned another tensor or module: a tensor that is shared is given to add() of each module.
template <class Self>
class Layer : public Module {
 public:
  Layer() : Module(typeid(Self)) {}

  template <class... Args>
    requires requires(const Self& self, Args&&... args) { self.forward(std::forward<Args>(args)...); }
  auto operator()(Args&&... args) const {
    const CallScope scope(*this);
    if (first_call()) check_members();
    if (!has_hooks()) return self().forward(std::forward<Args>(args)...);
    return call_with_hooks(std::forward<Args>(args)...);
  }

  Self to(Device device) const {
    move_to(device);
    return self();
  }
  Self to(DType dtype) const {
    convert_to(dtype);
    return self();
  }
  /// Another module of the same values, without gradients and hooks, that shares nothing with this one.
  /// InvalidArgument where a member is not of the types that this file's head names.
  Self clone() const {
    const detail::Cloning cloning(*this);
    Self copy(self());
    cloning.require_complete();
    return copy;
  }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }

  void check_members() const {
    if constexpr (std::copy_constructible<Self>) {
      const detail::Cloning look(*this, detail::Copies::the_same);
      const Self copy(self());
      look.require_own();
    }
  }

  template <class... Args>
  auto call_with_hooks(Args&&... args) const {
    std::vector<Tensor> inputs;
    const auto collect = [&](const auto& arg) {
      if constexpr (detail::kIsTensor<decltype(arg)>) inputs.push_back(arg);
    };
    (collect(args), ...);
    run_pre_hooks(inputs);
    std::size_t next = 0;
    const auto forward = [&](auto&&... given) {
      return self().forward(std::forward<decltype(given)>(given)...);
    };
    // Braces: the arguments are taken in order.
    auto result =
        std::apply(forward, std::tuple<decltype(detail::argument<Args>(inputs, next, args))...>{
                                detail::argument<Args>(inputs, next, args)...});
    run_hooks(inputs, detail::tensors_of(result));
    return result;
  }
};

}  // namespace tenon::nn
#pragma GCC visibility pop
