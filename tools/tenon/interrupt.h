// Ctrl-C asks once, politely: the first SIGINT or SIGTERM sets a flag, the second ends the process.
#pragma once

namespace tenon::cli {

void catch_interrupts();

/// The signal that asked to stop, or 0.
int interrupt();

}  // namespace tenon::cli
