#include "training/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTestData[] = "training/data/testdata/";

// A file around a header text; the length field says how long that is.
std::string File(absl::string_view header, absl::string_view data,
                 int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  const size_t length = header.size() + 1;
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes += static_cast<char>(length >> (8 * i));
  }
  absl::StrAppend(&bytes, header, "\n", data);
  return bytes;
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()),
                     values.size() * sizeof(T));
}

// What testdata/ holds: (arange(98) - 49) / 8 in 14 rows of 7.
std::vector<float> TestValues() {
  std::vector<float> values;
  for (int i = 0; i < 98; ++i) {
    values.push_back(static_cast<float>(i - 49) / 8);
  }
  return values;
}

TEST(NpyTest, ReadsWhatNumpyWrote) {
  for (const char* file : {"matrix_f4.npy", "matrix_f8_fortran.npy"}) {
    const auto matrix = ReadNpy(absl::StrCat(kTestData, file));
    ASSERT_TRUE(matrix.ok()) << matrix.status();
    EXPECT_EQ(matrix->rows, 14);
    EXPECT_EQ(matrix->columns, 7);
    EXPECT_EQ(matrix->values, TestValues());
    EXPECT_EQ(matrix->at(1, 2), TestValues()[9]);
  }
}

TEST(NpyTest, WritesWhatNumpyWrites) {
  const auto expected = ReadFile(absl::StrCat(kTestData, "matrix_f4.npy"));
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(SerializeNpy({14, 7, TestValues()}), *expected);
}

TEST(NpyTest, AFileComesBack) {
  const float infinity = std::numeric_limits<float>::infinity();
  const NpyMatrix matrix{2, 3, {1.5f, -0.0f, infinity, -infinity, NAN, 1e-45f}};
  const std::string path = FreshFolder("npy") + "/x.npy";
  ASSERT_TRUE(WriteNpy(path, matrix).ok());
  const auto back = ReadNpy(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->rows, 2);
  EXPECT_EQ(back->columns, 3);
  EXPECT_EQ(Bytes(back->values), Bytes(matrix.values));
}

