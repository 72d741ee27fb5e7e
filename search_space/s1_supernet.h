#ifndef SEARCH_SPACE_S1_SUPERNET_H_
#define SEARCH_SPACE_S1_SUPERNET_H_

// The search network of DARTS and FairDARTS (space S1; arXiv 1806.09055,
// arXiv 1911.12126).

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search_space/s1_config.h"
#include "search_space/search_cell.h"
#include "search_space/skip_noise.h"
#include "search_space/supernet.h"

namespace fairdarts {

// A stem (3x3 convolution to 3C and batch norm), `layers` cells, global
// average pool, linear classifier. Cells layers/3 and 2*layers/3 are reduction
// cells, which double the channels of a node. All cells of a kind share one
// matrix of weights. State-dict names are upstream's.
class S1Supernet : public Supernet {
 public:
  // A usage error names the field that is out of range: at least 3 layers (one
  // normal and two reduction cells), everything else at least 1.
  static absl::StatusOr<std::shared_ptr<S1Supernet>> Create(
      const S1Config& config);

  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights& weights) override;
  absl::Status SetSkipNoise(const SkipNoise& noise) override;
  int64_t edges() const override;
  int64_t candidates() const override;

 private:
  explicit S1Supernet(const S1Config& config);

  torch::nn::Sequential stem_;
  std::vector<std::shared_ptr<SearchCell>> cells_;
  std::vector<bool> is_reduction_;
  SkipNoise noise_;
  int64_t noise_forwards_ = 0;
  torch::nn::Linear classifier_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_S1_SUPERNET_H_
