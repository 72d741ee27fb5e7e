#include "training/checkpoint/checkpoint_file.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "training/checkpoint/dtype.h"
#include "training/checkpoint/envelope.h"

namespace fairdarts {
namespace {

// Of any tensor that LibTorch's loops can run over.
constexpr size_t kMaxDimensions = 64;

}  // namespace

std::string SerializeCheckpoint(const Snapshot& snapshot) {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, tensor] : snapshot.tensors()) {
    tensors.push_back({name,
                       {*DTypeOf(tensor.scalar_type()),
                        tensor.sizes().vec(),
                        {static_cast<const char*>(tensor.const_data_ptr()),
                         tensor.nbytes()}}});
  }
  return SealCheckpoint(snapshot.kind(), tensors, snapshot.texts());
}

absl::Status WriteCheckpoint(const std::string& path,
                             const Snapshot& snapshot) {
  return WriteFileAtomic(path, SerializeCheckpoint(snapshot));
}

absl::StatusOr<Snapshot> ReadCheckpoint(const std::string& path, RunKind kind) {
  FD_ASSIGN_OR_RETURN(const SafetensorsFile file, LoadCheckpoint(path, kind));
  Snapshot snapshot(kind, path);
  for (const auto& [name, view] : file.tensors()) {
    const auto refuse = [&, &name = name](absl::string_view rule) {
      return snapshot.Error(
          absl::StrCat("tensor \"", absl::CHexEscape(name), "\": ", rule));
    };
    if (view.shape.size() > kMaxDimensions) {
      return refuse(absl::StrCat("has ", view.shape.size(),
                                 " dimensions, more than ", kMaxDimensions));
    }
    // Any other byte in a bool is undefined behaviour further on.
    if (view.dtype == DType::kBool &&
        !std::all_of(view.data.begin(), view.data.end(),
                     [](char byte) { return byte == 0 || byte == 1; })) {
      return refuse("a BOOL must be 0 or 1");
    }
    const absl::Status put = CatchTorch(path, [&, &name = name, &view = view] {
      torch::Tensor tensor =
          torch::empty(view.shape, torch::dtype(ScalarTypeOf(view.dtype)));
      if (!view.data.empty()) {
        std::memcpy(tensor.mutable_data_ptr(), view.data.data(),
                    view.data.size());
      }
      snapshot.PutTensor(name, tensor);
    });
    FD_RETURN_IF_ERROR(put);
  }
  for (const auto& [name, text] : file.metadata()) {
    if (!absl::StartsWith(name, kEnvelopePrefix)) snapshot.PutText(name, text);
  }
  return snapshot;
}

}  // namespace fairdarts
