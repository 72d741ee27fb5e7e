#include "search_space/s1_factory.h"

#include "search_space/fused_supernet.h"
#include "search_space/s1_supernet.h"

namespace fairdarts {

absl::StatusOr<std::shared_ptr<Supernet>> CreateS1Supernet(
    const S1Config& config, SupernetEngine engine, int threads) {
  if (engine == SupernetEngine::kFused) {
    return FusedSupernet::Create(config, threads);
  }
  return S1Supernet::Create(config);
}

}  // namespace fairdarts
