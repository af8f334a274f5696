// ELEMENTWISE: a program over every element of an iteration space, block by block.
#include <algorithm>
#include <array>

#include "kinds.h"
#include "program.h"

namespace tenon::sdk::kernels {

namespace {

class Elementwise final : public Kernel {
 public:
  explicit Elementwise(const TenonOp& op)
      : op_(op), body_(op_.view().program(*op_.view().attachment(TENON_SLOT_BODY))) {}

  void run(const TenonPack& given, Context&) const override {
    const sdk::OpView op = op_.view();
    const sdk::PackView pack(op, given);
    std::array<Cursor, sdk::kMaxOperands> cursors;
    for (size_t i = 0; i < op.operands().size(); ++i) {
      cursors[i] = Cursor(op.operands()[i], pack.operand(i), pack.dims(), pack.strides(i));
    }
    const int64_t total = pack.element_count();
    Block block(body_, given.scalars, total);
    for (int64_t done = 0; done < total; done += kBlock) {
      const int n = static_cast<int>(std::min<int64_t>(kBlock, total - done));
      for (size_t i = 0; i < body_.input_count(); ++i) {
        cursors[op.output_count() + i].load(block.input(i), n);
      }
      block.run(n);
      for (size_t i = 0; i < op.output_count(); ++i) cursors[i].store(block.output(i), n);
    }
  }

 private:
  sdk::OpCopy op_;
  Program body_;
};

}  // namespace

std::unique_ptr<Kernel> make_elementwise(const TenonOp& op) {
  return std::make_unique<Elementwise>(op);
}

}  // namespace tenon::sdk::kernels
