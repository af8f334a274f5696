// What plugins are given: the TenonHost behind every plugin, and what the calling thread was told.
#pragma once

#include <optional>
#include <string>

#include <tenon/plugin.h>

namespace tenon::runtime {

/// The host table for one plugin; lives as long as the process. `plugin` names it in options
/// (option "isa" of plugin cpu: set_option("cpu.isa"), then TENON_CPU_ISA, then the same without "cpu")
/// and in the log.
const TenonHost* make_host(const std::string& plugin);

/// The text of the calling thread's last host->fail, or host->note, and forgets it.
std::string take_error();
std::string take_note();
/// The core's own reason where it refuses before the plugin is asked.
void set_note(const std::string& note);
/// The first fault reported on this thread since the last call, if any, and forgets it.
std::optional<TenonFault> take_fault();
/// Whether there is one.
bool fault_pending() noexcept;
/// The calling thread will ask for its faults. On a thread that never does, such as a plugin's own,
/// a fault goes to the log.
void expect_faults() noexcept;

/// What the plugin's options read first; see tenon::set_option.
void store_option(const std::string& key, const std::string& value);

}  // namespace tenon::runtime
