#ifndef TRAINING_TORCH_IMPORT_TORCH_FILE_H_
#define TRAINING_TORCH_IMPORT_TORCH_FILE_H_

// Files of torch.save, in its zip format and in the legacy one, without
// PyTorch and without running anything that a file says (see pickle.h).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"
#include "training/torch_import/pickle.h"

namespace fairdarts {

// A tensor under its name: row-major without gaps, little-endian. `view` points
// into `owner`, which several tensors may share, so copies are cheap.
struct NamedTensor {
  std::string name;
  TensorView view;
  std::shared_ptr<const std::string> owner;
};

// What upstream's training saves.
struct TorchCheckpoint {
  std::optional<int64_t> epoch;
  std::optional<double> best_acc_top1;  // in percent
  std::vector<NamedTensor> state_dict;  // in the order of the file
};

// Immutable, so it may be read from several threads.
class TorchFile {
 public:
  // Whether the bytes begin as a file of torch.save does.
  static bool Recognises(absl::string_view bytes);

  // A model-file error of one line that begins with `name` for everything that
  // is wrong; `name` stands for the path.
  static absl::StatusOr<TorchFile> Parse(std::string bytes,
                                         absl::string_view name);

  // The object that was saved.
  const PickleValue& root() const { return root_; }

  // A tensor of the object; one whose strides leave gaps or change the order
  // is copied into order. Our own bug (FD_CHECK) when the value is none.
  NamedTensor Tensor(absl::string_view name, const PickleValue& value) const;

  // The checkpoint in a dict with a "state_dict" (and perhaps "epoch" and
  // "best_acc_top1"; other keys, such as "optimizer", are left alone), or in a
  // dict of nothing but tensors, which is the state dict itself. Model-file
  // errors as above.
  absl::StatusOr<TorchCheckpoint> Checkpoint() const;

 private:
  struct Storage {
    std::shared_ptr<const std::string> owner;
    absl::string_view data;
  };

  absl::Status ReadZip(std::shared_ptr<const std::string> bytes);
  absl::Status ReadLegacy(std::shared_ptr<const std::string> bytes);
  absl::StatusOr<std::vector<NamedTensor>> StateDict(
      const PickleValue& dict) const;

  std::string name_;
  uint64_t file_bytes_ = 0;
  PickleValue root_;
  std::map<std::string, Storage> storages_;  // by key
};

// The file at `path`, whole in memory.
absl::StatusOr<TorchFile> ReadTorchFile(const std::string& path);

// Its checkpoint.
absl::StatusOr<TorchCheckpoint> ReadTorchCheckpoint(const std::string& path);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_TORCH_FILE_H_
