// CSV as people have it, and what is said of a file that is none.
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include <tenon/io.h>

#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace tenon::test {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Names = std::vector<std::string>;
using Lines = std::vector<std::int64_t>;

class Csv : public testing::Test {
 protected:
  io::CsvTable read(std::string_view text, io::CsvOptions options = {}) {
    return io::read_csv(folder_.write("t.csv", text), options);
  }
  Thrown error(std::string_view text, io::CsvOptions options = {}) {
    return thrown([&] { read(text, options); });
  }
  /// `rest` after the file's name.
  Thrown says(const std::string& rest) { return io_error(folder_.file("t.csv") + rest); }

  TempDir folder_;
};

TEST_F(Csv, HeaderRowsAndLines) {
  const io::CsvTable table = read("a,b\n1,2\n3,x\n");
  EXPECT_EQ(table.file, folder_.file("t.csv"));
  EXPECT_TRUE(table.has_header);
  EXPECT_EQ(table.names, (Names{"a", "b"}));
  EXPECT_EQ(table.rows, (Rows{{"1", "2"}, {"3", "x"}}));
  EXPECT_EQ(table.lines, (Lines{2, 3}));
}

TEST_F(Csv, LineEnds) {
  const Rows rows{{"1", "2"}, {"3", "4"}};
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n",
                           "a,b\r\n1,2\r\n3,4", "a,b\r1,2\r3,4\r", "a,b\n1,2\r\n3,4\n\n\r\n"}) {
    const io::CsvTable table = read(text);
    EXPECT_EQ(table.names, (Names{"a", "b"})) << text;
    EXPECT_EQ(table.rows, rows) << text;
    EXPECT_EQ(table.lines, (Lines{2, 3})) << text;
  }
}

TEST_F(Csv, ByteOrderMark) {
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "a,b\n1,2\n")
                .names,
            (Names{"a", "b"}));
  EXPECT_EQ(read("\xEF\xBB\xBF\"a\",b\n1,2\n").names, (Names{"a", "b"}));
}

TEST_F(Csv, BlankLinesAreSkippedAndCounted) {
  const io::CsvTable table = read("\n  \na\n\n1\n\t\n\"\"\n2\n");
  EXPECT_EQ(table.names, Names{"a"});
  EXPECT_EQ(table.rows, (Rows{{"1"}, {""}, {"2"}}));
  EXPECT_EQ(table.lines, (Lines{5, 7, 8}));
}

TEST_F(Csv, SpacesAroundCells) {
  const io::CsvTable table = read("  a , b c\t,d\n 1 ,\t2 ,  \n\" 3 \" , \"4\" , x y \n");
  EXPECT_EQ(table.names, (Names{"a", "b c", "d"}));
  EXPECT_EQ(table.rows, (Rows{{"1", "2", ""}, {" 3 ", "4", "x y"}}));
}

TEST_F(Csv, Quotes) {
  const io::CsvTable table =
      read("\"a\",\"b,c\",\"d \"\"e\"\"\"\n1,\"x\ny\r\nz\",\"\"\n2,\"\"\"\",5\" pipe\n");
  EXPECT_EQ(table.names, (Names{"a", "b,c", "d \"e\""}));
  EXPECT_EQ(table.rows, (Rows{{"1", "x\ny\r\nz", ""}, {"2", "\"", "5\" pipe"}}));
  EXPECT_EQ(table.lines, (Lines{2, 5}));
}

TEST_F(Csv, EmptyCells) {
  EXPECT_EQ(read("1,,3\n,,\n,5,\n").rows, (Rows{{"1", "", "3"}, {"", "", ""}, {"", "5", ""}}));
}

