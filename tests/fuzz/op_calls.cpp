// Random calls of the public API on the reference device and on the hostile one. Nothing but
// tenon::Error comes out, no device fails, and both give the same bits and the same texts.
#include "tests/fuzz/support/calls.h"
#include "tests/fuzz/support/check.h"
#include "tests/fuzz/support/devices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tenon;
  static const bool ready = fuzz::find_devices();
  fuzz::check(ready, "the devices are found");
  static const Device reference = device("reference"), hostile = device("faulty:0");
  fuzz::Calls calls({bytes, size}, reference, hostile);
  fuzz::Calls again({bytes, size}, hostile, reference);
  calls.run();
  again.run();
  const std::string difference = fuzz::difference(calls, again);
  fuzz::check(difference.empty(), difference);
  return 0;
}
