#include "training/torch_import/torch_file.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "training/torch_import/legacy.h"
#include "training/torch_import/shown.h"
#include "training/torch_import/zip.h"

namespace fairdarts {
namespace {

using Kind = PickleValue::Kind;

// A zip archive's first entry.
constexpr absl::string_view kZip = "PK\x03\x04";

// "archive/", which every entry's name must begin with.
absl::StatusOr<std::string> FolderOf(const ZipArchive& archive) {
  const std::vector<std::string>& names = archive.names();
  const size_t slash = names.empty() ? std::string::npos : names[0].find('/');
  if (slash == std::string::npos) {
    return absl::DataLossError(
        "is a zip archive, but none that torch.save writes: it does not begin "
        "with a folder");
  }
  const std::string folder = names[0].substr(0, slash + 1);
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, folder)) {
      return absl::DataLossError(absl::StrCat(
          "is a zip archive, but none that torch.save writes: \"", Shown(name),
          "\" lies outside of the folder \"", Shown(folder), "\""));
    }
    if (name == folder + "constants.pkl" ||
        absl::StartsWith(name, folder + "code/")) {
      return absl::DataLossError(
          "is a TorchScript program, which is never run: save the network's "
          "state_dict() with torch.save instead");
    }
  }
  return folder;
}

// Refuses what a later version of the format may mean by the same names.
absl::Status CheckFormat(const ZipArchive& archive, const std::string& folder) {
  constexpr int kMinVersion = 1;
  constexpr int kMaxVersion = 10;
  FD_ASSIGN_OR_RETURN(const std::string version,
                      archive.Read(folder + "version"));
  int number = 0;
  if (!absl::SimpleAtoi(version, &number) || number < kMinVersion ||
      number > kMaxVersion) {
    return absl::DataLossError(absl::StrCat("version \"", Shown(version),
                                            "\" should be ", kMinVersion,
                                            " to ", kMaxVersion));
  }
  if (!archive.Contains(folder + "byteorder")) return absl::OkStatus();
  FD_ASSIGN_OR_RETURN(const std::string order,
                      archive.Read(folder + "byteorder"));
  if (order != "little") {
    return absl::DataLossError(
        absl::StrCat("byteorder \"", Shown(order), "\" should be \"little\""));
  }
  return absl::OkStatus();
}

bool IsContiguous(const PickledTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.shape.size(); i > 0; --i) {
    const int64_t size = tensor.shape[i - 1];
    if (size != 1 && tensor.strides[i - 1] != expected) return false;
    expected *= size;
  }
  return true;
}

// The elements in row-major order.
std::string Gather(const PickledTensor& tensor, absl::string_view storage,
                   int64_t elements) {
  const int64_t item = DTypeBytes(tensor.storage.dtype);
  const size_t dimensions = tensor.shape.size();
  std::string gathered(elements * item, '\0');
  std::vector<int64_t> index(dimensions, 0);
  int64_t source = tensor.offset;
  for (int64_t i = 0; i < elements; ++i) {
    std::memcpy(&gathered[i * item], storage.data() + source * item, item);
    for (size_t d = dimensions; d > 0; --d) {
      source += tensor.strides[d - 1];
      if (++index[d - 1] < tensor.shape[d - 1]) break;
      source -= index[d - 1] * tensor.strides[d - 1];
      index[d - 1] = 0;
    }
  }
  return gathered;
}

// One value of a tensor; none for types that are no number here.
std::optional<double> NumberOf(const TensorView& view) {
  if (view.elements() != 1) return std::nullopt;
  switch (view.dtype) {
    case DType::kF32: {
      float value;
      std::memcpy(&value, view.data.data(), sizeof(value));
      return value;
    }
    case DType::kF64: {
      double value;
      std::memcpy(&value, view.data.data(), sizeof(value));
      return value;
    }
    default:
      return std::nullopt;
  }
}

std::string KeysOf(const PickleValue& dict) {
  constexpr size_t kMaxKeys = 8;
  std::vector<std::string> keys;
  for (size_t i = 0; i < dict.size() && i < kMaxKeys; ++i) {
    const PickleValue key = dict.key(i);
    keys.push_back(key.is_text() ? Shown(key.text())
                                 : std::string(key.kind_name()));
  }
  if (dict.size() > kMaxKeys) keys.push_back("...");
  return absl::StrJoin(keys, ", ");
}

}  // namespace

