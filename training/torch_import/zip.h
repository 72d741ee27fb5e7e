#ifndef TRAINING_TORCH_IMPORT_ZIP_H_
#define TRAINING_TORCH_IMPORT_ZIP_H_

// The zip archives that torch.save writes, through libzip
// (https://libzip.org): all entries are stored without compression.
//
// Stricter than zip allows: no entry is compressed or encrypted, no name comes
// twice, is absolute or leaves its folder, and all entries together claim no
// more bytes than the archive has, so none can hold the same bytes twice.
// Headers that contradict each other and wrong check sums are refused.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct zip;

namespace fairdarts {

// Not thread-safe; moving it is cheap. Errors name the entry, but neither the
// file nor an exit code: the caller knows them.
class ZipArchive {
 public:
  // Over bytes that the caller keeps alive and unchanged.
  static absl::StatusOr<ZipArchive> Open(absl::string_view bytes);

  // In the order of the archive.
  const std::vector<std::string>& names() const { return names_; }
  bool Contains(absl::string_view name) const {
    return entries_.contains(name);
  }

  // The contents of an entry, whose check sum fits.
  absl::StatusOr<std::string> Read(absl::string_view name) const;

 private:
  struct Closer {
    void operator()(zip* archive) const;
  };
  struct Entry {
    uint64_t index;
    uint64_t size;
  };

  explicit ZipArchive(std::unique_ptr<zip, Closer> archive);

  std::unique_ptr<zip, Closer> archive_;
  std::vector<std::string> names_;
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_ZIP_H_
