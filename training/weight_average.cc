#include "training/weight_average.h"

#include <torch/utils.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr char kPrefix[] = "average";

}  // namespace

WeightAverage::WeightAverage(torch::nn::Module* module, double decay)
    : decay_(decay) {
  FD_CHECK(decay > 0 && decay < 1) << decay;
  const torch::NoGradGuard no_gradients;
  const auto add = [this](const std::string& name, const torch::Tensor& live) {
    values_.push_back({name, live, live.detach().clone()});
  };
  for (const auto& item : module->named_parameters()) {
    add(item.key(), item.value());
  }
  for (const auto& item : module->named_buffers()) {
    add(item.key(), item.value());
  }
}

void WeightAverage::Update() {
  const torch::NoGradGuard no_gradients;
  for (Value& value : values_) {
    if (value.average.is_floating_point()) {
      value.average.lerp_(value.live, 1 - decay_);
    } else {
      value.average.copy_(value.live);
    }
  }
}

void WeightAverage::Swap() {
  const torch::NoGradGuard no_gradients;
  for (Value& value : values_) {
    const torch::Tensor own = value.live.clone();
    value.live.copy_(value.average);
    value.average.copy_(own);
  }
}

absl::Status WeightAverage::Within(
    const std::function<absl::Status()>& function) {
  Swap();
  const auto restore = absl::MakeCleanup([this] { Swap(); });
  return function();
}

void WeightAverage::PutInto(Snapshot& snapshot) const {
  for (const Value& value : values_) {
    snapshot.PutTensor(absl::StrCat(kPrefix, "/", value.name), value.average);
  }
}

absl::Status WeightAverage::TakeFrom(const Snapshot& snapshot) {
  std::vector<Snapshot::Copy> copies;
  for (const Value& value : values_) {
    copies.push_back({absl::StrCat(kPrefix, "/", value.name), value.average});
  }
  return snapshot.CopyAll(absl::StrCat(kPrefix, "/"), copies);
}

}  // namespace fairdarts
