#ifndef FAIRDARTS_RUNTIME_CUDA_TOLERANCES_H_
#define FAIRDARTS_RUNTIME_CUDA_TOLERANCES_H_

// How far the logits of a network may be off on a GPU, for tests.

#include <cmath>

#include "fairdarts/runtime/golden_networks.h"
#include "ops/cuda/element.h"

namespace fairdarts {

// How far one cell's rounding takes its output, as a part of it.
//
// float32: as on the CPU, the sums decide. In two bytes it is what is stored:
// sums are float32. A cell is two products (a separable convolution, twice),
// and each of them has its weights, its input, what the depthwise convolution
// makes of it and its output rounded, by at most 2^-p of themselves with p bits
// of precision and in either direction: where terms of random sign are off by
// such a part each, so is their sum. Eight roundings, and cuDNN's of a bias:
// sqrt(9) = 3.
inline double CellRounding(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return 3 * std::exp2(-11);
    case Precision::kBFloat16:
      return 3 * std::exp2(-8);
    case Precision::kFloat32:
      break;
  }
  return kFloatCellRounding;
}

// Of the largest logit.
inline double LogitTolerance(Precision precision, int cells) {
  return std::sqrt(cells) * CellRounding(precision);
}

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_TOLERANCES_H_
