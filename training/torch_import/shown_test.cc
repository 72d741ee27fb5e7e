#include "training/torch_import/shown.h"

#include <gtest/gtest.h>

#include <string>

namespace fairdarts {
namespace {

TEST(ShownTest, StaysOnOneShortLine) {
  EXPECT_EQ(Shown("stem.0.weight"), "stem.0.weight");
  EXPECT_EQ(Shown("a\nb\x1b[31m"), "a\\nb\\x1b[31m");
  EXPECT_EQ(Shown(std::string(101, 'a')), std::string(100, 'a') + "...");
}

}  // namespace
}  // namespace fairdarts
