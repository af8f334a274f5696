// The guards of a thread.
#include "core/autograd/modes.h"

#include <utility>

#include <tenon/autograd.h>

namespace tenon {
namespace {

thread_local bool recording = true;
thread_local bool inferring = false;
thread_local bool looking_for_anomalies = false;
thread_local autograd::CallSite call_site;

}  // namespace

NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() {
  recording = before_;
}

EnableGrad::EnableGrad() : before_(std::exchange(recording, true)) {}
EnableGrad::~EnableGrad() {
  recording = before_;
}

InferenceMode::InferenceMode() : before_(std::exchange(inferring, true)) {}
InferenceMode::~InferenceMode() {
  inferring = before_;
}

bool grad_enabled() {
  return recording && !inferring;
}

bool inference_mode() {
  return inferring;
}

namespace autograd {

AnomalyMode::AnomalyMode() : before_(std::exchange(looking_for_anomalies, true)) {}
AnomalyMode::~AnomalyMode() {
  looking_for_anomalies = before_;
}

bool anomaly_mode() {
  return looking_for_anomalies;
}

CallSite exchange_call_site(CallSite site) {
  return std::exchange(call_site, site);
}

std::string recording_module() {
  return looking_for_anomalies && call_site.path != nullptr ? call_site.path(call_site.module) : "";
}

}  // namespace autograd
}  // namespace tenon
