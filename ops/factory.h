#ifndef OPS_FACTORY_H_
#define OPS_FACTORY_H_

// From the name of a candidate to its operation.

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "genotypes/primitive.h"
#include "ops/operation.h"

namespace fairdarts {

// The operation as networks have it that a genotype describes: from `channels`
// to as many, pools without batch norm. A usage error names what is wrong with
// the arguments: channels from 1 on, stride 1 or 2, an even number of channels
// for skip_connect at stride 2.
absl::StatusOr<std::shared_ptr<Operation>> MakeOperation(Primitive primitive,
                                                         int64_t channels,
                                                         int64_t stride,
                                                         bool affine);

// The operation as a candidate of a search: no affine parameters, and batch
// norm behind a pool. Arguments that MakeOperation refuses are our own bug.
std::shared_ptr<Operation> MakeSearchOperation(Primitive primitive,
                                               int64_t channels,
                                               int64_t stride);

}  // namespace fairdarts

#endif  // OPS_FACTORY_H_
