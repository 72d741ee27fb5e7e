#ifndef TRAINING_RANDOM_SEARCH_COMMAND_H_
#define TRAINING_RANDOM_SEARCH_COMMAND_H_

// //training:search -- --random_search: random genotypes instead of a search
// (fairdarts/random_search.h). Free of LibTorch.

#include "absl/status/status.h"
#include "training/config.pb.h"
#include "training/run_log.h"

namespace fairdarts {

// OK where `flags`, what the command line states, has only fields that a random
// search looks at; else a usage error that names the first other.
absl::Status CheckRandomSearchFlags(const SearchConfig& flags);

// Says num_arch genotypes with num_identity skip connections in the normal cell
// and at least flops_threshold MFLOPs, the list of config.seed(), as Python
// that can stand in upstream's genotypes.py:
//
//   # Skips: 2, FLOPS: 517.88M, Params: 3.343M
//   arch_0 = Genotype(normal=[...], ...)
//
// Errors are those of RandomGenotypes(); nothing is said then.
absl::Status RandomSearch(const SearchConfig& config, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_RANDOM_SEARCH_COMMAND_H_
