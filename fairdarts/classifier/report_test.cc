#include "fairdarts/classifier/report.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fairdarts {
namespace {

const std::vector<ClassProbability>& Classes() {
  static const auto* const classes =
      new std::vector<ClassProbability>{{1, 1.0 / 3}, {0, 0.00004}};
  return *classes;
}

TEST(ReportTest, Text) {
  EXPECT_EQ(ClassesText("a b.png", Classes(), {"cat", "jack-o'-lantern"}),
            "a b.png\n"
            "   33.33 %  jack-o'-lantern\n"
            "    0.00 %  cat\n");
  EXPECT_EQ(ClassesText("-", {{7, 1}}, {}), "-\n  100.00 %  7\n");
}

TEST(ReportTest, WhatSteersATerminalIsNotPrinted) {
  EXPECT_EQ(Printable("a\x1b[31m\r\n\t\x7f\xC2\x9b z"), "a?[31m????? z");
  EXPECT_EQ(Printable("M\xC3\xBCnze \xC2\xA9 \xE2\x82\xAC"),
            "M\xC3\xBCnze \xC2\xA9 \xE2\x82\xAC");
  EXPECT_EQ(Printable("cut \xC2"), "cut \xC2");
  EXPECT_EQ(ClassesText("a\nb", {{0, 1}}, {"c\nd"}), "a?b\n  100.00 %  c?d\n");
}

TEST(ReportTest, Json) {
  const std::string line = ClassesJson("a.png", Classes(), {"cat", "dog"});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const nlohmann::json json = nlohmann::json::parse(line);
  EXPECT_EQ(json["image"], "a.png");
  ASSERT_EQ(json["classes"].size(), 2u);
  EXPECT_EQ(json["classes"][0]["index"], 1);
  EXPECT_EQ(json["classes"][0]["class"], "dog");
  EXPECT_EQ(json["classes"][0]["probability"], 1.0 / 3);  // every digit
  EXPECT_EQ(json["classes"][1]["class"], "cat");
}

TEST(ReportTest, JsonWithoutNames) {
  const nlohmann::json json =
      nlohmann::json::parse(ClassesJson("a.png", Classes(), {}));
  EXPECT_EQ(json["classes"][0]["index"], 1);
  EXPECT_FALSE(json["classes"][0].contains("class"));
}

TEST(ReportTest, JsonOfHostileNames) {
  const std::string line = ClassesJson("\xFF\"\n", {{0, 1}}, {"\x1b\xFE"});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

TEST(ReportTest, JsonOfAnError) {
  EXPECT_EQ(ErrorJson("a.png", "a.png: is empty"),
            "{\"image\":\"a.png\",\"error\":\"a.png: is empty\"}\n");
}

}  // namespace
}  // namespace fairdarts
