// What a thread's guards hold: whether ops are recorded, and in which module.
#pragma once

#include <string>

namespace tenon::autograd {

/// Whether an AnomalyMode lives on this thread.
bool anomaly_mode();

/// The module that is being called: an object and how to spell its path.
struct CallSite {
  const void* module = nullptr;
  std::string (*path)(const void* module) = nullptr;
};

/// Sets the thread's call site and returns what it was.
CallSite exchange_call_site(CallSite site);

/// The path of the module that is being called, under AnomalyMode; else "".
std::string recording_module();

}  // namespace tenon::autograd
