#include "tests/tensor_near.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace fairdarts {
namespace {

at::Tensor Flat(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, at::kDouble).contiguous().flatten();
}

// "[1,0,3]" for the flat index of a tensor of this shape.
std::string IndexText(int64_t flat, c10::IntArrayRef shape) {
  std::string text = "]";
  for (size_t i = shape.size(); i-- > 0;) {
    text = absl::StrCat(flat % shape[i], i + 1 < shape.size() ? "," : "", text);
    flat /= shape[i];
  }
  return absl::StrCat("[", text);
}

class TensorNearMatcher : public testing::MatcherInterface<const at::Tensor&> {
 public:
  TensorNearMatcher(at::Tensor expected, Tolerance tolerance)
      : shape_(expected.sizes().vec()), expected_(Flat(expected)) {
    bound_ = tolerance.absolute;
    if (expected_.numel() > 0 && tolerance.relative_to_largest != 0) {
      bound_ +=
          tolerance.relative_to_largest * expected_.abs().max().item<double>();
    }
  }

  void DescribeTo(std::ostream* os) const override {
    *os << "is a [" << absl::StrJoin(shape_, ",") << "] tensor within "
        << bound_ << " of the expected one";
  }

  bool MatchAndExplain(const at::Tensor& actual,
                       testing::MatchResultListener* listener) const override {
    if (!actual.defined()) {
      *listener << "which is undefined";
      return false;
    }
    if (actual.sizes() != c10::IntArrayRef(shape_)) {
      *listener << "which has shape ["
                << absl::StrJoin(actual.sizes().vec(), ",") << "]";
      return false;
    }
    const at::Tensor values = Flat(actual);
    const double* const a = values.const_data_ptr<double>();
    const double* const e = expected_.const_data_ptr<double>();
    int64_t first = -1;
    int64_t worst = -1;
    int64_t off = 0;
    double worst_error = -1;
    double largest_error = 0;
    for (int64_t i = 0; i < values.numel(); ++i) {
      double error = a[i] == e[i] ? 0 : std::abs(a[i] - e[i]);
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
      largest_error = std::max(largest_error, error);
      if (error <= bound_) continue;
      if (off++ == 0) first = i;
      if (error > worst_error) {
        worst_error = error;
        worst = i;
      }
    }
    if (off == 0) {
      *listener << "whose largest error is " << largest_error;
      return true;
    }
    const auto element = [&](int64_t i) {
      return absl::StrFormat("%s is %.9g, expected %.9g", IndexText(i, shape_),
                             a[i], e[i]);
    };
    *listener << off << " of " << values.numel() << " are off; first "
              << element(first) << "; worst " << element(worst) << ", off by "
              << worst_error;
    return false;
  }

 private:
  const std::vector<int64_t> shape_;
  const at::Tensor expected_;
  double bound_;
};

}  // namespace

testing::Matcher<const at::Tensor&> TensorNear(at::Tensor expected,
                                               Tolerance tolerance) {
  return testing::Matcher<const at::Tensor&>(
      new TensorNearMatcher(std::move(expected), tolerance));
}

}  // namespace fairdarts
