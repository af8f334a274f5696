// Random calls of the public API on the reference device and on the hostile one. Nothing but
// tenon::Error comes out, no device fails, and both give the same bits.
#include <tenon/error.h>

#include "tests/fuzz/support/calls.h"
#include "tests/fuzz/support/check.h"
#include "tests/fuzz/support/devices.h"

namespace {

using namespace tenon;
using fuzz::check;

/// Waits for what a call started, so that an index out of range is not told to the next input.
void finish(Device device) {
  try {
    device.synchronize();
  } catch (const Error& error) {
    check(error.kind() == ErrorKind::InvalidArgument, error.what());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const bool ready = fuzz::find_devices();
  check(ready, "the devices are found");
  static const Device reference = device("reference"), hostile = device("faulty:0");
  fuzz::Calls calls({bytes, size}, reference, hostile);
  fuzz::Calls again({bytes, size}, hostile, reference);
  calls.run();
  again.run();
  finish(hostile);
  check(calls.used_any_index() || calls.trace() == again.trace(), "both devices give the same bits");
  return 0;
}
