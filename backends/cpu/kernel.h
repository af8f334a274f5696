// What prepare makes here: own kernels where they pay, the SDK's plain ones else.
#pragma once

#include <cstdint>
#include <memory>

#include <tenon/sdk.h>

namespace cpu {

namespace sdk = tenon::sdk;

/// Immutable once made; any number of threads may launch it.
struct Kernel {
  virtual ~Kernel() = default;
  /// As TenonPlugin.launch.
  virtual std::int32_t launch(const TenonLaunch& launch) const = 0;

  std::uint64_t workspace_bytes = 0;
};

/// As TenonPlugin.prepare, for a description that sdk::check has accepted.
std::int32_t prepare(const TenonOp& op, std::unique_ptr<Kernel>& made);

// nullptr: nothing here is faster than the plain kernel.
std::unique_ptr<Kernel> make_elementwise(const TenonOp& op);
/// What copies transposed operands, and does all else by `other`, which is made for the same op.
std::unique_ptr<Kernel> make_copy(const TenonOp& op, std::unique_ptr<Kernel> other);
std::unique_ptr<Kernel> make_reduce(const TenonOp& op);
std::unique_ptr<Kernel> make_matmul(const TenonOp& op);
std::unique_ptr<Kernel> make_gather(const TenonOp& op);
std::unique_ptr<Kernel> make_scatter(const TenonOp& op);
// Of the optional kinds there is none; sdk::Unsupported where they are refused.
std::unique_ptr<Kernel> make_softmax(const TenonOp& op);
std::unique_ptr<Kernel> make_norm(const TenonOp& op);
std::unique_ptr<Kernel> make_cross_entropy(const TenonOp& op);

/// TenonDeviceInfo.kinds: all of the optional ones.
inline constexpr std::uint32_t kOptionalKinds =
    (2u << TENON_KIND_CROSS_ENTROPY_BACKWARD) - (1u << TENON_KIND_SOFTMAX);

}  // namespace cpu
