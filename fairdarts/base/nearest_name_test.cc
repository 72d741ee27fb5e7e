#include "fairdarts/base/nearest_name.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string>& Known() {
  static const auto* const known = new std::vector<std::string>{
      "layers", "learning_rate", "learning_rate_min", "momentum"};
  return *known;
}

TEST(NearestNameTest, NearestComesFirst) {
  EXPECT_THAT(NearestNames("learning_rat", Known()),
              ElementsAre("learning_rate", "learning_rate_min"));
}

TEST(NearestNameTest, CaseAndHyphensDoNotCount) {
  EXPECT_THAT(NearestNames("Learning-Rate-Min", Known()),
              ElementsAre("learning_rate_min", "learning_rate"));
}

TEST(NearestNameTest, WhatIsFarIsNotSuggested) {
  EXPECT_THAT(NearestNames("temperature", Known()), IsEmpty());
  EXPECT_THAT(NearestNames("", Known()), IsEmpty());
  EXPECT_THAT(NearestNames(std::string(1 << 20, 'l'), Known()), IsEmpty());
}

TEST(NearestNameTest, Sentences) {
  EXPECT_EQ(DidYouMean("momentun", Known()), "did you mean momentum?");
  EXPECT_EQ(DidYouMean("learning_rat", Known()),
            "did you mean learning_rate or learning_rate_min?");
  EXPECT_EQ(DidYouMean("x", Known()), "");
  EXPECT_EQ(MustBeOneOf("mnits", {"mnist", "cifar10", "cifar100"}),
            "must be mnist, cifar10 or cifar100; did you mean mnist?");
  EXPECT_EQ(MustBeOneOf("svhn", {"mnist", "cifar10"}),
            "must be mnist or cifar10");
}

}  // namespace
}  // namespace fairdarts