TEST(NpyTest, ReadsEveryVersionAndEveryWayToWriteTheHeader) {
  const std::string data = Bytes<float>({1, 2, 3, 4, 5, 6});
  for (const int version : {1, 2, 3}) {
    for (const char* header :
         {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }    ",
          "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}",
          "{ \"descr\" : \"<f4\" , 'shape' : ( 2 , 3 , ) , "
          "'fortran_order' : False } "}) {
      const auto matrix = ParseNpy(File(header, data, version), "x");
      ASSERT_TRUE(matrix.ok()) << matrix.status();
      EXPECT_EQ(matrix->rows, 2);
      EXPECT_THAT(matrix->values, ElementsAre(1, 2, 3, 4, 5, 6));
    }
  }
  const auto transposed = ParseNpy(
      File("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", data),
      "x");
  ASSERT_TRUE(transposed.ok()) << transposed.status();
  EXPECT_THAT(transposed->values, ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST(NpyTest, RefusesEveryStrictPrefixAndATrailingByte) {
  for (const char* file : {"matrix_f4.npy", "matrix_f8_fortran.npy"}) {
    const auto bytes = ReadFile(absl::StrCat(kTestData, file));
    ASSERT_TRUE(bytes.ok());
    for (size_t size = 0; size < bytes->size(); ++size) {
      EXPECT_THAT(ParseNpy(bytes->substr(0, size), "x.npy"),
                  IsDataError(HasSubstr("x.npy: ")))
          << size << " bytes";
    }
    EXPECT_THAT(ParseNpy(*bytes + "x", "x.npy"),
                IsDataError(HasSubstr("does not fit the")));
  }
}

TEST(NpyTest, RefusesAMissingFile) {
  EXPECT_THAT(ReadNpy("/nowhere/x.npy"),
              IsDataError(AllOf(HasSubstr("/nowhere/x.npy"),
                                HasSubstr("No such file"))));
}

TEST(NpyTest, RefusesBadBeginnings) {
  const std::string good = SerializeNpy({1, 1, {1}});
  std::string bytes = good;
  bytes[0] = 'P';
  EXPECT_THAT(ParseNpy(bytes, "x"), IsDataError(HasSubstr("magic is")));
  for (const auto& [major, minor] :
       std::vector<std::pair<int, int>>{{0, 0}, {4, 0}, {1, 1}}) {
    bytes = good;
    bytes[6] = static_cast<char>(major);
    bytes[7] = static_cast<char>(minor);
    EXPECT_THAT(
        ParseNpy(bytes, "x"),
        IsDataError(HasSubstr(absl::StrCat("version is ", major, ".", minor,
                                           ", should be 1.0, 2.0 or 3.0"))));
  }
  // 65535 bytes of header in version 1, 2^32 - 1 in version 2.
  bytes = good;
  bytes[8] = bytes[9] = '\xff';
  EXPECT_THAT(ParseNpy(bytes, "x"),
              IsDataError(HasSubstr("header length is 65535")));
  bytes = good;
  bytes[6] = 2;
  bytes[8] = bytes[9] = bytes[10] = bytes[11] = '\xff';
  EXPECT_THAT(ParseNpy(bytes, "x"),
              IsDataError(HasSubstr("header length is 4294967295")));
  bytes = good;
  bytes[8] = static_cast<char>(200);
  EXPECT_THAT(ParseNpy(bytes, "x"),
              IsDataError(HasSubstr("header length is 200, but only 122")));
}

TEST(NpyTest, RefusesBadHeaders) {
  for (const auto& [header, message] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "should have '{'"},
           {"[1, 2]", "should have '{'"},
           {"{'descr': '<f4', 'fortran_order': False}", "no key 'shape'"},
           {"{'descr': '<f4', 'shape': (2, 3)}", "no key 'fortran_order'"},
           {"{'fortran_order': False, 'shape': (2, 3)}", "no key 'descr'"},
           {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, "
            "'shape': (2, 3)}",
            "'descr' twice"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), "
            "'x': 1}",
            "the key 'x'"},
           {"{descr: '<f4'}", "a quoted string"},
           {"{'descr", "a quoted string"},
           {"{'de\\scr': '<f4'}", "without escapes"},
           {"{'descr' '<f4'}", "should have ':'"},
           {"{'descr': ['<f4']}", "a quoted string"},
           {"{'descr': '<f4' 'shape': (2, 3)}", "should have '}'"},
           {"{'fortran_order': 0}", "True or False"},
           {"{'shape': [2, 3]}", "should have '('"},
           {"{'shape': (2 3)}", "','"},
           {"{'shape': (6)}", "','"},
           {"{'shape': (2, 3", "should have ')'"},
           {"{'shape': (, 3)}", "a whole number"},
           {"{'shape': (-2, 3)}", "a whole number"},
           {"{'shape': (2.0, 3)}", "','"},
           {"{'shape': (02, 3)}", "a whole number"},
           {"{'shape': (2, 3L)}", "should have ')'"},
           {"{'shape': (99999999999999999999, 3)}", "at most 1073741824"},
           {"{'shape': __import__('os').getpid()}", "should have '('"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x",
            "should end"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
            "shape has 1 dimensions"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
            "shape has 0 dimensions"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}",
            "shape has 3 dimensions"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}",
            "shape is (0, 3)"},
           {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}",
            "descr is '>f4', should be '<f4' or '<f8'"},
           {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3)}",
            "descr is '<i4'"},
           {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}",
            "descr is '|O'"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}",
            "shape (2, 4) of '<f4' does not fit the 24 bytes"},
           {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}",
            "does not fit"},
           {"{'descr': '<f4', 'fortran_order': False, "
            "'shape': (1073741824, 1073741824)}",
            "does not fit"}}) {
    EXPECT_THAT(ParseNpy(File(header, Bytes<float>({1, 2, 3, 4, 5, 6})), "x"),
                IsDataError(AllOf(HasSubstr("x: "), HasSubstr(message))))
        << header;
  }
}

TEST(NpyTest, RefusesAHeaderWithoutItsNewline) {
  std::string bytes = SerializeNpy({1, 1, {1}});
  bytes[127] = ' ';
  EXPECT_THAT(ParseNpy(bytes, "x"), IsDataError(HasSubstr("should end")));
}

TEST(NpyTest, RefusesADoubleThatNoFloatHolds) {
  const std::string header =
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}";
  EXPECT_THAT(ParseNpy(File(header, Bytes<double>({1, -1e300})), "x"),
              IsDataError(HasSubstr("row 0, column 1 is -1e+300")));
  // Infinite is what the file says, and the caller's to judge.
  const auto infinite =
      ParseNpy(File(header, Bytes<double>({1e-300, INFINITY})), "x");
  ASSERT_TRUE(infinite.ok()) << infinite.status();
  EXPECT_THAT(infinite->values, ElementsAre(0, INFINITY));
}

}  // namespace
}  // namespace fairdarts
