// A fuzzer's bytes as calls of the public API, on a handful of small tensors.
#pragma once

#include <string>
#include <vector>

#include "tests/fuzz/support/call_table.h"

namespace tenon::fuzz {

class Calls {
 public:
  /// New tensors live on `device`; some move to `other`.
  Calls(Bytes in, Device device, Device other);

  /// Makes calls of lines that the bytes name, up to a limit, and looks at what is left.
  void run();
  /// Makes one call; whether it succeeded. Errors of Tenon's are part of it; all else passes through.
  bool call(const Line& line);
  /// Looks at the tensors that are left and their gradients.
  void finish();

  /// What each call came to, errors' texts and the bytes of the results: line by line the same on every
  /// device.
  const std::vector<std::string>& trace() const { return trace_; }

 private:
  Results results_of(const Line& line);
  void differentiate(const Results& results);
  void keep(const Line& line, const Tensor& result);
  void look(const std::string& name, const Tensor& x);
  std::string told(const Error& error) const;

  Bytes in_;
  Device device_, other_;
  std::vector<Tensor> pool_;
  std::vector<std::string> names_;  // of the lines that the pool is from
  std::vector<std::string> trace_;
};

/// The first line in which the traces differ, with both; nothing where they are the same.
std::string difference(const Calls& a, const Calls& b);

}  // namespace tenon::fuzz
