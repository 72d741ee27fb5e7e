#include "ops/drop_path.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {

at::Tensor DropPath(const at::Tensor& x, double drop_probability, bool training,
                    RandomStream& stream) {
  FD_CHECK(drop_probability >= 0 && drop_probability < 1) << drop_probability;
  if (!training || drop_probability == 0) return x;
  const std::vector<float> scales =
      DrawPathScales(x.size(0), drop_probability, stream);
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  const at::Tensor scale = at::empty(shape, at::kFloat);
  std::copy(scales.begin(), scales.end(), scale.mutable_data_ptr<float>());
  return x * scale.to(x.options());
}

std::vector<float> DrawPathScales(int64_t images, double drop_probability,
                                  RandomStream& stream) {
  const double keep = 1 - drop_probability;
  std::vector<float> scales(images);
  for (float& scale : scales) {
    if (stream.Uniform() < keep) scale = static_cast<float>(1 / keep);
  }
  return scales;
}

}  // namespace fairdarts
