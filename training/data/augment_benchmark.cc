// Images a second of one core, 3 x 32 x 32.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <vector>

#include "training/data/augment.h"

namespace fairdarts {
namespace {

void BM_Augment(benchmark::State& state) {
  constexpr int kImages = 4096;
  Dataset dataset;
  dataset.channels = 3;
  dataset.height = 32;
  dataset.width = 32;
  dataset.mean = {.49139968, .48215827, .44653124};
  dataset.standard_deviation = {.24703233, .24348505, .26158768};
  dataset.labels.resize(kImages);
  dataset.images.resize(kImages * dataset.image_bytes());
  RandomStream noise("pixels", {});
  for (uint8_t& pixel : dataset.images) {
    pixel = static_cast<uint8_t>(noise.Below(256));
  }
  AugmentOptions options;
  options.crop_and_flip = state.range(0) != 0;
  options.cutout = state.range(1) != 0;
  options.auto_augment = state.range(2) != 0;
  const absl::StatusOr<Augmenter> augmenter =
      Augmenter::Create(options, dataset);
  if (!augmenter.ok()) std::abort();
  // A batch of 96, written as training writes it.
  constexpr int kBatch = 96;
  std::vector<float> batch(kBatch * dataset.image_bytes());
  int64_t sample = 0;
  for (auto _ : state) {
    for (int b = 0; b < kBatch; ++b) {
      augmenter->Apply(dataset.image(sample),
                       AugmentStream("train", 2, 0, sample),
                       batch.data() + b * dataset.image_bytes());
      sample = (sample + 1) % kImages;
    }
    benchmark::DoNotOptimize(batch.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_Augment)
    ->ArgNames({"crop_and_flip", "cutout", "auto_augment"})
    ->Args({0, 0, 0})
    ->Args({1, 0, 0})
    ->Args({1, 1, 0})
    ->Args({1, 1, 1});

}  // namespace
}  // namespace fairdarts
