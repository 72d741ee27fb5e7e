#include "training/data/cifar_python.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "training/torch_import/pickle.h"

namespace fairdarts {
namespace {

using Kind = PickleValue::Kind;

constexpr int64_t kPixels = kCifarChannels * kCifarSide * kCifarSide;
constexpr int64_t kMaxFileSize = int64_t{1} << 30;

struct PythonFormat {
  std::vector<const char*> train;
  const char* test;
  const char* labels;  // the key of a batch
  const char* meta;
  const char* names;  // the key of the meta file
  int64_t classes;
};

const PythonFormat& FormatOf(CifarKind kind) {
  static const auto* const kCifar10 =
      new PythonFormat{{"data_batch_1", "data_batch_2", "data_batch_3",
                        "data_batch_4", "data_batch_5"},
                       "test_batch",
                       "labels",
                       "batches.meta",
                       "label_names",
                       10};
  static const auto* const kCifar100 = new PythonFormat{
      {"train"}, "test", "fine_labels", "meta", "fine_label_names", 100};
  return kind == CifarKind::kCifar10 ? *kCifar10 : *kCifar100;
}

std::string PathOf(const std::string& folder, absl::string_view file) {
  return (std::filesystem::path(folder) / std::string(file)).string();
}

// The dict that fills a file.
absl::StatusOr<PickleValue> ReadDict(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileSize));
  const absl::StatusOr<Pickle> pickle =
      ParsePickle(bytes, PickleDialect::kNumpy);
  if (!pickle.ok()) {
    return DataError(absl::StrCat(path, ": ", pickle.status().message()));
  }
  if (pickle->bytes_used != bytes.size()) {
    return DataError(absl::StrCat(path, ": has ",
                                  bytes.size() - pickle->bytes_used,
                                  " bytes after its pickle"));
  }
  if (!pickle->root.is(Kind::kDict)) {
    return DataError(absl::StrCat(path, ": holds ", pickle->root.kind_name(),
                                  ", should hold a dict"));
  }
  return pickle->root;
}

absl::StatusOr<PickleValue> Field(const PickleValue& dict,
                                  absl::string_view name, Kind kind,
                                  absl::string_view what,
                                  const std::string& path) {
  const std::optional<PickleValue> value = dict.Find(name);
  if (!value.has_value()) {
    return DataError(
        absl::StrCat(path, ": has no \"", name, "\", should be ", what));
  }
  if (!value->is(kind)) {
    return DataError(absl::StrCat(path, ": ", name, " is ", value->kind_name(),
                                  ", should be ", what));
  }
  return *value;
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(
    const PythonFormat& format, const std::string& path) {
  FD_ASSIGN_OR_RETURN(const PickleValue dict, ReadDict(path));
  FD_ASSIGN_OR_RETURN(
      const PickleValue list,
      Field(dict, format.names, Kind::kList, "a list of names", path));
  std::vector<std::string> names;
  absl::flat_hash_set<std::string> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    const PickleValue item = list.item(i);
    constexpr size_t kMaxName = 100;
    bool printable = item.is_text() && !item.text().empty() &&
                     item.text().size() <= kMaxName;
    for (size_t j = 0; printable && j < item.text().size(); ++j) {
      printable =
          !absl::ascii_iscntrl(static_cast<unsigned char>(item.text()[j]));
    }
    if (!printable) {
      return DataError(absl::StrCat(path, ": ", format.names, " ", i,
                                    " should be a name of 1 to ", kMaxName,
                                    " bytes without control characters"));
    }
    names.emplace_back(item.text());
    if (!seen.insert(names.back()).second) {
      return DataError(absl::StrCat(path, ": ", format.names, " ", i, " \"",
                                    absl::CHexEscape(names.back()),
                                    "\" names a second class"));
    }
  }
  if (names.empty() || static_cast<int64_t>(names.size()) > format.classes) {
    return DataError(absl::StrCat(path, ": ", format.names, " has ",
                                  names.size(), " names, should have 1 to ",
                                  format.classes));
  }
  return names;
}

absl::Status Append(const PythonFormat& format, const std::string& path,
                    CifarImages* images) {
  FD_ASSIGN_OR_RETURN(const PickleValue dict, ReadDict(path));
  FD_ASSIGN_OR_RETURN(const PickleValue data, Field(dict, "data", Kind::kArray,
                                                    "an array of uint8", path));
  FD_ASSIGN_OR_RETURN(
      const PickleValue labels,
      Field(dict, format.labels, Kind::kList, "a list of labels", path));
  const PickledArray& array = data.array();
  if (array.shape.size() != 2 || array.shape[0] < 1 ||
      array.shape[1] != kPixels) {
    return DataError(absl::StrCat(
        path, ": data has the shape [", absl::StrJoin(array.shape, ", "),
        "], should be [N, ", kPixels, "] with N of at least 1"));
  }
  if (static_cast<int64_t>(labels.size()) != array.shape[0]) {
    return DataError(absl::StrCat(path, ": has ", array.shape[0],
                                  " images, but ", labels.size(), " ",
                                  format.labels));
  }
  const int64_t classes =
      images->class_names.empty()
          ? format.classes
          : static_cast<int64_t>(images->class_names.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    const PickleValue label = labels.item(i);
    const std::optional<int64_t> value = label.int64_value();
    if (!value.has_value() || *value < 0 || *value >= classes) {
      return DataError(
          absl::StrCat(path, ": ", format.labels, " of image ", i, " is ",
                       value.has_value() ? absl::StrCat(*value)
                                         : std::string(label.kind_name()),
                       ", should be 0 to ", classes - 1));
    }
    images->labels.push_back(static_cast<uint8_t>(*value));
  }
  images->images.insert(images->images.end(), array.data.begin(),
                        array.data.end());
  return absl::OkStatus();
}

}  // namespace

std::string CifarPythonFirstFile(CifarKind kind, Split split) {
  const PythonFormat& format = FormatOf(kind);
  return split == Split::kTrain ? format.train.front() : format.test;
}

absl::StatusOr<CifarImages> ReadCifarPython(CifarKind kind,
                                            const std::string& folder,
                                            Split split) {
  const PythonFormat& format = FormatOf(kind);
  CifarImages images;
  const std::string meta = PathOf(folder, format.meta);
  std::error_code ignored;
  if (std::filesystem::exists(meta, ignored)) {
    FD_ASSIGN_OR_RETURN(images.class_names, ReadClassNames(format, meta));
  }
  if (split == Split::kTest) {
    FD_RETURN_IF_ERROR(Append(format, PathOf(folder, format.test), &images));
    return images;
  }
  for (const char* file : format.train) {
    FD_RETURN_IF_ERROR(Append(format, PathOf(folder, file), &images));
  }
  return images;
}

}  // namespace fairdarts
