#include "training/weight_average.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kPrefix[] = "average";
constexpr char kUpdates[] = "average_updates";

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
  const double weight = WeightOf(updates_++);
  for (Value& value : values_) {
    if (value.average.is_floating_point()) {
      value.average.lerp_(value.live, weight);
    } else {
      value.average.copy_(value.live);
    }
  }
}

void WeightAverage::Update(const torch::Tensor& weight) {
  const torch::NoGradGuard no_gradients;
  std::vector<torch::Tensor> averages;
  std::vector<torch::Tensor> live;
  for (const Value& value : values_) {
    if (value.average.is_floating_point()) {
      averages.push_back(value.average);
      live.push_back(value.live);
    } else {
      value.average.copy_(value.live);
    }
  }
  const std::vector<torch::Tensor> way = at::_foreach_sub(live, averages);
  at::_foreach_mul_(way, weight.to(averages[0].scalar_type()));
  at::_foreach_add_(averages, way);
}

double WeightAverage::WeightOf(int64_t update) const {
  const double ramp =
      static_cast<double>(1 + update) / static_cast<double>(10 + update);
  return 1 - std::min(decay_, ramp);
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
  snapshot.PutInteger(kUpdates, updates_);
  for (const Value& value : values_) {
    snapshot.PutTensor(absl::StrCat(kPrefix, "/", value.name), value.average);
  }
}

absl::Status WeightAverage::TakeFrom(const Snapshot& snapshot) {
  FD_ASSIGN_OR_RETURN(const int64_t updates, snapshot.Integer(kUpdates));
  if (updates < 0) {
    return snapshot.Error(
        absl::StrCat(kUpdates, " ", updates, ": must be at least 0"));
  }
  std::vector<Snapshot::Copy> copies;
  for (const Value& value : values_) {
    copies.push_back({absl::StrCat(kPrefix, "/", value.name), value.average});
  }
  FD_RETURN_IF_ERROR(snapshot.CopyAll(absl::StrCat(kPrefix, "/"), copies));
  updates_ = updates;
  return absl::OkStatus();
}

}  // namespace fairdarts
