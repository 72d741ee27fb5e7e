#ifndef FAIRDARTS_RUNTIME_FOLD_BATCH_NORM_H_
#define FAIRDARTS_RUNTIME_FOLD_BATCH_NORM_H_

// Batch norm in evaluation is one factor and one sum a channel,
//   y = (x - mean) / sqrt(var + epsilon) * weight + bias,
// which go into the convolution before it.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/network_graph.h"

namespace fairdarts {

// A convolution with bias and nothing behind it.
struct FoldedConvolution {
  std::vector<float> weights;  // [out, in, kh, kw], or [out, kh, kw]
  std::vector<float> bias;     // [out]
};

// The convolution of a kConvolution or kFactorizedReduce layer of the file,
// times `scale`; of the latter both halves, one behind the other. Computed in
// double and rounded once. A model-file error names the tensor that holds a
// number that is not finite, one that is not any more with its batch norm, or a
// variance below zero.
//
// The convolution before it may be given again, for its memory.
absl::Status FoldBatchNorm(const ModelFile& file, const Layer& layer,
                           float scale, FoldedConvolution* folded);

// The values of a float32 tensor of the file to `values`; an error as above.
absl::Status CopyFinite(const ModelFile& file, const std::string& name,
                        float* values);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_FOLD_BATCH_NORM_H_
