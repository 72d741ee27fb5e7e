#include "training/search_step_timing.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>

#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "fairdarts/search_step.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "training/memory_format.h"

namespace fairdarts {
namespace {

Batch Noise(const SearchStepCase& which, const char* name) {
  RandomStream stream(name, {});
  Batch batch;
  batch.images =
      torch::empty({which.batch, which.image_channels, which.size, which.size});
  float* pixels = batch.images.mutable_data_ptr<float>();
  std::generate_n(pixels, batch.images.numel(),
                  [&] { return stream.Normal(); });
  batch.labels = torch::empty({which.batch}, torch::kInt64);
  std::generate_n(batch.labels.mutable_data_ptr<int64_t>(), which.batch,
                  [&] { return stream.Below(kTimedClasses); });
  if (which.channels_last) {
    batch.images = batch.images.contiguous(torch::MemoryFormat::ChannelsLast);
  }
  return batch;
}

}  // namespace

absl::Status TimeSearchSteps(const SearchStepCase& which, int warmup, int steps,
                             CallTimes& times) {
  at::set_num_threads(which.threads);
  S1Config network;
  network.channels = which.channels;
  network.layers = which.layers;
  network.classes = kTimedClasses;
  network.image_channels = which.image_channels;
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<Supernet> supernet,
                      CreateS1Supernet(network,
                                       which.fused ? SupernetEngine::kFused
                                                   : SupernetEngine::kPlain,
                                       which.threads));
  InitializeParameters(*supernet, 0);
  if (which.channels_last) ToChannelsLast(*supernet);
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchStep> step,
                      SearchStep::Create(supernet, SearchStepOptions()));
  const Batch train = Noise(which, "train");
  const Batch alpha = Noise(which, "alpha");
  for (int i = 0; i < warmup; ++i) {
    FD_RETURN_IF_ERROR(step->Run(train, alpha).status());
  }
  absl::Status status;
  times.Burst(/*seconds=*/0, steps, [&] {
    if (status.ok()) status = step->Run(train, alpha).status();
  });
  return status;
}

}  // namespace fairdarts
