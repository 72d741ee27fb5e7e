#ifndef TRAINING_CHECKPOINT_SNAPSHOT_H_
#define TRAINING_CHECKPOINT_SNAPSHOT_H_

// The whole state of a run between two steps: named tensors and named texts.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "torch/nn/module.h"
#include "torch/types.h"
#include "training/checkpoint/run_kind.h"

namespace fairdarts {

// What is put in is copied at once, so the run may go on while a snapshot of it
// is written. Putting a name twice is our own bug (FD_CHECK).
//
// All errors are model-file errors that name the file (where the snapshot comes
// from one), the entry and what would be right. Whoever only reads may do so
// from several threads.
class Snapshot {
 public:
  // `source` stands before every error: the path that it was read from.
  explicit Snapshot(RunKind kind, std::string source = "")
      : kind_(kind), source_(std::move(source)) {}

  RunKind kind() const { return kind_; }
  const std::string& source() const { return source_; }

  // A contiguous copy on the CPU, without its gradient, of any dtype that
  // safetensors knows (dtype.h).
  void PutTensor(absl::string_view name, const torch::Tensor& tensor);
  // Every parameter and buffer as PREFIX/its state-dict name.
  void PutModule(absl::string_view prefix, const torch::nn::Module& module);
  // Valid UTF-8; the name must not begin with "checkpoint." (envelope.h).
  void PutText(absl::string_view name, absl::string_view text);
  // A text too: the decimal digits, and the fewest that read back as the same
  // double (also "inf" and "nan").
  void PutInteger(absl::string_view name, int64_t value);
  void PutReal(absl::string_view name, double value);

  bool HasTensor(absl::string_view name) const;
  bool HasText(absl::string_view name) const;

  // The snapshot's own tensor, not a copy: do not write to it.
  absl::StatusOr<torch::Tensor> Tensor(absl::string_view name) const;
  // Over `destination`, whose dtype and shape must be the same; its device
  // and memory format stay.
  absl::Status CopyTensorTo(absl::string_view name,
                            torch::Tensor& destination) const;
  // The reverse of PutModule. Exact: keys that are missing, left over or of
  // another shape or dtype are an error that names the first of them, and the
  // module is then as it was.
  absl::Status LoadModule(absl::string_view prefix,
                          torch::nn::Module& module) const;
  absl::StatusOr<std::string> Text(absl::string_view name) const;
  absl::StatusOr<int64_t> Integer(absl::string_view name) const;
  absl::StatusOr<double> Real(absl::string_view name) const;

  const std::map<std::string, torch::Tensor>& tensors() const {
    return tensors_;
  }
  const std::map<std::string, std::string>& texts() const { return texts_; }

  // A model-file error behind the source, for what readers of a snapshot find.
  absl::Status Error(absl::string_view message) const;

  // What a tensor of this snapshot is copied over, for CopyAll.
  struct Copy {
    std::string name;
    torch::Tensor destination;
  };
  // All of them or, on an error that names the first few, none. Every tensor
  // whose name begins with `prefix` has to be among them.
  absl::Status CopyAll(absl::string_view prefix,
                       const std::vector<Copy>& copies) const;

 private:
  RunKind kind_;
  std::string source_;
  std::map<std::string, torch::Tensor> tensors_;
  std::map<std::string, std::string> texts_;
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_SNAPSHOT_H_
