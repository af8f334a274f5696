// The way from a description to a kernel.
#include "kernel.h"

namespace cpu {

namespace {

class Plain final : public Kernel {
 public:
  Plain(sdk::kernels::Kernel* made, std::uint64_t workspace) : made_(made) {
    workspace_bytes = workspace;
  }

  std::int32_t launch(const TenonLaunch& launch) const override {
    return sdk::kernels::run(sdk::host(), *made_, launch);
  }

 private:
  struct Release {
    void operator()(sdk::kernels::Kernel* kernel) const { sdk::kernels::release(kernel); }
  };
  std::unique_ptr<sdk::kernels::Kernel, Release> made_;
};

std::unique_ptr<Kernel> make_own(const TenonOp& op) {
  switch (op.kind) {
    case TENON_KIND_ELEMENTWISE:
      return make_elementwise(op);
    case TENON_KIND_REDUCE:
      return make_reduce(op);
    case TENON_KIND_MATMUL:
      return make_matmul(op);
    case TENON_KIND_GATHER:
      return make_gather(op);
    case TENON_KIND_SCATTER:
      return make_scatter(op);
    case TENON_KIND_SOFTMAX:
    case TENON_KIND_SOFTMAX_BACKWARD:
      return make_softmax(op);
    case TENON_KIND_NORM:
    case TENON_KIND_NORM_BACKWARD:
      return make_norm(op);
    case TENON_KIND_CROSS_ENTROPY:
    case TENON_KIND_CROSS_ENTROPY_BACKWARD:
      return make_cross_entropy(op);
    default:
      return nullptr;
  }
}

}  // namespace

std::int32_t prepare(const TenonOp& op, std::unique_ptr<Kernel>& made) {
  made = make_own(op);
  if (made != nullptr) return TENON_OK;
  TenonKernelInfo info{};
  sdk::kernels::Kernel* plain = nullptr;
  const std::int32_t status = sdk::kernels::prepare(sdk::host(), op, &plain, info);
  if (status == TENON_OK) made = std::make_unique<Plain>(plain, info.workspace_bytes);
  return status;
}

}  // namespace cpu
