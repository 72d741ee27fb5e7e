#include "ops/kernels/lane_depthwise/lane_depthwise.h"

#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

constexpr float kGuard = 12345;

// [rows][channels][width][kLanes] in [-1, 1), channels and rows further apart
// than needed, with a guard value between them.
class Block {
 public:
  Block(int rows, int channels, int width, uint64_t seed)
      : channels_(channels),
        width_(width),
        channel_((width + 1) * kLanes),
        row_(channels * channel_ + kLanes),
        values_(rows * row_, kGuard) {
    RandomStream stream("block", {seed});
    for (int y = 0; y < rows; ++y) {
      for (int c = 0; c < channels; ++c) {
        for (int i = 0; i < width * kLanes; ++i) {
          values_[y * row_ + c * channel_ + i] =
              static_cast<float>(2 * stream.Uniform() - 1);
        }
      }
    }
  }
  float& At(int y, int c, int x, int lane) {
    return values_[y * row_ + c * channel_ + x * kLanes + lane];
  }
  LaneRows Rows() const { return {values_.data(), row_, channel_}; }
  float* Row(int y) { return values_.data() + y * row_; }
  int64_t channel() const { return channel_; }
  bool GuardIsWhole() const {
    for (size_t i = 0; i < values_.size(); ++i) {
      const int64_t in_row = static_cast<int64_t>(i) % row_;
      const bool inside =
          in_row < channels_ * channel_ && in_row % channel_ < width_ * kLanes;
      if (!inside && values_[i] != kGuard) return false;
    }
    return true;
  }

 private:
  int channels_;
  int width_;
  int64_t channel_;
  int64_t row_;
  std::vector<float> values_;
};

// Calls visit(c, y, x, in_y, in_x, tap) for every tap inside of the image.
template <typename Visit>
void ForEachTap(const LaneDepthwiseShape& s, const Visit& visit) {
  for (int c = 0; c < s.channels; ++c) {
    for (int y = 0; y < s.out_height(); ++y) {
      for (int x = 0; x < s.out_width(); ++x) {
        for (int r = 0; r < s.kernel; ++r) {
          for (int t = 0; t < s.kernel; ++t) {
            const int in_y = y * s.stride + r * s.dilation - s.padding();
            const int in_x = x * s.stride + t * s.dilation - s.padding();
            if (in_y < 0 || in_y >= s.height) continue;
            if (in_x < 0 || in_x >= s.width) continue;
            visit(c, y, x, in_y, in_x, (c * s.kernel + r) * s.kernel + t);
          }
        }
      }
    }
  }
}

std::string Name(const LaneDepthwiseShape& s) {
  return absl::StrCat(s.kernel, "x", s.kernel, " stride ", s.stride,
                      " dilation ", s.dilation, " of ", s.height, "x", s.width);
}

class LaneDepthwiseTest : public testing::TestWithParam<Isa> {
 protected:
  template <typename Test>
  void ForEachShape(const Test& test) {
    for (const int kernel : {3, 5, 7}) {
      for (const int stride : {1, 2}) {
        for (const int dilation : {1, 2}) {
          if (kernel == 7 && dilation == 2) continue;
          for (const int width :
               {1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 24, 28, 32}) {
            const int height = width % 5 + 1;
            const LaneDepthwiseShape shape{kernel,         stride, dilation,
                                           /*channels=*/2, height, width};
            SCOPED_TRACE(Name(shape));
            test(shape);
            if (HasFailure()) return;
          }
        }
      }
    }
  }

  std::vector<float> Weights(const LaneDepthwiseShape& s) {
    std::vector<float> weights(s.channels * s.kernel * s.kernel);
    RandomStream stream("weights", {});
    for (float& w : weights) w = static_cast<float>(2 * stream.Uniform() - 1);
    return weights;
  }

  // kernel * kernel + 1 terms below 1 and as many roundings of their sum.
  static float Tolerance(const LaneDepthwiseShape& s) {
    const int terms = s.kernel * s.kernel + 1;
    return static_cast<float>(terms * terms) * 0x1p-24f;
  }
};

// `expected` [channels][height][width][kLanes] against a block.
void ExpectBlock(Block& actual, int height, int channels, int width,
                 const std::vector<double>& expected, float tolerance) {
  size_t i = 0;
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int lane = 0; lane < kLanes; ++lane) {
          ASSERT_NEAR(actual.At(y, c, x, lane), expected[i++], tolerance)
              << "channel " << c << " y " << y << " x " << x << " lane "
              << lane;
        }
      }
    }
  }
  EXPECT_TRUE(actual.GuardIsWhole());
}

