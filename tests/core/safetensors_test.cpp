// safetensors: round trips, bytes made by hand from the format's text, and files that lie.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <span>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/io.h>

#include "core/io/atomic_file.h"
#include "core/io/safetensors_header.h"
#include "tests/support/devices.h"
#include "tests/support/rounds.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> bytes_of(const Tensor& x) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(x.numel() * size_of(x.dtype())));
  x.read(bytes);
  return bytes;
}

/// A file's bytes: the header's size, the header, the data.
std::string file_of(const std::string& header, const std::string& data = "") {
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i));
  return text + header + data;
}

std::string header_in(const std::string& file) {
  std::uint64_t size = 0;
  std::memcpy(&size, file.data(), 8);
  return file.substr(8, size);
}

class Safetensors : public testing::Test {
 protected:
  io::Safetensors load(std::string_view bytes) { return io::load(folder_.write("m", bytes)); }
  Thrown error(std::string_view bytes) {
    return thrown([&] { load(bytes); });
  }
  Thrown header_error(const std::string& header, const std::string& data = "") {
    return error(file_of(header, data));
  }
  /// `rest` after the file's name.
  Thrown says(const std::string& rest) { return io_error(folder_.file("m") + rest); }
  Thrown unexpected(const std::string& rest) { return says(": unexpected in the header: " + rest); }

  TempDir folder_;
};

class SafetensorsOn : public testing::TestWithParam<std::string> {
 protected:
  TempDir folder_;
};

TEST_P(SafetensorsOn, RoundTripOfEveryStoredDtype) {
  const Device target = device(GetParam());
  for (const DType dtype : target.info().storage_dtypes) {
    for (const Shape& shape :
         {Shape{}, Shape{0}, Shape{3, 0, 2}, Shape{1}, Shape{2, 3}, Shape{5, 1, 7}}) {
      std::vector<std::byte> bytes(static_cast<std::size_t>(numel(shape) * size_of(dtype)));
      for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(dtype == bool_ ? i % 2 : i * 7 + 1);
      const std::string file = folder_.file("m.safetensors");
      io::save(file, {{"x", from_bytes(bytes, shape, {.dtype = dtype, .device = target})}});
      const io::Safetensors back = io::load(file, target);
      ASSERT_EQ(back.tensors.size(), 1u);
      const Tensor& x = back.tensors[0].second;
      EXPECT_EQ(back.tensors[0].first, "x");
      EXPECT_EQ(x.dtype(), dtype);
      EXPECT_EQ(x.shape(), shape);
      EXPECT_EQ(x.device(), target);
      EXPECT_EQ(bytes_of(x), bytes) << name(dtype) << to_string(shape);
    }
  }
}

TEST_P(SafetensorsOn, EveryBitPatternOfTheSmallDtypesIsKept) {
  const Device target = device(GetParam());
  std::vector<std::uint16_t> all(
      0x10000);  // NaN payloads, denormals and zeros of both signs among them
  std::iota(all.begin(), all.end(), std::uint16_t{0});
  const std::span<const std::byte> bytes = std::as_bytes(std::span(all));
  const std::string file = folder_.file("all");
  nn::StateDict tensors;
  for (const DType dtype : target.info().storage_dtypes) {
    if (size_of(dtype) > 2 || dtype == bool_) continue;
    const std::int64_t count = static_cast<std::int64_t>(bytes.size()) / size_of(dtype);
    tensors.emplace_back(name(dtype), from_bytes(bytes, {count}, {.dtype = dtype, .device = target}));
  }
  io::save(file, tensors);
  for (const auto& [dtype, x] : io::load(file, target).tensors) {
    EXPECT_EQ(name(x.dtype()), dtype);
    EXPECT_TRUE(std::ranges::equal(bytes_of(x), bytes)) << dtype;
  }
}

