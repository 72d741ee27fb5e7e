// Images a second of one core, 3 x 32 x 32: every operation at every level, and
// the whole policy.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/operation.h"
#include "training/auto_augment/policy.h"

namespace fairdarts {
namespace {

constexpr ImageShape kShape = {3, 32, 32};
constexpr int kImages = 64;

// Half noise, half gradients with a little noise, which photographs resemble.
std::vector<uint8_t> Images() {
  RandomStream noise("benchmark", {});
  std::vector<uint8_t> images;
  for (int n = 0; n < kImages; ++n) {
    for (int c = 0; c < kShape.channels; ++c) {
      const uint64_t slope_x = noise.Below(5);
      const uint64_t slope_y = noise.Below(5);
      for (int y = 0; y < kShape.height; ++y) {
        for (int x = 0; x < kShape.width; ++x) {
          const uint64_t v = n % 2 ? noise.Below(256)
                                   : slope_x * x + slope_y * y + noise.Below(8);
          images.push_back(static_cast<uint8_t>(v));
        }
      }
    }
  }
  return images;
}

void BM_Operation(benchmark::State& state, ImageOperation operation,
                  int level) {
  const std::vector<uint8_t> images = Images();
  std::vector<uint8_t> out(kShape.bytes());
  int sample = 0;
  for (auto _ : state) {
    ApplyImageOperation(operation, level, (sample / 2) % 2 == 1, kShape,
                        images.data() + sample * kShape.bytes(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
    sample = (sample + 1) % kImages;
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_Policy(benchmark::State& state) {
  const std::vector<uint8_t> images = Images();
  std::vector<uint8_t> image(kShape.bytes());
  std::vector<uint8_t> scratch(kShape.bytes());
  RandomStream stream("policy", {});
  int sample = 0;
  for (auto _ : state) {
    const uint8_t* fresh = images.data() + sample * kShape.bytes();
    std::copy(fresh, fresh + kShape.bytes(), image.data());
    ApplyCifar10Policy(kShape, DrawCifar10Policy(stream), image.data(),
                       scratch.data());
    benchmark::DoNotOptimize(image.data());
    benchmark::ClobberMemory();
    sample = (sample + 1) % kImages;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Policy);

[[maybe_unused]] const bool kRegistered = [] {
  for (const ImageOperation operation : kImageOperations) {
    for (int level = 0; level < kMagnitudeLevels; ++level) {
      const std::string name =
          absl::StrCat(ImageOperationName(operation), "/", level);
      benchmark::RegisterBenchmark(name.c_str(), BM_Operation, operation,
                                   level);
    }
  }
  return true;
}();

}  // namespace
}  // namespace fairdarts
