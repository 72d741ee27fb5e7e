#include "fairdarts/base/xml_text.h"

#include <gtest/gtest.h>

#include <string>

namespace fairdarts {
namespace {

TEST(XmlTextTest, WhatMeansSomethingBecomesAnEntity) {
  EXPECT_EQ(XmlText("a<b> & \"c\" 'd'"),
            "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;");
}

TEST(XmlTextTest, CharactersStay) {
  EXPECT_EQ(XmlText(""), "");
  EXPECT_EQ(XmlText("\u00e9 \u4e2d \U0001f600"), "\u00e9 \u4e2d \U0001f600");
}

TEST(XmlTextTest, BytesThatXmlDoesNotHave) {
  EXPECT_EQ(XmlText(absl::string_view("a\0b\n\x7f", 5)), "a?b??");
  // Broken, overlong, a surrogate, past the last character, no character.
  EXPECT_EQ(XmlText("\xc3"), "?");
  EXPECT_EQ(XmlText("\xc0\xaf"), "??");
  EXPECT_EQ(XmlText("\xe0\x80\xaf"), "???");
  EXPECT_EQ(XmlText("\xed\xa0\x80"), "???");
  EXPECT_EQ(XmlText("\xf4\x90\x80\x80"), "????");
  EXPECT_EQ(XmlText("\xef\xbf\xbf"), "???");
}

TEST(XmlTextTest, LongTextsAreCutBetweenCharacters) {
  EXPECT_EQ(XmlText(std::string(1000, 'x')), std::string(120, 'x') + "...");
  EXPECT_EQ(XmlText("\u00e9\u00e9\u00e9", 2), "\u00e9\u00e9...");
  EXPECT_EQ(XmlText("<&", 2), "&lt;&amp;");
}

}  // namespace
}  // namespace fairdarts
