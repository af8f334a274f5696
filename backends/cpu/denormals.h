// Denormal numbers: computed with as IEEE 754 says, or taken as zero where the user wants it so.
#pragma once

namespace cpu {

/// From the next launch on.
void set_flush_denormals(bool flush);
bool flushes_denormals();

/// As long as it lives, the calling thread flushes denormals where that is set; then it does what it
/// did.
class DenormalMode {
 public:
  DenormalMode();
  ~DenormalMode();
  DenormalMode(const DenormalMode&) = delete;
  DenormalMode& operator=(const DenormalMode&) = delete;

 private:
  bool set_;
  unsigned long before_ = 0;
};

}  // namespace cpu
