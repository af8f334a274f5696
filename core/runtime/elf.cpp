// Reads the file header and the program headers; the section headers come last in a file.
#include "core/runtime/elf.h"

#include <elf.h>

#include <cstring>
#include <fstream>

namespace tenon::runtime {

std::string elf_problem(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return "it can't be read";
  const std::uint64_t size = std::filesystem::file_size(file);
  Elf64_Ehdr head{};
  in.read(reinterpret_cast<char*>(&head), sizeof head);
  if (in.gcount() < SELFMAG || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) {
    return "it is not a shared library";
  }
  if (static_cast<std::size_t>(in.gcount()) < sizeof head) return "it is truncated";
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_type != ET_DYN ||
      head.e_phentsize != sizeof(Elf64_Phdr)) {
    return "it is not a 64-bit shared library";
  }
  for (unsigned i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr segment{};
    in.seekg(static_cast<std::streamoff>(head.e_phoff + i * sizeof segment));
    in.read(reinterpret_cast<char*>(&segment), sizeof segment);
    if (!in || segment.p_offset > size || segment.p_filesz > size - segment.p_offset) {
      return "it is truncated";
    }
  }
  const std::uint64_t sections = std::uint64_t{head.e_shnum} * head.e_shentsize;
  if (head.e_shoff > size || sections > size - head.e_shoff) return "it is truncated";
  return "";
}

}  // namespace tenon::runtime
