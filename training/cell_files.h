#ifndef TRAINING_CELL_FILES_H_
#define TRAINING_CELL_FILES_H_

// What a search or a derivation says about the cells that it chose.

#include "absl/status/status.h"
#include "fairdarts/discretization.h"
#include "genotypes/genotype.h"
#include "training/run_folder.h"

namespace fairdarts {

// genotype.textproto, genotype.txt (upstream's Python text), normal.svg and
// reduce.svg (pictures of the cells).
absl::Status WriteGenotypeFiles(const Genotype& genotype,
                                const RunFolder& folder);

// normal_weight.npy and reduce_weight.npy: the final relaxed weights.
absl::Status WriteWeightMatrices(const EdgeMatrix& normal,
                                 const EdgeMatrix& reduce,
                                 const RunFolder& folder);

}  // namespace fairdarts

#endif  // TRAINING_CELL_FILES_H_