TEST_P(LaneDepthwiseTest, ForwardAgreesWithTheDefinition) {
  ForEachShape([&](const LaneDepthwiseShape& s) {
    Block in(s.height, s.channels, s.width, 1);
    const std::vector<float> weights = Weights(s);
    for (const bool accumulate : {false, true}) {
      Block out(s.out_height(), s.channels, s.out_width(), 2);
      const int64_t map = int64_t{s.out_height()} * s.out_width() * kLanes;
      std::vector<double> expected(s.channels * map);
      for (int c = 0, i = 0; accumulate && c < s.channels; ++c) {
        for (int y = 0; y < s.out_height(); ++y) {
          for (int x = 0; x < s.out_width(); ++x) {
            for (int lane = 0; lane < kLanes; ++lane) {
              expected[i++] = out.At(y, c, x, lane);
            }
          }
        }
      }
      ForEachTap(s, [&](int c, int y, int x, int in_y, int in_x, int tap) {
        for (int lane = 0; lane < kLanes; ++lane) {
          expected[c * map + (y * s.out_width() + x) * kLanes + lane] +=
              double{weights[tap]} * in.At(in_y, c, in_x, lane);
        }
      });
      for (int y = 0; y < s.out_height(); ++y) {
        LaneDepthwiseFor(GetParam(),
                         s)({s, weights.data(), in.Rows(), y, out.Row(y),
                             out.channel(), accumulate});
      }
      ExpectBlock(out, s.out_height(), s.channels, s.out_width(), expected,
                  Tolerance(s));
    }
  });
}

TEST_P(LaneDepthwiseTest, InputGradientIsTheTranspose) {
  ForEachShape([&](const LaneDepthwiseShape& s) {
    Block dout(s.out_height(), s.channels, s.out_width(), 3);
    const std::vector<float> weights = Weights(s);
    for (const bool accumulate : {false, true}) {
      Block din(s.height, s.channels, s.width, 4);
      const int64_t map = int64_t{s.height} * s.width * kLanes;
      std::vector<double> expected(s.channels * map);
      for (int c = 0, i = 0; accumulate && c < s.channels; ++c) {
        for (int y = 0; y < s.height; ++y) {
          for (int x = 0; x < s.width; ++x) {
            for (int lane = 0; lane < kLanes; ++lane) {
              expected[i++] = din.At(y, c, x, lane);
            }
          }
        }
      }
      ForEachTap(s, [&](int c, int y, int x, int in_y, int in_x, int tap) {
        for (int lane = 0; lane < kLanes; ++lane) {
          expected[c * map + (in_y * s.width + in_x) * kLanes + lane] +=
              double{weights[tap]} * dout.At(y, c, x, lane);
        }
      });
      for (int y = 0; y < s.height; ++y) {
        LaneDepthwiseGradientFor(
            GetParam(), s)({s, weights.data(), dout.Rows(), y, din.Row(y),
                            din.channel(), accumulate});
      }
      ExpectBlock(din, s.height, s.channels, s.width, expected, Tolerance(s));
    }
  });
}

TEST_P(LaneDepthwiseTest, WeightGradientAddsTheRowsItIsGiven) {
  ForEachShape([&](const LaneDepthwiseShape& s) {
    Block in(s.height, s.channels, s.width, 5);
    Block dout(s.out_height(), s.channels, s.out_width(), 6);
    std::vector<float> sums = Weights(s);
    const int begin = s.out_height() > 2 ? 1 : 0;
    const int end = s.out_height();
    std::vector<double> expected(sums.begin(), sums.end());
    std::vector<int> terms(sums.size());
    ForEachTap(s, [&](int c, int y, int x, int in_y, int in_x, int tap) {
      if (y < begin || y >= end) return;
      for (int lane = 0; lane < kLanes; ++lane) {
        expected[tap] +=
            double{dout.At(y, c, x, lane)} * in.At(in_y, c, in_x, lane);
        ++terms[tap];
      }
    });
    LaneDepthwiseWeightGradientFor(
        GetParam(), s)({s, in.Rows(), dout.Rows(), begin, end, sums.data()});
    for (size_t i = 0; i < sums.size(); ++i) {
      // Partial sums of random signs stay below 4 standard deviations of the
      // full one, 1/3 a term; one rounding each.
      const double bound = 4 * std::sqrt(terms[i] / 9.0) + 1;
      ASSERT_NEAR(sums[i], expected[i], (terms[i] + 1) * bound * 0x1p-24)
          << "weight " << i;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LaneDepthwiseTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
