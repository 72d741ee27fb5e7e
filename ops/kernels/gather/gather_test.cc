#include "ops/kernels/gather/gather.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace fairdarts {
namespace {

class GatherTest : public testing::TestWithParam<Isa> {};

// Every combination of sizes around a row's ends, against the definition.
TEST_P(GatherTest, IsItsDefinition) {
  for (const int height : {1, 2, 5}) {
    for (const int width : {1, 3, 6, 19, 40}) {
      for (const int kernel_height : {1, 3}) {
        for (const int kernel_width : {1, 3, 7}) {
          for (const int stride : {1, 2}) {
            for (const int pad : {-1, 0, 1, 3}) {
              GatherArguments a = {};
              a.channels = 2;
              a.height = height;
              a.width = width;
              a.kernel_height = kernel_height;
              a.kernel_width = kernel_width;
              a.stride_height = stride;
              a.stride_width = 3 - stride;
              a.dilation = stride;
              a.pad_top = pad;
              a.pad_left = 2 - pad;
              a.first_row = 1;
              a.rows = 3;
              a.out_width = width / a.stride_width + 2;
              a.in_stride = height * width;
              const int pixels = a.rows * a.out_width;
              a.out_stride = pixels + 3;
              std::vector<float> in(a.channels * a.in_stride);
              for (size_t i = 0; i < in.size(); ++i) in[i] = i + 1;
              const int planes = a.channels * kernel_height * kernel_width;
              std::vector<float> out(planes * a.out_stride, -1);
              a.in = in.data();
              a.out = out.data();
              GatherFor(GetParam())(a);
              for (int plane = 0; plane < planes; ++plane) {
                const int s = plane % kernel_width;
                const int r = plane / kernel_width % kernel_height;
                const int c = plane / kernel_width / kernel_height;
                for (int i = 0; i < a.out_stride; ++i) {
                  float expected = -1;  // untouched
                  if (i < pixels) {
                    const int y = (1 + i / a.out_width) * a.stride_height +
                                  r * a.dilation - a.pad_top;
                    const int x = i % a.out_width * a.stride_width +
                                  s * a.dilation - a.pad_left;
                    expected = y < 0 || y >= height || x < 0 || x >= width
                                   ? 0
                                   : in[c * a.in_stride + y * width + x];
                  }
                  ASSERT_EQ(out[plane * a.out_stride + i], expected)
                      << height << "x" << width << " kernel " << kernel_height
                      << "x" << kernel_width << " stride " << stride << " pad "
                      << pad << " plane " << plane << " at " << i;
                }
              }
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, GatherTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
