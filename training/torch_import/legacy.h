#ifndef TRAINING_TORCH_IMPORT_LEGACY_H_
#define TRAINING_TORCH_IMPORT_LEGACY_H_

// The format of torch.save before PyTorch 1.6, and since then with
// _use_new_zipfile_serialization=False: five pickles in a row - a magic number,
// the format's version 1001, what the writing machine was like, the object,
// the list of its storages' keys - and then each storage of the list, as 8
// little-endian bytes of its number of elements and the elements themselves.

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "training/torch_import/pickle.h"

namespace fairdarts {

// Whether the bytes begin like such a file, as opposed to a zip archive.
bool LooksLegacy(absl::string_view bytes);

struct LegacyFile {
  Pickle object;
  // The bytes of each of the object's storages, views of the input.
  std::map<std::string, absl::string_view> storages;
};

// The input must end with the last storage. Errors name neither the file nor
// an exit code: the caller knows them.
absl::StatusOr<LegacyFile> ParseLegacy(absl::string_view bytes);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_LEGACY_H_
