// The handler does what a handler may: it writes one flag.
#include "tools/tenon/interrupt.h"

#include <csignal>

namespace tenon::cli {
namespace {

volatile std::sig_atomic_t caught = 0;

void handle(int signal) {
  caught = signal;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = handle;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int interrupt() {
  return caught;
}

}  // namespace tenon::cli
