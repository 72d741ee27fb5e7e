#ifndef TRAINING_TORCH_IMPORT_STATE_DICT_NAMES_H_
#define TRAINING_TORCH_IMPORT_STATE_DICT_NAMES_H_

// From the state dicts that people have to the one that a network asks for.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "fairdarts/base/safetensors.h"
#include "training/torch_import/torch_file.h"

namespace fairdarts {

// What was changed or left out on the way, in numbers of tensors.
struct ImportReport {
  int64_t prefixes_stripped = 0;   // "module." of DataParallel
  int64_t counters_ignored = 0;    // total_ops, total_params of a FLOPs counter
  int64_t converted_to_float = 0;  // from fp16 or bf16
  int64_t batch_counts_absent = 0;  // num_batches_tracked, older than 0.4.1
  int64_t batch_counts_ignored = 0;
  int64_t auxiliary_absent = 0;  // the network has auxiliary_head.*, not so the
                                 // file: it stays as it was initialised
  int64_t auxiliary_ignored = 0;
  int64_t unused_ignored = 0;  // on edges that read a missing node

  // One line that says all of it; empty when there is nothing to say.
  std::string Summary() const;
};

struct NameOptions {
  bool to_float = true;  // fp16 and bf16 become float32
};

// Strips "module." from the names where all of them have it, as often as they
// do, and drops the FLOPs counter's one-element tensors "total_ops" and
// "total_params", which can stand below any module. Adds to `report`. A
// model-file error without a file name when that leaves nothing.
absl::Status NormalizeStateDict(const NameOptions& options,
                                std::vector<NamedTensor>* tensors,
                                ImportReport* report);

// What a network asks for.
struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
  DType dtype = DType::kF32;
};

// Checks a normalised state dict against a network's tensors. Any
// num_batches_tracked may be absent or too many, and the auxiliary head may be
// absent or too many as a whole: what is too many is dropped, both are added
// to `report`. Else a model-file error of one line, without a file name, that
// counts and names the first tensors that are missing, surplus, or of another
// shape or type.
absl::Status MatchStateDict(const std::vector<ExpectedTensor>& expected,
                            std::vector<NamedTensor>* tensors,
                            ImportReport* report);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_STATE_DICT_NAMES_H_
