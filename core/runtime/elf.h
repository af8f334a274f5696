// A look into a shared library before the system maps it: a truncated one would end the process.
#pragma once

#include <filesystem>
#include <string>

namespace tenon::runtime {

/// What is wrong with the file as a 64-bit ELF shared library, or "".
std::string elf_problem(const std::filesystem::path& file);

}  // namespace tenon::runtime
