// Plugin faulty by its own table, without the core: a host that records what it is told, and a fresh
// copy of the library for each test, so that no counter of it is shared.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tenon/plugin.h>

namespace tenon::test {

/// What a plugin is given, and what it said.
class RecordingHost {
 public:
  RecordingHost();

  const TenonHost* table() const { return &table_; }
  void set(const std::string& key, const std::string& value);
  std::string error();
  std::vector<TenonFault> faults();
  /// All lines of level error.
  std::string errors_logged();

 private:
  TenonHost table_{};
  std::mutex mutex_;
  std::deque<std::string> values_;  // all that were ever set: an option's text lives on
  std::map<std::string, const char*> options_;
  std::string error_, log_;
  std::vector<TenonFault> faults_;
};

class Faulty : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Opens device 0, with what the options say now.
  void open() { device_ = open(0); }
  TenonDevice* open(std::uint32_t index);
  TenonStream* stream(TenonDevice* device = nullptr);
  std::uint64_t allocate(std::uint64_t bytes);
  std::int32_t try_allocate(std::uint64_t bytes, std::uint64_t* handle = nullptr);

  std::int32_t fill(TenonStream* stream, std::uint64_t handle, std::uint64_t offset,
                    std::uint64_t bytes, std::uint8_t value);
  std::int32_t copy(TenonStream* stream, TenonCopy copy);
  std::int32_t upload(TenonStream* stream, std::uint64_t handle, const void* from, std::uint64_t bytes);
  std::int32_t download(TenonStream* stream, void* to, std::uint64_t handle, std::uint64_t bytes);
  std::uint64_t signal(TenonStream* stream);
  /// Waits for all that is queued.
  std::int32_t finish(TenonStream* stream);
  /// Its bytes, by a stream of their own.
  std::vector<std::uint8_t> bytes_of(std::uint64_t handle, std::uint64_t bytes);

  RecordingHost host;
  const TenonPlugin* api = nullptr;
  TenonDevice* device_ = nullptr;

 private:
  std::filesystem::path file_;
  std::vector<TenonDevice*> devices_;
};

}  // namespace tenon::test
