#include "ops/drop_path.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {

at::Tensor DropPath(const at::Tensor& x, double drop_probability, bool training,
                    RandomStream& stream) {
  FD_CHECK(drop_probability >= 0 && drop_probability < 1) << drop_probability;
  if (!training || drop_probability == 0) return x;
  const double keep = 1 - drop_probability;
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  const at::Tensor scale = at::zeros(shape, at::kFloat);
  float* const scales = scale.mutable_data_ptr<float>();
  for (int64_t n = 0; n < x.size(0); ++n) {
    if (stream.Uniform() < keep) scales[n] = static_cast<float>(1 / keep);
  }
  return x * scale.to(x.options());
}

}  // namespace fairdarts
