// Builds that leave oneDNN out: own loops take all products.
#include "matmul.h"

namespace cpu {

std::unique_ptr<Kernel> make_onednn_matmul(const TenonOp&) {
  return nullptr;
}
void limit_onednn_isa(std::string_view) {}
const char* onednn_refusal() {
  return nullptr;
}

}  // namespace cpu
