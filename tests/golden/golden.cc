#include "tests/golden/golden.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>
#include <ostream>
#include <utility>

#include "absl/status/statusor.h"
#include "fairdarts/base/check.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

template <typename T>
T ValueOrDie(absl::StatusOr<T> value) {
  FD_CHECK(value.ok()) << value.status();
  return *std::move(value);
}

at::ScalarType TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return at::kFloat;
    case DType::kF64:
      return at::kDouble;
    case DType::kI64:
      return at::kLong;
    case DType::kU8:
      return at::kByte;
    default:
      FD_CHECK(false) << "no golden file holds "
                      << std::string(DTypeName(dtype));
  }
  return at::kFloat;
}

class SumsNearMatcher : public testing::MatcherInterface<const at::Tensor&> {
 public:
  SumsNearMatcher(at::Tensor expected, std::vector<std::string> names,
                  double relative, double absolute)
      : expected_(expected.to(at::kDouble).contiguous()),
        names_(std::move(names)),
        relative_(relative),
        absolute_(absolute) {
    FD_CHECK_EQ(expected_.size(0), static_cast<int64_t>(names_.size()));
  }

  void DescribeTo(std::ostream* os) const override {
    *os << "has every sum within " << absolute_ << " + " << relative_
        << " * (sum of absolute values) of the expected one";
  }

  bool MatchAndExplain(const at::Tensor& actual,
                       testing::MatchResultListener* listener) const override {
    if (actual.sizes() != expected_.sizes()) {
      *listener << "which has " << actual.size(0) << " rows instead of "
                << expected_.size(0);
      return false;
    }
    const at::Tensor values = actual.to(at::kDouble).contiguous();
    const double* const a = values.const_data_ptr<double>();
    const double* const e = expected_.const_data_ptr<double>();
    size_t off = 0;
    double worst = 0;  // error / bound
    std::string text;
    for (size_t i = 0; i < names_.size(); ++i) {
      const double bound = absolute_ + relative_ * std::abs(e[2 * i + 1]);
      const double error = std::max(std::abs(a[2 * i] - e[2 * i]),
                                    std::abs(a[2 * i + 1] - e[2 * i + 1]));
      if (error > bound || std::isnan(error)) ++off;
      const double ratio = error / bound;
      if (ratio > worst || std::isnan(ratio)) {
        worst = ratio;
        text = testing::PrintToString(names_[i]) + " has sums " +
               std::to_string(a[2 * i]) + ", " + std::to_string(a[2 * i + 1]) +
               ", expected " + std::to_string(e[2 * i]) + ", " +
               std::to_string(e[2 * i + 1]);
      }
    }
    *listener << off << " of " << names_.size() << " rows are off; worst, at "
              << worst << " of what it may be off: " << text;
    return off == 0;
  }

 private:
  const at::Tensor expected_;
  const std::vector<std::string> names_;
  const double relative_;
  const double absolute_;
};

}  // namespace

GoldenFile::GoldenFile(absl::string_view file)
    : file_(ValueOrDie(SafetensorsFile::Load(GoldenPath(file)))) {}

bool GoldenFile::Has(absl::string_view name) const {
  return file_.tensors().count(std::string(name)) != 0;
}

at::Tensor GoldenFile::Get(absl::string_view name) const {
  const TensorView view = ValueOrDie(file_.Find(name));
  at::Tensor tensor = at::empty(view.shape, TypeOf(view.dtype));
  if (!view.data.empty()) {
    std::memcpy(tensor.mutable_data_ptr(), view.data.data(), view.data.size());
  }
  return tensor;
}

std::vector<std::string> GoldenFile::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : file_.tensors()) names.push_back(name);
  return names;
}

nlohmann::json GoldenFile::Metadata(absl::string_view name) const {
  const std::string text = ValueOrDie(file_.FindMetadata(name));
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return text;
  return value;
}

at::Tensor SumsOf(const std::vector<at::Tensor>& tensors) {
  std::vector<double> sums;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor values = tensor.detach().to(at::kDouble);
    sums.push_back(values.sum().item<double>());
    sums.push_back(values.abs().sum().item<double>());
  }
  return at::tensor(sums, at::kDouble).reshape({-1, 2});
}

testing::Matcher<const at::Tensor&> SumsNear(at::Tensor expected,
                                             std::vector<std::string> names,
                                             double relative, double absolute) {
  return testing::Matcher<const at::Tensor&>(new SumsNearMatcher(
      std::move(expected), std::move(names), relative, absolute));
}

}  // namespace fairdarts
