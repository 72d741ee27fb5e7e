#include "training/torch_import/legacy.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "training/torch_import/shown.h"

namespace fairdarts {
namespace {

constexpr absl::int128 kMagic = absl::MakeInt128(0x1950, 0xa86a20f9469cfc6c);
constexpr int64_t kVersion = 1001;

// Takes the next of the pickles from the front of `bytes`.
absl::StatusOr<Pickle> TakePickle(absl::string_view what,
                                  absl::string_view* bytes) {
  absl::StatusOr<Pickle> pickle = ParsePickle(*bytes, PickleDialect::kTorch);
  if (!pickle.ok()) return Annotate(pickle.status(), what);
  bytes->remove_prefix(pickle->bytes_used);
  return pickle;
}

uint64_t TakeCount(absl::string_view* bytes) {
  uint64_t count = 0;
  for (int i = 7; i >= 0; --i) {
    count = count << 8 | static_cast<uint8_t>((*bytes)[i]);
  }
  bytes->remove_prefix(8);
  return count;
}

}  // namespace

bool LooksLegacy(absl::string_view bytes) {
  // Every pickle since protocol 2 begins so; those before, with the number as
  // text.
  return !bytes.empty() &&
         (static_cast<uint8_t>(bytes[0]) == 0x80 || bytes[0] == 'L');
}

absl::StatusOr<LegacyFile> ParseLegacy(absl::string_view bytes) {
  FD_ASSIGN_OR_RETURN(const Pickle magic, TakePickle("magic number", &bytes));
  if (!magic.root.is(PickleValue::Kind::kInt) ||
      magic.root.int_value() != kMagic) {
    return absl::DataLossError(
        "is a pickle, but does not begin with the magic number of torch.save");
  }
  FD_ASSIGN_OR_RETURN(const Pickle version, TakePickle("version", &bytes));
  if (version.root.int64_value() != kVersion) {
    return absl::DataLossError(
        absl::StrCat("version of the legacy format should be ", kVersion));
  }
  FD_ASSIGN_OR_RETURN(const Pickle system, TakePickle("system", &bytes));
  const std::optional<PickleValue> little =
      system.root.is(PickleValue::Kind::kDict)
          ? system.root.Find("little_endian")
          : std::nullopt;
  if (!little.has_value() || !little->is(PickleValue::Kind::kBool) ||
      !little->bool_value()) {
    return absl::DataLossError(
        "was not written by a little-endian machine, should be");
  }
  LegacyFile file;
  FD_ASSIGN_OR_RETURN(file.object, TakePickle("object", &bytes));
  FD_ASSIGN_OR_RETURN(const Pickle keys, TakePickle("storage keys", &bytes));
  if (!keys.root.is(PickleValue::Kind::kList)) {
    return absl::DataLossError(absl::StrCat(
        "storage keys are ", keys.root.kind_name(), ", should be a list"));
  }
  for (size_t i = 0; i < keys.root.size(); ++i) {
    const PickleValue key = keys.root.item(i);
    if (!key.is_text()) {
      return absl::DataLossError(absl::StrCat(
          "storage key ", i, " is ", key.kind_name(), ", should be a string"));
    }
    const std::string name(key.text());
    const auto known = file.object.storages.find(name);
    if (known == file.object.storages.end()) {
      return absl::DataLossError(
          absl::StrCat("storage ", Shown(name), " belongs to no tensor"));
    }
    const PickledStorage& storage = known->second;
    if (bytes.size() < 8) {
      return absl::DataLossError(
          absl::StrCat("ends before storage ", Shown(name)));
    }
    const uint64_t elements = TakeCount(&bytes);
    if (elements != static_cast<uint64_t>(storage.elements)) {
      return absl::DataLossError(
          absl::StrCat("storage ", Shown(name), " has ", elements,
                       " elements where its tensor's says ", storage.elements));
    }
    // No overflow: the pickle machine has checked the product.
    const uint64_t size = elements * DTypeBytes(storage.dtype);
    if (size > bytes.size()) {
      return absl::DataLossError(absl::StrCat("storage ", Shown(name),
                                              " claims ", size, " bytes where ",
                                              bytes.size(), " are left"));
    }
    if (!file.storages.try_emplace(name, bytes.substr(0, size)).second) {
      return absl::DataLossError(
          absl::StrCat("storage ", Shown(name), " comes twice"));
    }
    bytes.remove_prefix(size);
  }
  for (const auto& [name, storage] : file.object.storages) {
    if (file.storages.count(name) == 0) {
      return absl::DataLossError(
          absl::StrCat("storage ", Shown(name), " is missing"));
    }
  }
  if (!bytes.empty()) {
    return absl::DataLossError(
        absl::StrCat("has ", bytes.size(), " bytes after the last storage"));
  }
  return file;
}

}  // namespace fairdarts