bool TorchFile::Recognises(absl::string_view bytes) {
  return absl::StartsWith(bytes, kZip) || LooksLegacy(bytes);
}

absl::StatusOr<TorchFile> TorchFile::Parse(std::string bytes,
                                           absl::string_view name) {
  TorchFile file;
  file.name_ = std::string(name);
  file.file_bytes_ = bytes.size();
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  absl::Status status;
  if (absl::StartsWith(*owner, kZip)) {
    status = file.ReadZip(std::move(owner));
  } else if (LooksLegacy(*owner)) {
    status = file.ReadLegacy(std::move(owner));
  } else {
    status = absl::DataLossError(
        owner->empty() ? "is empty, should be a file of torch.save"
                       : "is no file of torch.save: it begins neither as a zip "
                         "archive nor as a pickle");
  }
  if (!status.ok()) {
    return ModelFileError(absl::StrCat(name, ": ", status.message()));
  }
  return file;
}

absl::Status TorchFile::ReadZip(std::shared_ptr<const std::string> bytes) {
  FD_ASSIGN_OR_RETURN(const ZipArchive archive, ZipArchive::Open(*bytes));
  FD_ASSIGN_OR_RETURN(const std::string folder, FolderOf(archive));
  FD_RETURN_IF_ERROR(CheckFormat(archive, folder));
  FD_ASSIGN_OR_RETURN(const std::string program,
                      archive.Read(folder + "data.pkl"));
  absl::StatusOr<Pickle> pickle = ParsePickle(program, PickleDialect::kTorch);
  if (!pickle.ok()) return Annotate(pickle.status(), "data.pkl");
  if (pickle->bytes_used != program.size()) {
    return absl::DataLossError(absl::StrCat("data.pkl has ",
                                            program.size() - pickle->bytes_used,
                                            " bytes after its end"));
  }
  for (const auto& [key, storage] : pickle->storages) {
    const std::string entry = absl::StrCat(folder, "data/", key);
    FD_ASSIGN_OR_RETURN(std::string contents, archive.Read(entry));
    const int64_t size = storage.elements * DTypeBytes(storage.dtype);
    if (static_cast<int64_t>(contents.size()) != size) {
      return absl::DataLossError(
          absl::StrCat("entry \"", Shown(entry), "\" has ", contents.size(),
                       " bytes where its tensor's storage says ", size));
    }
    auto owner = std::make_shared<const std::string>(std::move(contents));
    storages_[key] = Storage{owner, *owner};
  }
  root_ = pickle->root;
  return absl::OkStatus();
}

absl::Status TorchFile::ReadLegacy(std::shared_ptr<const std::string> bytes) {
  FD_ASSIGN_OR_RETURN(const LegacyFile file, ParseLegacy(*bytes));
  for (const auto& [key, data] : file.storages) {
    storages_[key] = Storage{bytes, data};
  }
  root_ = file.object.root;
  return absl::OkStatus();
}

NamedTensor TorchFile::Tensor(absl::string_view name,
                              const PickleValue& value) const {
  const PickledTensor& tensor = value.tensor();
  const auto found = storages_.find(tensor.storage.key);
  FD_CHECK(found != storages_.end()) << "a tensor of another file";
  const Storage& storage = found->second;
  NamedTensor result;
  result.name = std::string(name);
  result.view.dtype = tensor.storage.dtype;
  result.view.shape = tensor.shape;
  // The machine has checked that all of this lies within the storage.
  const int64_t elements = tensor.elements();
  const int64_t item = DTypeBytes(tensor.storage.dtype);
  if (elements == 0 || IsContiguous(tensor)) {
    result.owner = storage.owner;
    result.view.data =
        storage.data.substr(tensor.offset * item, elements * item);
  } else {
    result.owner = std::make_shared<const std::string>(
        Gather(tensor, storage.data, elements));
    result.view.data = *result.owner;
  }
  return result;
}