TEST_P(SafetensorsOn, ViewsAreSavedRowMajor) {
  const Tensor x = tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}}, {.device = device(GetParam())});
  io::save(folder_.file("m"), {{"t", x.transpose(0, 1)}});
  const Tensor back = io::load(folder_.file("m")).tensors[0].second;
  EXPECT_EQ(back.shape(), (Shape{3, 2}));
  EXPECT_THAT(back.to_vector<float>(), ElementsAre(1, 4, 2, 5, 3, 6));
}

INSTANTIATE_TEST_SUITE_P(Devices, SafetensorsOn, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SafetensorsOn);

TEST_F(Safetensors, FileMadeByHand) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"BOOL","shape":[],"data_offsets":[16,17]},)"
      R"( "c" : { "data_offsets":[8,16], "shape":[1,1], "dtype":"I64" } }  )";
  const std::string data{"\x00\x00\x80\x3F\x00\x00\x00\xC0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 17};
  const io::Safetensors file = load(file_of(header, data));
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.tensors[0].first, "a");
  EXPECT_THAT(file.tensors[0].second.to_vector<float>(), ElementsAre(1.f, -2.f));
  EXPECT_EQ(file.tensors[1].first, "b");
  EXPECT_EQ(file.tensors[1].second.shape(), Shape{});
  EXPECT_THAT(file.tensors[1].second.to_vector<bool>(), ElementsAre(true));
  EXPECT_EQ(file.tensors[2].first, "c");
  EXPECT_EQ(file.tensors[2].second.shape(), (Shape{1, 1}));
  EXPECT_THAT(file.tensors[2].second.to_vector<std::int64_t>(), ElementsAre(-2));
  EXPECT_THAT(file.metadata, ElementsAre(testing::Pair("format", "pt")));
}

TEST_F(Safetensors, SavedBytes) {
  io::save(folder_.file("s"), {{"m", tensor({true, false, true})}, {"w", tensor({{1.f}, {-2.f}})}},
           {{"k", "v\n"}});
  const std::string header =
      R"({"__metadata__":{"k":"v\n"},"m":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]},)"
      R"("w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string data{"\x00\x00\x80\x3F\x00\x00\x00\xC0\x01\x00\x01", 11};
  EXPECT_EQ(folder_.read("s"), file_of(padded, data));
  EXPECT_THAT(folder_.names(), ElementsAre("s"));
}

TEST_F(Safetensors, OrderNamesAndMetadataComeBack) {
  const nn::StateDict tensors{{"z", tensor({1.f})},   {"a.\"b\"\\\n", tensor({true})},
                              {"empty", zeros({0})},  {"also empty", zeros({0, 3})},
                              {"größe", tensor({7})}, {"", tensor({2.f, 3.f})}};
  const std::map<std::string, std::string> metadata{{"config", R"({"lr": 0.1})"}, {"é\t", ""}};
  io::save(folder_.file("m"), tensors, metadata);
  const io::Safetensors back = io::load(folder_.file("m"));
  EXPECT_EQ(back.metadata, metadata);
  ASSERT_EQ(back.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(back.tensors[i].first, tensors[i].first);
    EXPECT_EQ(bytes_of(back.tensors[i].second), bytes_of(tensors[i].second));
  }
}

TEST_F(Safetensors, NoTensorsAtAll) {
  io::save(folder_.file("m"), {});
  EXPECT_EQ(folder_.read("m"), file_of("{}      "));
  EXPECT_TRUE(io::load(folder_.file("m")).tensors.empty());
}

TEST_F(Safetensors, SavingOverAnOlderFileKeepsItsMode) {
  const std::string file = folder_.write("m", "old");
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  io::save(file, {{"x", tensor({1.f})}});
  struct stat status;
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(io::load(file).tensors.size(), 1u);
}

TEST_F(Safetensors, SavingThroughALinkKeepsTheLink) {
  const std::string file = folder_.write("m", "old"), link = folder_.file("link");
  std::filesystem::create_symlink("m", link);
  io::save(link, {{"x", tensor({1.f})}});
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(io::load(file).tensors.size(), 1u);
}

// --- What cannot be written ---

