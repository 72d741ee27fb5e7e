#ifndef GENOTYPES_REDUCTION_CELLS_H_
#define GENOTYPES_REDUCTION_CELLS_H_

// Where a network of cells halves its maps and doubles its channels (DARTS,
// arXiv 1806.09055, section 3.2): at a third and two thirds of its depth.

#include <cstdint>

namespace fairdarts {

inline int64_t FirstReduction(int64_t layers) { return layers / 3; }

// Behind this one sits the auxiliary head, where there is one.
inline int64_t LastReduction(int64_t layers) { return 2 * layers / 3; }

// Whether cell `layer`, from 0, of `layers` is a reduction cell.
inline bool IsReduction(int64_t layer, int64_t layers) {
  return layer == FirstReduction(layers) || layer == LastReduction(layers);
}

}  // namespace fairdarts

#endif  // GENOTYPES_REDUCTION_CELLS_H_