absl::StatusOr<std::vector<NamedTensor>> TorchFile::StateDict(
    const PickleValue& dict) const {
  std::vector<NamedTensor> tensors;
  // Tensors may share a storage, so their number alone bounds nothing.
  const uint64_t most = 2 * file_bytes_;
  uint64_t claimed = 0;
  for (size_t i = 0; i < dict.size(); ++i) {
    const PickleValue key = dict.key(i);
    const PickleValue value = dict.item(i);
    if (!key.is_text() || key.text().empty()) {
      return ModelFileError(absl::StrCat(name_, ": state_dict has ",
                                         key.kind_name(),
                                         " as a key, should be a name"));
    }
    if (!value.is(Kind::kTensor)) {
      return ModelFileError(
          absl::StrCat(name_, ": state_dict's \"", Shown(key.text()), "\" is ",
                       value.kind_name(), ", should be a tensor"));
    }
    claimed +=
        value.tensor().elements() * DTypeBytes(value.tensor().storage.dtype);
    if (claimed > most) {
      return ModelFileError(
          absl::StrCat(name_, ": state_dict's tensors claim more than ", most,
                       " bytes, twice what the file has"));
    }
    tensors.push_back(Tensor(key.text(), value));
  }
  if (tensors.empty()) {
    return ModelFileError(absl::StrCat(name_, ": state_dict is empty"));
  }
  return tensors;
}

absl::StatusOr<TorchCheckpoint> TorchFile::Checkpoint() const {
  if (!root_.is(Kind::kDict)) {
    return ModelFileError(absl::StrCat(
        name_, ": holds ", root_.kind_name(),
        ", should hold a dict with a state_dict, or a state_dict itself"));
  }
  TorchCheckpoint checkpoint;
  const std::optional<PickleValue> state = root_.Find("state_dict");
  if (!state.has_value()) {
    bool all_tensors = root_.size() > 0;
    for (size_t i = 0; i < root_.size(); ++i) {
      all_tensors = all_tensors && root_.item(i).is(Kind::kTensor);
    }
    if (!all_tensors) {
      return ModelFileError(absl::StrCat(
          name_, ": holds a dict with the keys [", KeysOf(root_),
          "], should have \"state_dict\" or hold nothing but tensors"));
    }
    FD_ASSIGN_OR_RETURN(checkpoint.state_dict, StateDict(root_));
    return checkpoint;
  }
  if (!state->is(Kind::kDict)) {
    return ModelFileError(absl::StrCat(
        name_, ": state_dict is ", state->kind_name(), ", should be a dict"));
  }
  FD_ASSIGN_OR_RETURN(checkpoint.state_dict, StateDict(*state));
  if (const auto epoch = root_.Find("epoch"); epoch.has_value()) {
    checkpoint.epoch = epoch->int64_value();
    if (checkpoint.epoch.value_or(-1) < 0) {
      return ModelFileError(
          absl::StrCat(name_, ": epoch is ", epoch->kind_name(),
                       " out of range, should be an integer of at least 0"));
    }
  }
  const auto best = root_.Find("best_acc_top1");
  if (best.has_value() && !best->is(Kind::kNone)) {
    if (best->is(Kind::kFloat)) {
      checkpoint.best_acc_top1 = best->float_value();
    } else if (best->is(Kind::kInt)) {
      checkpoint.best_acc_top1 = static_cast<double>(best->int_value());
    } else if (best->is(Kind::kTensor)) {
      checkpoint.best_acc_top1 = NumberOf(Tensor("", *best).view);
    }
    if (!checkpoint.best_acc_top1.has_value() ||
        !(*checkpoint.best_acc_top1 >= 0 && *checkpoint.best_acc_top1 <= 100)) {
      return ModelFileError(absl::StrCat(name_, ": best_acc_top1 is ",
                                         best->kind_name(),
                                         " that is no percentage of 0 to 100"));
    }
  }
  return checkpoint;
}

absl::StatusOr<TorchFile> ReadTorchFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return ModelFileError(bytes.status().message());
  return TorchFile::Parse(*std::move(bytes), path);
}

absl::StatusOr<TorchCheckpoint> ReadTorchCheckpoint(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const TorchFile file, ReadTorchFile(path));
  return file.Checkpoint();
}

}  // namespace fairdarts