TEST_F(Safetensors, WhatCannotBeSaved) {
  const std::string file = folder_.file("m");
  const Tensor x = tensor({1.f});
  const auto error = [&](const nn::StateDict& tensors,
                         std::map<std::string, std::string> metadata = {}) {
    return thrown([&] { io::save(file, tensors, metadata); });
  };
  EXPECT_EQ(error({{"x", x}, {"x", x}}), invalid_argument("[save] two tensors are named \"x\""));
  EXPECT_EQ(error({{"x", Tensor()}}), invalid_argument("[save] tensor \"x\" is undefined"));
  EXPECT_EQ(error({{"__metadata__", x}}),
            invalid_argument("[save] a tensor cannot be named \"__metadata__\""));
  EXPECT_EQ(error({{"\xFF", x}}), invalid_argument("[save] \"\xEF\xBF\xBD\" is not UTF-8"));
  EXPECT_EQ(error({}, {{"k", "\x80"}}), invalid_argument("[save] \"\xEF\xBF\xBD\" is not UTF-8"));
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(Safetensors, PlacesThatCannotBeWritten) {
  const std::string plain = folder_.write("plain", "text"), fifo = folder_.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_directory(folder_.path() / "folder");
  const std::pair<std::string, std::string> cases[] = {
      {folder_.file("missing/m"), "No such file or directory"},
      {plain + "/m", "Not a directory"},
      {folder_.file("folder"), "Is a directory"},
      {folder_.file("folder/"), "Is a directory"},
      {"", "No such file or directory"},
      {fifo, "not a regular file"},
      {folder_.file(std::string(300, 'n')), "File name too long"},
  };
  for (const auto& [file, reason] : cases) {
    EXPECT_EQ(thrown([&] { io::save(file, {{"x", tensor({1.f})}}); }),
              io_error(file + ": cannot be written: " + reason));
  }
  EXPECT_THAT(folder_.names(), testing::UnorderedElementsAre("plain", "fifo", "folder"));
}

TEST_F(Safetensors, ReadOnlyFolder) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  const std::string file = folder_.file("m");
  EXPECT_EQ(thrown([&] { io::save(file, {{"x", tensor({1.f})}}); }),
            io_error(file + ": cannot be written: Permission denied"));
  ::chmod(folder_.path().c_str(), 0700);
}

TEST_F(Safetensors, FullDiskLeavesTheOldFileAndNoOther) {
  const std::string file = folder_.write("m", "old");
  const Tensor large = zeros({1 << 16});
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Thrown error = thrown([&] { io::save(file, {{"x", large}}); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error, io_error(file + ": cannot be written: File too large"));
  EXPECT_EQ(folder_.read("m"), "old");
  EXPECT_THAT(folder_.names(), ElementsAre("m"));
}

TEST_F(Safetensors, NothingIsThereBeforeCommit) {
  {
    io::AtomicFile file(folder_.file("m"));
    file.write(std::as_bytes(std::span("half", 4)));
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "m"));
    EXPECT_EQ(folder_.names().size(), 1u);
  }
  EXPECT_TRUE(folder_.names().empty());
}

// --- What cannot be read ---

TEST_F(Safetensors, FilesThatAreNone) {
  const std::string missing = folder_.file("missing"), folder = folder_.path().string();
  EXPECT_EQ(thrown([&] { io::load(missing); }),
            io_error(missing + ": cannot be read: No such file or directory"));
  EXPECT_EQ(thrown([&] { io::load(folder); }), io_error(folder + ": cannot be read: Is a directory"));
  EXPECT_EQ(thrown([&] { io::load("/dev/null"); }), io_error("/dev/null: not a regular file"));
  EXPECT_EQ(error(""), says(": 0 bytes are too few for a safetensors file"));
  EXPECT_EQ(error("1234567"), says(": 7 bytes are too few for a safetensors file"));
  EXPECT_EQ(error(file_of("")), says(": the header is not a JSON object; is it a safetensors file?"));
}

