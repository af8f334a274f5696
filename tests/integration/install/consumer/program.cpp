// A program of somebody else, over the installed headers and library.
#include <cstdio>

#include <tenon/tenon.h>

int main() {
  const tenon::Device device = tenon::device("reference");
  const tenon::Tensor sum = tenon::full({1}, 1.0, {.device = device}) + 2;
  std::printf("%s: 1 + 2 = %g\n", device.name().c_str(), sum.item<double>());
}
