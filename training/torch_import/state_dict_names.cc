#include "training/torch_import/state_dict_names.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "training/torch_import/half_float.h"
#include "training/torch_import/shown.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kPrefix = "module.";
constexpr absl::string_view kAuxiliary = "auxiliary_head.";

bool IsCounter(const NamedTensor& tensor) {
  const absl::string_view name = tensor.name;
  const absl::string_view last = name.substr(name.rfind('.') + 1);
  return (last == "total_ops" || last == "total_params") &&
         tensor.view.elements() == 1;
}

bool IsBatchCount(absl::string_view name) {
  return absl::EndsWith(name, ".num_batches_tracked");
}

bool IsAuxiliary(absl::string_view name) {
  return absl::StartsWith(name, kAuxiliary);
}

void ToFloat(NamedTensor* tensor) {
  const bool half = tensor->view.dtype == DType::kF16;
  const int64_t elements = tensor->view.elements();
  std::string bytes(elements * sizeof(float), '\0');
  for (int64_t i = 0; i < elements; ++i) {
    uint16_t bits;
    std::memcpy(&bits, tensor->view.data.data() + i * sizeof(bits),
                sizeof(bits));
    const float value = half ? HalfToFloat(bits) : Bfloat16ToFloat(bits);
    std::memcpy(&bytes[i * sizeof(value)], &value, sizeof(value));
  }
  tensor->owner = std::make_shared<const std::string>(std::move(bytes));
  tensor->view.dtype = DType::kF32;
  tensor->view.data = *tensor->owner;
}

std::string Form(DType dtype, const std::vector<int64_t>& shape) {
  return absl::StrCat(DTypeName(dtype), "[", absl::StrJoin(shape, ", "), "]");
}

// A number of faults of one kind and what the first of them are.
struct Faults {
  int64_t count = 0;
  std::vector<std::string> first;

  void Add(std::string fault) {
    constexpr size_t kMaxNamed = 3;
    ++count;
    if (first.size() < kMaxNamed) first.push_back(std::move(fault));
  }

  void Describe(absl::string_view what, std::vector<std::string>* parts) const {
    if (count == 0) return;
    parts->push_back(absl::StrCat(
        count, " ", what, " (", absl::StrJoin(first, ", "),
        count > static_cast<int64_t>(first.size()) ? ", ...)" : ")"));
  }
};

}  // namespace

std::string ImportReport::Summary() const {
  std::vector<std::string> parts;
  const auto add = [&parts](int64_t count, absl::string_view before,
                            absl::string_view after) {
    if (count > 0) parts.push_back(absl::StrCat(before, count, after));
  };
  add(prefixes_stripped, "stripped \"module.\" from ", " names");
  add(counters_ignored, "ignored ",
      " tensors of a FLOPs counter (total_ops, total_params)");
  add(converted_to_float, "converted ", " half-precision tensors to float32");
  add(batch_counts_absent, "", " num_batches_tracked are absent");
  add(batch_counts_ignored, "ignored ", " num_batches_tracked");
  add(auxiliary_absent,
      "the auxiliary head is absent and stays as it was initialised (",
      " tensors)");
  add(auxiliary_ignored, "ignored the auxiliary head (", " tensors)");
  add(unused_ignored, "ignored ", " tensors of edges that read a missing node");
  return absl::StrJoin(parts, "; ");
}

absl::Status NormalizeStateDict(const NameOptions& options,
                                std::vector<NamedTensor>* tensors,
                                ImportReport* report) {
  const auto counters =
      std::remove_if(tensors->begin(), tensors->end(), IsCounter);
  report->counters_ignored += tensors->end() - counters;
  tensors->erase(counters, tensors->end());
  if (tensors->empty()) return ModelFileError("state_dict has no tensors");
  // DataParallel may be wrapped around DataParallel, though rarely. A name
  // that is nothing but prefixes keeps the last.
  const auto wrapped = [](const NamedTensor& tensor) {
    return absl::StartsWith(tensor.name, kPrefix) &&
           tensor.name.size() > kPrefix.size();
  };
  bool stripped = false;
  while (std::all_of(tensors->begin(), tensors->end(), wrapped)) {
    for (NamedTensor& tensor : *tensors) tensor.name.erase(0, kPrefix.size());
    stripped = true;
  }
  if (stripped) report->prefixes_stripped += tensors->size();
  if (options.to_float) {
    for (NamedTensor& tensor : *tensors) {
      if (tensor.view.dtype == DType::kF16 ||
          tensor.view.dtype == DType::kBF16) {
        ToFloat(&tensor);
        ++report->converted_to_float;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status MatchStateDict(const std::vector<ExpectedTensor>& expected,
                            std::vector<NamedTensor>* tensors,
                            ImportReport* report) {
  absl::flat_hash_map<absl::string_view, const NamedTensor*> present;
  bool has_auxiliary = false;
  for (const NamedTensor& tensor : *tensors) {
    present[tensor.name] = &tensor;
    has_auxiliary |= IsAuxiliary(tensor.name);
  }
  absl::flat_hash_set<absl::string_view> wanted;
  bool wants_auxiliary = false;
  for (const ExpectedTensor& tensor : expected) {
    wanted.insert(tensor.name);
    wants_auxiliary |= IsAuxiliary(tensor.name);
  }
  Faults missing;
  Faults surplus;
  Faults differing;
  ImportReport found = *report;
  for (const ExpectedTensor& tensor : expected) {
    const auto match = present.find(tensor.name);
    if (match != present.end()) {
      const TensorView& view = match->second->view;
      if (view.shape != tensor.shape || view.dtype != tensor.dtype) {
        differing.Add(absl::StrCat(tensor.name, " ",
                                   Form(view.dtype, view.shape), " instead of ",
                                   Form(tensor.dtype, tensor.shape)));
      }
    } else if (IsAuxiliary(tensor.name) && !has_auxiliary) {
      ++found.auxiliary_absent;
    } else if (IsBatchCount(tensor.name)) {
      ++found.batch_counts_absent;
    } else {
      missing.Add(
          absl::StrCat(tensor.name, " ", Form(tensor.dtype, tensor.shape)));
    }
  }
  absl::flat_hash_set<const NamedTensor*> dropped;
  for (const NamedTensor& tensor : *tensors) {
    if (wanted.contains(tensor.name)) continue;
    if (IsAuxiliary(tensor.name) && !wants_auxiliary) {
      ++found.auxiliary_ignored;
    } else if (IsBatchCount(tensor.name)) {
      ++found.batch_counts_ignored;
    } else {
      surplus.Add(absl::StrCat(Shown(tensor.name), " ",
                               Form(tensor.view.dtype, tensor.view.shape)));
      continue;
    }
    dropped.insert(&tensor);
  }
  std::vector<std::string> faults;
  missing.Describe("tensors are missing", &faults);
  surplus.Describe("tensors are of another network", &faults);
  differing.Describe("tensors have another shape or type", &faults);
  if (!faults.empty()) {
    return ModelFileError(absl::StrJoin(faults, "; "));
  }
  std::vector<NamedTensor> kept;
  for (NamedTensor& tensor : *tensors) {
    if (!dropped.contains(&tensor)) kept.push_back(std::move(tensor));
  }
  *tensors = std::move(kept);
  *report = std::move(found);
  return absl::OkStatus();
}

}  // namespace fairdarts
