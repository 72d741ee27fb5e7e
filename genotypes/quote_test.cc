#include "genotypes/quote.h"

#include <gtest/gtest.h>

namespace fairdarts {
namespace {

TEST(QuoteTest, KeepsForeignTextOnOneShortLine) {
  EXPECT_EQ(Quote("sep_conv_3x3"), "'sep_conv_3x3'");
  EXPECT_EQ(Quote(""), "''");
  EXPECT_EQ(Quote("it's\n\x01\xff"), "'it's\\n\\x01\\xff'");
  EXPECT_EQ(Quote(std::string(1 << 20, 'a')),
            "'" + std::string(40, 'a') + "...'");
}

}  // namespace
}  // namespace fairdarts
