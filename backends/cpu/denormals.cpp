#include "denormals.h"

#include <atomic>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace cpu {

namespace {

std::atomic<bool> flush{false};

// The control word of floating-point work, and its bits that flush operands and results.
#if defined(__SSE__)
constexpr unsigned long kFlush = 0x8040;
unsigned long control() {
  return _mm_getcsr();
}
void set_control(unsigned long word) {
  _mm_setcsr(static_cast<unsigned>(word));
}
#elif defined(__aarch64__)
constexpr unsigned long kFlush = 1ul << 24;
unsigned long control() {
  unsigned long word = 0;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
void set_control(unsigned long word) {
  asm volatile("msr fpcr, %0" : : "r"(word));
}
#endif

}  // namespace

void set_flush_denormals(bool on) {
  flush.store(on, std::memory_order_relaxed);
}
bool flushes_denormals() {
  return flush.load(std::memory_order_relaxed);
}

DenormalMode::DenormalMode() : set_(flushes_denormals()) {
  if (!set_) return;
  before_ = control();
  set_control(before_ | kFlush);
}
DenormalMode::~DenormalMode() {
  if (set_) set_control(before_);
}

}  // namespace cpu
