// Errors are exceptions inside a plugin and codes at its border; `guarded` is the border.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <tenon/plugin.h>

namespace tenon::sdk {

/// The device does not do this; becomes TENON_UNSUPPORTED with the text as host->note.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Becomes `code`, a negative status, with the text as host->fail.
struct Failure : std::runtime_error {
  Failure(int32_t status, const std::string& text) : std::runtime_error(text), code(status) {}
  int32_t code;
};

/// The status that `body()` returns, or the status of what it throws. Every function of a table that
/// may throw runs in one of these.
template <class Body>
int32_t guarded(const TenonHost& host, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const Unsupported& refusal) {
    host.note(host.ctx, refusal.what());
    return TENON_UNSUPPORTED;
  } catch (const Failure& failure) {
    return host.fail(host.ctx, failure.code, failure.what());
  } catch (const std::bad_alloc&) {
    return host.fail(host.ctx, TENON_OOM, "the plugin is out of host memory");
  } catch (const std::exception& error) {
    return host.fail(host.ctx, TENON_INTERNAL, error.what());
  } catch (...) {
    return host.fail(host.ctx, TENON_INTERNAL, "the plugin threw something that is no std::exception");
  }
}

}  // namespace tenon::sdk