TEST_F(Safetensors, HeaderSizesThatLie) {
  const auto with_size = [](std::uint64_t size) {
    std::string file = file_of("{}");
    std::memcpy(file.data(), &size, 8);
    return file;
  };
  const std::string limit = " bytes, over the limit of 100000000; is it a safetensors file?";
  EXPECT_EQ(error(with_size(10'000'000'000)), says(": a header of 10000000000" + limit));
  EXPECT_EQ(error(with_size(~std::uint64_t{0})), says(": a header of 18446744073709551615" + limit));
  EXPECT_EQ(error(with_size(100'000'001)), says(": a header of 100000001" + limit));
  EXPECT_EQ(error(with_size(100'000'000)),
            says(": a header of 100000000 bytes, but 2 follow: is the file cut?"));
  EXPECT_EQ(error(with_size(3)), says(": a header of 3 bytes, but 2 follow: is the file cut?"));
  EXPECT_EQ(error(with_size(1)), says(": the header is not JSON, at byte 2 of it"));
}

TEST_F(Safetensors, HeadersOfOtherThanJson) {
  const Thrown no_object = says(": the header is not a JSON object; is it a safetensors file?");
  using namespace std::string_literals;
  for (const std::string& header :
       {"[]"s, " {}"s, "1"s, "null"s, "\xEF\xBB\xBF{}"s, "{}\0{}"s, "{}\0"s})
    EXPECT_EQ(header_error(header), no_object) << header;
  EXPECT_EQ(header_error("{} {}"), says(": the header is not JSON, at byte 4 of it"));
  EXPECT_EQ(header_error("{\"a\":"), says(": the header is not JSON, at byte 6 of it"));
  EXPECT_EQ(header_error("{\"\xFF\":{}}"), says(": the header is not JSON, at byte 3 of it"));
  EXPECT_EQ(header_error("{'a':{}}"), says(": the header is not JSON, at byte 2 of it"));
}

TEST_F(Safetensors, HeadersOfOtherStructure) {
  const auto tensor_error = [&](const std::string& members) {
    return header_error("{\"a\":{" + members + "}}", "1234");
  };
  const std::string rest = R"("shape":[1],"data_offsets":[0,4])", f32 = R"("dtype":"F32",)";
  EXPECT_EQ(header_error(R"({"a":1})"), unexpected("1 at \"a\""));
  EXPECT_EQ(header_error(R"({"a":"x"})"), unexpected("a string at \"a\""));
  EXPECT_EQ(header_error(R"({"a":[]})"), unexpected("an array at \"a\""));
  EXPECT_EQ(header_error(R"({"a":null})"), unexpected("null at \"a\""));
  EXPECT_EQ(header_error(R"({"__metadata__":"x"})"), unexpected("a string at \"__metadata__\""));
  EXPECT_EQ(header_error(R"({"__metadata__":{"k":1}})"), unexpected("1 at \"k\""));
  EXPECT_EQ(header_error(R"({"__metadata__":{"k":{}}})"), unexpected("an object at \"k\""));
  EXPECT_EQ(header_error(R"({"__metadata__":{"k":"a","k":"b"}})"),
            unexpected("a second value at \"k\""));
  EXPECT_EQ(header_error(R"({"__metadata__":{},"__metadata__":{}})"),
            unexpected("a second value at \"__metadata__\""));
  EXPECT_EQ(header_error("{\"a\":{" + f32 + rest + "},\"a\":{" + f32 + rest + "}}", "1234"),
            unexpected("a second value at \"a\""));
  EXPECT_EQ(header_error(R"({"a\n\u001b":1})"), unexpected(R"(1 at "a\n\u001b")"));
  EXPECT_EQ(tensor_error(f32 + f32 + rest), unexpected(R"(a second value at "a", "dtype")"));
  EXPECT_EQ(tensor_error(R"("dtype":"F31",)" + rest),
            unexpected(R"(the unknown dtype "F31" at "a", "dtype")"));
  EXPECT_EQ(tensor_error(R"("dtype":"f32",)" + rest),
            unexpected(R"(the unknown dtype "f32" at "a", "dtype")"));
  EXPECT_EQ(tensor_error(R"("dtype":7,)" + rest), unexpected(R"(7 at "a", "dtype")"));
  EXPECT_EQ(tensor_error(R"("dtype":["F32"],)" + rest), unexpected(R"(an array at "a", "dtype")"));
  EXPECT_EQ(tensor_error(R"("size":4,)" + rest), unexpected(R"(a key at "a", "size")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":"1")"), unexpected(R"(a string at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[-1])"), unexpected(R"(-1 at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[1.0])"), unexpected(R"(1.0 at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[true])"), unexpected(R"(true at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[[1]])"), unexpected(R"(an array at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":{})"), unexpected(R"(an object at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[1,1,1,1,1,1,1,1,1])"),
            unexpected(R"(more than 8 numbers at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[9223372036854775808])"),
            unexpected(R"(9223372036854775808 at "a", "shape")"));
  EXPECT_EQ(tensor_error(f32 + R"("shape":[18446744073709551616])"),
            unexpected(R"(18446744073709551616 at "a", "shape")"));
  EXPECT_EQ(tensor_error(R"("data_offsets":[0])"),
            unexpected(R"(fewer than 2 numbers at "a", "data_offsets")"));
  EXPECT_EQ(tensor_error(R"("data_offsets":[0,4,8])"),
            unexpected(R"(more than 2 numbers at "a", "data_offsets")"));
  EXPECT_EQ(tensor_error(R"("data_offsets":[-4,4])"), unexpected(R"(-4 at "a", "data_offsets")"));
  for (const std::string& members : {std::string(), rest, std::string(R"("dtype":"F32","shape":[1])")})
    EXPECT_EQ(tensor_error(members), says(": tensor \"a\" has no dtype, shape or data_offsets"));
}

TEST_F(Safetensors, NestingIsNoDanger) {
  std::string deep = "{\"a\":{\"shape\":" + std::string(1'000'000, '[');
  EXPECT_EQ(header_error(deep), unexpected(R"(an array at "a", "shape")"));
  deep = std::string(1, '{');
  for (int i = 0; i < 100'000; ++i) deep += "\"a\":{";
  EXPECT_EQ(header_error(deep), unexpected(R"(a key at "a", "a")"));
}

/// An entry of U8 elements.
std::string u8_entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"U8","shape":[)" + shape + R"(],"data_offsets":[)" + offsets +
         "]}";
}

TEST_F(Safetensors, OffsetsThatLie) {
  const auto one = [&](const std::string& shape, const std::string& offsets) {
    return header_error("{" + u8_entry("a", shape, offsets) + "}", "12345678");
  };
  EXPECT_EQ(one("2,3", "0,8"),
            says(": tensor \"a\" is U8 (2, 3), 6 bytes, but its offsets are 0 and 8"));
  EXPECT_EQ(one("4", "8,4"), says(": tensor \"a\" is U8 (4,), 4 bytes, but its offsets are 8 and 4"));
  EXPECT_EQ(one("0", "4,0"), says(": tensor \"a\" is U8 (0,), 0 bytes, but its offsets are 4 and 0"));
  EXPECT_EQ(one("9", "0,9"),
            says(": tensor \"a\" ends at byte 9 of the data, of which there are 8: is it cut?"));
  EXPECT_EQ(
      one("4", "18446744073709551611,18446744073709551615"),
      says(": tensor \"a\" ends at byte 18446744073709551615 of the data, of which there are 8: is "
           "it cut?"));
  EXPECT_EQ(one("7", "1,8"),
            says(": tensor \"a\" begins at byte 1 of the data, but the one before ends at 0"));
  EXPECT_EQ(one("7", "0,7"), says(": the tensors end at byte 7 of the data, of which there are 8"));
  EXPECT_EQ(header_error("{}", "1"),
            says(": the tensors end at byte 0 of the data, of which there are 1"));
}

TEST_F(Safetensors, ShapesThatOverflow) {
  for (const char* shape : {"4294967296,4294967296", "9223372036854775807,2", "0,9223372036854775807,3",
                            "65536,65536,65536,65536"}) {
    EXPECT_EQ(header_error("{" + u8_entry("a", shape, "0,0") + "}").kind, ErrorKind::IoError);
    EXPECT_THAT(header_error("{" + u8_entry("a", shape, "0,0") + "}").text,
                HasSubstr("has more bytes than 64 bits can count"));
  }
}

TEST_F(Safetensors, TensorsThatOverlapOrLeaveGaps) {
  const auto two = [&](const std::string& a, const std::string& b) {
    return header_error("{" + u8_entry("a", "4", a) + "," + u8_entry("b", "4", b) + "}", "12345678");
  };
  EXPECT_EQ(two("0,4", "3,7"),
            says(": tensor \"b\" begins at byte 3 of the data, but the one before ends at 4"));
  EXPECT_EQ(two("4,8", "4,8"),
            says(": tensor \"a\" begins at byte 4 of the data, but the one before ends at 0"));
  EXPECT_EQ(two("4,8", "1,5"),
            says(": tensor \"b\" begins at byte 1 of the data, but the one before ends at 0"));
  EXPECT_EQ(
      header_error("{" + u8_entry("a", "4", "0,4") + "," + u8_entry("b", "0", "2,2") + "}", "1234"),
      says(": tensor \"b\" begins at byte 2 of the data, but the one before ends at 4"));
}

TEST_F(Safetensors, BytesThatAreNoBool) {
  EXPECT_EQ(header_error(R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", "\1\2\1"),
            says(": tensor \"a\" holds the byte 2; a bool is 0 or 1"));
}

std::string valid_file(const TempDir& folder) {
  io::save(folder.file("valid"),
           {{"weight", tensor({{1.f, 2.f}, {3.f, 4.f}})}, {"mask", tensor({true, false, true})}},
           {{"format", "tenon"}});
  return folder.read("valid");
}

TEST_F(Safetensors, CutAnywhereIsAnError) {
  const std::string valid = valid_file(folder_);
  for (std::size_t size = 0; size < valid.size(); ++size)
    EXPECT_EQ(error(valid.substr(0, size)).kind, ErrorKind::IoError) << size;
  EXPECT_EQ(error(valid + "x").kind, ErrorKind::IoError);
  EXPECT_EQ(load(valid).tensors.size(), 2u);
}

TEST_F(Safetensors, ChangedHeadersNeverCrash) {
  const std::string valid = valid_file(folder_);
  const std::size_t header_end = 8 + header_in(valid).size();
  std::mt19937 random(11);
  std::uint64_t errors = 0;
  for (std::uint64_t round = 0; round < rounds(1000); ++round) {
    std::string changed = valid;
    for (auto n = 1 + random() % 3; n > 0; --n)
      changed[random() % header_end] = static_cast<char>(random());
    try {
      for (const auto& [name, x] : load(changed).tensors)
        EXPECT_LE(x.numel() * size_of(x.dtype()), 16) << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::IoError) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      ++errors;
    }
  }
  EXPECT_GT(errors, rounds(1000) / 2);
}

TEST(SafetensorsHeader, NamesOfDtypes) {
  EXPECT_EQ(io::safetensors_name(bool_), "BOOL");
  EXPECT_EQ(io::safetensors_name(bf16), "BF16");
  EXPECT_EQ(io::safetensors_name(u64), "U64");
  const std::pair<const char*, DType> names[] = {
      {"BOOL", bool_}, {"U8", u8},   {"I8", i8},   {"U16", u16}, {"I16", i16},
      {"U32", u32},    {"I32", i32}, {"U64", u64}, {"I64", i64}, {"F16", f16},
      {"BF16", bf16},  {"F32", f32}, {"F64", f64},
  };
  for (const auto& [text, dtype] : names) {
    const std::string header =
        std::string(R"({"x":{"dtype":")") + text + R"(","shape":[0],"data_offsets":[0,0]}})";
    EXPECT_EQ(io::parse_header("f", header, 0).tensors.at(0).dtype, dtype) << text;
  }
}

}  // namespace
}  // namespace tenon::test