TEST_F(Csv, OtherSeparators) {
  EXPECT_EQ(read("a;b\n1,5;2\n", {.separator = ';'}).rows, (Rows{{"1,5", "2"}}));
  EXPECT_EQ(read("a\tb\tc\n1\t\t \n", {.separator = '\t'}).rows, (Rows{{"1", "", ""}}));
  EXPECT_EQ(read("a b\n1 2\n", {.separator = ' '}).rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(error("a\n1\n", {.separator = '"'}),
            invalid_argument("[read_csv] a quote or a line's end is no separator"));
}

TEST_F(Csv, Utf8) {
  const char* text = "größe,名,😀\n1,é,ß\n";
  EXPECT_EQ(read(text).names, (Names{"größe", "名", "😀"}));
}

TEST_F(Csv, HeaderIsFound) {
  const auto has_header = [&](const char* text) { return read(text).has_header; };
  EXPECT_TRUE(has_header("a,b\n1,x\n"));
  EXPECT_TRUE(has_header("a,b\nx,y\nx,3\n"));
  EXPECT_TRUE(has_header("\"carat\",\"cut\"\n0.23,\"Ideal\"\n"));
  EXPECT_TRUE(has_header(",a\n0,1\n"));
  EXPECT_TRUE(has_header("a,b\n,\n,2\n"));
  EXPECT_FALSE(has_header("1,2\n3,4\n"));
  EXPECT_FALSE(has_header("5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n"));
  EXPECT_FALSE(has_header("a,2\n3,4\n"));
  EXPECT_FALSE(has_header("nan,x\n1,y\n"));
  EXPECT_FALSE(has_header(",x\n1,x\n"));
  EXPECT_FALSE(has_header("7,x\n"));
}

TEST_F(Csv, HeaderOfTextTables) {
  const auto has_header = [&](const char* text) { return read(text).has_header; };
  EXPECT_TRUE(has_header("name,color\nbob,red\nann,blue\n"));
  EXPECT_FALSE(has_header("yes,no\nno,no\n"));
  EXPECT_FALSE(has_header("x,x\ny,z\n"));
  EXPECT_FALSE(has_header("x,\ny,z\n"));
}

TEST_F(Csv, HeaderIsTold) {
  const io::CsvTable with = read("1,2\n3,4\n", {.header = true});
  EXPECT_EQ(with.names, (Names{"1", "2"}));
  EXPECT_EQ(with.rows, (Rows{{"3", "4"}}));
  const io::CsvTable without = read("a,b\n3,4\n", {.header = false});
  EXPECT_FALSE(without.has_header);
  EXPECT_EQ(without.names, (Names{"0", "1"}));
  EXPECT_EQ(without.rows, (Rows{{"a", "b"}, {"3", "4"}}));
  EXPECT_EQ(without.lines, (Lines{1, 2}));
}

TEST_F(Csv, UnnamedColumnsAreNamedByIndex) {
  EXPECT_EQ(read(",a,\n0,1,2\n").names, (Names{"0", "a", "2"}));
}

TEST_F(Csv, ColumnByNameThenIndex) {
  const io::CsvTable table = read("a,1,b\n4,5,6\n", {.header = true});
  EXPECT_EQ(table.column("a"), 0u);
  EXPECT_EQ(table.column("1"), 1u);
  EXPECT_EQ(table.column("2"), 2u);
  EXPECT_EQ(table.column("-1"), 2u);
  EXPECT_EQ(table.column("-3"), 0u);
  for (const char* name : {"c", "3", "-4", "", "A", "1.0", "+1", "0x", "99999999999999999999"}) {
    EXPECT_EQ(thrown([&] { table.column(name); }),
              invalid_argument(table.file + ": no column \"" + name + "\"; there are a, 1, b"));
  }
}

TEST_F(Csv, ColumnErrorListsTwenty) {
  std::string text = "0", list = "0";
  for (int c = 1; c < 23; ++c) {
    text += "," + std::to_string(c);
    if (c < 20) list += ", " + std::to_string(c);
  }
  const io::CsvTable table = read(text);
  EXPECT_EQ(thrown([&] { table.column("x"); }),
            invalid_argument(table.file + ": no column \"x\"; there are " + list + ", and 3 more"));
}

TEST_F(Csv, FilesThatCannotBeRead) {
  const std::string missing = folder_.file("missing.csv"), folder = folder_.path().string();
  EXPECT_EQ(thrown([&] { io::read_csv(missing); }),
            io_error(missing + ": cannot be read: No such file or directory"));
  EXPECT_EQ(thrown([&] { io::read_csv(folder); }),
            io_error(folder + ": cannot be read: Is a directory"));
  EXPECT_EQ(thrown([&] { io::read_csv(""); }), io_error(": cannot be read: No such file or directory"));
}

TEST_F(Csv, EmptyFiles) {
  for (const char* text : {"", "\n", " \r\n\t\n", "\xEF\xBB\xBF", "\xEF\xBB\xBF\n"})
    EXPECT_EQ(error(text), says(": the file is empty"));
}

TEST_F(Csv, HeaderOnly) {
  EXPECT_EQ(error("a,b\n"), says(": no data rows after the header in line 1"));
  EXPECT_EQ(error("\na,b"), says(": no data rows after the header in line 2"));
  EXPECT_EQ(error("1,2\n", {.header = true}), says(": no data rows after the header in line 1"));
}

TEST_F(Csv, BinaryFiles) {
  const std::string rest = "): a binary file, or CSV that must be saved as UTF-8";
  using namespace std::string_view_literals;
  EXPECT_EQ(error("a,b\n1,\0\n"sv), says(":2: not UTF-8 text (byte 0x00 at offset 6" + rest));
  EXPECT_EQ(error("\x1F\x8B\x08"sv), says(":1: not UTF-8 text (byte 0x8b at offset 1" + rest));
  EXPECT_EQ(error("a\ncaf\xE9\n"sv), says(":2: not UTF-8 text (byte 0xe9 at offset 5" + rest));
  for (const char* bytes :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    EXPECT_EQ(error(bytes).text.find(says(":1: not UTF-8 text (byte").text), 0u) << bytes;
  for (const char* text : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(read(text, {.header = false}).rows, (Rows{{text}}));
}

TEST_F(Csv, Utf16) {
  using namespace std::string_view_literals;
  EXPECT_EQ(error("\xFF\xFE"
                  "a\0"sv),
            says(": UTF-16 text; save it as UTF-8"));
  EXPECT_EQ(error("\xFE\xFF\0a"sv), says(": UTF-16 text; save it as UTF-8"));
}

TEST_F(Csv, RaggedRows) {
  EXPECT_EQ(error("a,b,c\n1,2,3\n\n1,2\n"), says(":4: 2 cells, but the header has 3"));
  EXPECT_EQ(error("a,b\n1,2\n1,2,3\n"), says(":3: 3 cells, but the header has 2"));
  EXPECT_EQ(error("1,2\n1\n"), says(":2: 1 cell, but the first row has 2"));
}

TEST_F(Csv, QuotesLeftOpen) {
  EXPECT_EQ(error("a,b\n1,\"x\n2,3\n"), says(":2:2: the quote that opens this cell is never closed"));
  EXPECT_EQ(error("\""), says(":1:1: the quote that opens this cell is never closed"));
  EXPECT_EQ(error("a\n\"\"\"\n"), says(":2:1: the quote that opens this cell is never closed"));
}

TEST_F(Csv, TextAfterAQuote) {
  EXPECT_EQ(error("a,b\n1,\"x\ny\"z\n"),
            says(":3:2: text after the closing quote; a quote in a quoted cell is written twice"));
}

TEST_F(Csv, NamesThatStandTwice) {
  EXPECT_EQ(error("a,b,a\n1,2,3\n"), says(":1:3: column 1 is named \"a\" too"));
  EXPECT_EQ(error("\n1,1\n1,2\n", {.header = true}), says(":2:2: column 1 is named \"1\" too"));
}

/// A cell written in one of the ways that mean it.
std::string written(const std::string& cell, std::mt19937& random) {
  const bool plain = cell.find_first_of(",\"\r\n ") == std::string::npos;
  const std::string pad(random() % 3, ' ');
  if (plain && random() % 2) return pad + cell + pad;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
  return pad + text + "\"" + pad;
}

TEST_F(Csv, GeneratedTables) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces{"a", "7", "\"", ",", "\n", "\r\n", " ", "é", "-1.5"};
  for (int round = 0; round < 300; ++round) {
    Rows rows(1 + random() % 6, Names(2 + random() % 4));
    std::string text;
    for (auto& row : rows) {
      for (std::size_t c = 0; c < row.size(); ++c) {
        row.resize(rows.front().size());
        for (auto n = random() % 5; n > 0; --n) row[c] += pieces[random() % pieces.size()];
        text += (c > 0 ? "," : "") + written(row[c], random);
      }
      text += random() % 2 ? "\n" : "\r\n";
    }
    EXPECT_EQ(read(text, {.header = false}).rows, rows) << text;
  }
}

TEST_F(Csv, ManyRows) {
  std::string text = "id,half,name\n";
  for (int r = 0; r < 54000; ++r)
    text += std::to_string(r) + "," + std::to_string(r * 0.5) + ",\"row " + std::to_string(r) + "\"\n";
  const io::CsvTable table = read(text);
  ASSERT_EQ(table.rows.size(), 54000u);
  EXPECT_EQ(table.rows[53999], (Names{"53999", "26999.500000", "row 53999"}));
  EXPECT_EQ(table.lines[53999], 54001);
}

TEST(ParseNumber, Numbers) {
  const std::pair<const char*, double> cases[] = {
      {"1.5", 1.5}, {"-3e-4", -3e-4},  {"+2", 2},           {"0", 0},           {".5", 0.5},
      {"5.", 5},    {"1E3", 1000},     {"-0", -0.0},        {"007", 7},         {"1e308", 1e308},
      {"0.1", 0.1}, {"inf", INFINITY}, {"-inf", -INFINITY}, {"5e-324", 5e-324},
  };
  for (const auto& [text, value] : cases) {
    const std::optional<double> number = io::parse_number(text);
    ASSERT_TRUE(number.has_value()) << text;
    EXPECT_EQ(*number, value) << text;
    EXPECT_EQ(std::signbit(*number), std::signbit(value)) << text;
  }
  EXPECT_TRUE(std::isnan(io::parse_number("nan").value_or(0)));
  EXPECT_TRUE(std::isnan(io::parse_number("NaN").value_or(0)));
}

TEST(ParseNumber, OtherText) {
  for (const char* text : {"",  " ", "x", "1x", "1 ", " 1",     "1,5",   "0x10",  "--1",  "+-1", "++1",
                           "+", "-", ".", "e5", "1e", "nan(1)", "1e999", "1.2.3", "infx", "?",   "NA"})
    EXPECT_FALSE(io::parse_number(text).has_value()) << text;
}

}  // namespace
}  // namespace tenon::test
