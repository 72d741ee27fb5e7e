#include "training/accelerator/device_steps.h"

#include <ATen/ATen.h>

#include <utility>

#include "ops/torch_status.h"

namespace fairdarts {

DeviceSteps::DeviceSteps(torch::Device device, bool graph,
                         InputFeed::Source source, StepGraph::Step step)
    : feed_(device, std::move(source)),
      graph_(std::move(step), graph ? MakeGraphRecorder(device) : nullptr) {}

absl::Status DeviceSteps::Run(int64_t step, std::optional<int64_t> next) {
  return CatchTorch([&] {
    pending_.push_back({step, graph_.Run(feed_.Take(step))});
    if (next.has_value()) feed_.Prepare(*next);
  });
}

absl::StatusOr<std::vector<DeviceSteps::Finished>> DeviceSteps::Finish() {
  return CatchTorch([&] {
    std::vector<Finished> finished = std::move(pending_);
    pending_.clear();
    if (finished.empty()) return finished;
    std::vector<torch::Tensor> values;
    for (const Finished& one : finished) values.push_back(one.values);
    // One copy, so that the device is waited for once.
    values = torch::stack(values).to(torch::kCPU).unbind(0);
    for (size_t i = 0; i < finished.size(); ++i) {
      finished[i].values = values[i];
    }
    return finished;
  });
}

}  // namespace fairdarts
