#include "ops/kernels/gather/gather.h"

#include <algorithm>

namespace fairdarts {
namespace {

// out[x] = in[x * stride + offset] where that lies in [0, width), else 0.
void GatherRow(const float* in, int width, int stride, int offset, float* out,
               int out_width) {
  // The first x with x * stride + offset >= 0, and the first with >= width.
  const int begin =
      std::min(out_width, offset >= 0 ? 0 : (-offset + stride - 1) / stride);
  const int end = std::max(
      begin,
      std::min(out_width,
               width > offset ? (width - offset + stride - 1) / stride : 0));
  std::fill_n(out, begin, 0.0f);
  if (stride == 1) {
    std::copy_n(in + begin + offset, end - begin, out + begin);
  } else {
    for (int x = begin; x < end; ++x) out[x] = in[x * stride + offset];
  }
  std::fill_n(out + end, out_width - end, 0.0f);
}

}  // namespace

void Gather(const GatherArguments& a) {
  float* plane = a.out;
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    for (int r = 0; r < a.kernel_height; ++r) {
      for (int s = 0; s < a.kernel_width; ++s) {
        float* out = plane;
        for (int y = 0; y < a.rows; ++y) {
          const int row =
              (a.first_row + y) * a.stride_height + r * a.dilation - a.pad_top;
          if (row < 0 || row >= a.height) {
            std::fill_n(out, a.out_width, 0.0f);
          } else {
            GatherRow(in + int64_t{row} * a.width, a.width, a.stride_width,
                      s * a.dilation - a.pad_left, out, a.out_width);
          }
          out += a.out_width;
        }
        plane += a.out_stride;
      }
    }
  }
}

}  // namespace fairdarts
