#ifndef SEARCH_SPACE_S1_FACTORY_H_
#define SEARCH_SPACE_S1_FACTORY_H_

// The S1 search network on one of its engines.

#include <memory>

#include "absl/status/statusor.h"
#include "search_space/s1_config.h"
#include "search_space/supernet.h"

namespace fairdarts {

enum class SupernetEngine {
  kPlain,  // S1Supernet: modules of LibTorch, one an operation; on any device
  kFused,  // FusedSupernet: the same several times faster; on the CPU alone
};

// `threads` are the fused engine's own; the plain one has LibTorch's. The
// errors of the networks' Create().
absl::StatusOr<std::shared_ptr<Supernet>> CreateS1Supernet(
    const S1Config& config, SupernetEngine engine, int threads);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_S1_FACTORY_H_
