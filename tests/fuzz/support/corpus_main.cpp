// Runs the inputs that the arguments name, files or folders of them, through a fuzz target: what
// libFuzzer does with a corpus, for compilers and sanitizers that it does not come with.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

std::vector<fs::path> inputs_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The name goes first, so that it is the last word where the target aborts.
bool passes(const fs::path& file) {
  std::fprintf(stderr, "%s\n", file.c_str());
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) {
    std::fputs("  cannot be read\n", stderr);
    return false;
  }
  try {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "  threw: %s\n", error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  long ran = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    for (const fs::path& file : inputs_of(argv[i])) {
      ++ran;
      failed += !passes(file);
    }
  }
  std::fprintf(stderr, "%ld inputs, %ld failed\n", ran, failed);
  return ran == 0 || failed > 0;
}
