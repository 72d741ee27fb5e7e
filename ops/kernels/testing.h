#ifndef OPS_KERNELS_TESTING_H_
#define OPS_KERNELS_TESTING_H_

// What the tests of kernels share: planes with values in [-1, 1) and a guard
// that shows writes outside.

#include <cstdint>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/kernels/isa.h"

namespace fairdarts {

class TestPlanes {
 public:
  // `channels` planes of `pixels`, as far apart as kernels ask for at least.
  TestPlanes(int channels, int pixels, uint64_t seed)
      : channels_(channels),
        pixels_(pixels),
        stride_((pixels + kPlaneSlack - 1) / kPlaneSlack * kPlaneSlack +
                kPlaneSlack),
        values_(kGuard + stride_ * channels + kGuard, kGuardValue) {
    RandomStream stream("planes", {seed});
    for (int64_t i = 0; i < stride_ * channels; ++i) {
      data()[i] = static_cast<float>(2 * stream.Uniform() - 1);
    }
  }

  float* data() { return values_.data() + kGuard; }
  const float* data() const { return values_.data() + kGuard; }
  int64_t stride() const { return stride_; }

  // The pixels alone, and whether nothing in front of the first and behind the
  // last plane was touched.
  std::vector<float> Pixels() const {
    std::vector<float> pixels;
    for (int c = 0; c < channels_; ++c) {
      const float* const plane = data() + c * stride_;
      pixels.insert(pixels.end(), plane, plane + pixels_);
    }
    return pixels;
  }
  bool GuardIsWhole() const {
    for (int64_t i = 0; i < kGuard; ++i) {
      if (values_[i] != kGuardValue) return false;
      if (values_[values_.size() - 1 - i] != kGuardValue) return false;
    }
    return true;
  }

 private:
  static constexpr int kGuard = 64;
  static constexpr float kGuardValue = 12345;

  int channels_;
  int pixels_;
  int64_t stride_;
  std::vector<float> values_;
};

}  // namespace fairdarts

#endif  // OPS_KERNELS_TESTING_H_
