#include "training/data/cifar_binary.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr int64_t kPixels = kCifarChannels * kCifarSide * kCifarSide;
constexpr int64_t kMaxNamesBytes = 1 << 16;
constexpr int64_t kMaxFileSize = int64_t{1} << 30;

struct LabelByte {
  const char* name;
  int classes;
};

struct CifarFormat {
  std::vector<LabelByte> labels;  // in a record; the last one is used
  std::vector<const char*> train;
  const char* test;
  const char* names;
  int64_t train_to_test;  // records in a training file for one in the test file

  int64_t record_bytes() const { return labels.size() + kPixels; }
};

const CifarFormat& FormatOf(CifarKind kind) {
  static const auto* const kCifar10 = new CifarFormat{
      {{"label", 10}},
      {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
       "data_batch_4.bin", "data_batch_5.bin"},
      "test_batch.bin",
      "batches.meta.txt",
      1};
  static const auto* const kCifar100 =
      new CifarFormat{{{"coarse label", 20}, {"fine label", 100}},
                      {"train.bin"},
                      "test.bin",
                      "fine_label_names.txt",
                      5};
  return kind == CifarKind::kCifar10 ? *kCifar10 : *kCifar100;
}

std::string PathOf(const std::string& folder, absl::string_view file) {
  return (std::filesystem::path(folder) / std::string(file)).string();
}

// How many records a file of this size holds.
absl::StatusOr<int64_t> RecordsIn(int64_t size, const CifarFormat& format,
                                  const std::string& path) {
  if (size == 0 || size % format.record_bytes() != 0) {
    return DataError(absl::StrCat(
        path, ": has ", size, " bytes, should be a positive multiple of the ",
        format.record_bytes(), " bytes of a record"));
  }
  return size / format.record_bytes();
}

absl::StatusOr<int64_t> RecordsOfFile(const CifarFormat& format,
                                      const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    return DataError(absl::StrCat(path, ": cannot open: ", error.message()));
  }
  return RecordsIn(static_cast<int64_t>(size), format, path);
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path,
                                                        size_t max_names) {
  FD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxNamesBytes));
  std::vector<std::string> names;
  absl::flat_hash_set<std::string> seen;
  for (const absl::string_view line :
       absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    const std::string name(absl::StripAsciiWhitespace(line));
    if (name.empty()) {
      return DataError(absl::StrCat(path, ":", names.size() + 1,
                                    ": is empty, should be a class name"));
    }
    for (const char c : name) {
      if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
        return DataError(absl::StrCat(
            path, ":", names.size() + 1, ": \"", absl::CHexEscape(name),
            "\" should be a name without control characters"));
      }
    }
    if (!seen.insert(name).second) {
      return DataError(absl::StrCat(path, ":", names.size() + 1, ": \"", name,
                                    "\" names a second class"));
    }
    names.push_back(name);
  }
  if (names.size() > max_names) {
    return DataError(absl::StrCat(path, ": names ", names.size(),
                                  " classes, should be at most ", max_names));
  }
  return names;
}

absl::Status Append(const std::string& path, int64_t records,
                    const CifarFormat& format, CifarImages* images) {
  FD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileSize));
  FD_ASSIGN_OR_RETURN(const int64_t found,
                      RecordsIn(bytes.size(), format, path));
  if (found != records) {
    return DataError(absl::StrCat(path, ": changed while it was read"));
  }
  const auto* record = reinterpret_cast<const uint8_t*>(bytes.data());
  images->images.reserve(images->images.size() + records * kPixels);
  for (int64_t i = 0; i < records; ++i, record += format.record_bytes()) {
    for (size_t j = 0; j < format.labels.size(); ++j) {
      int classes = format.labels[j].classes;
      if (j + 1 == format.labels.size() && !images->class_names.empty()) {
        classes = images->class_names.size();
      }
      if (record[j] >= classes) {
        return DataError(absl::StrCat(
            path, ": ", format.labels[j].name, " of image ", i, " is ",
            static_cast<int>(record[j]), ", should be 0 to ", classes - 1));
      }
    }
    const uint8_t* pixels = record + format.labels.size();
    images->labels.push_back(pixels[-1]);
    images->images.insert(images->images.end(), pixels, pixels + kPixels);
  }
  return absl::OkStatus();
}

}  // namespace

std::string CifarFirstFile(CifarKind kind, Split split) {
  const CifarFormat& format = FormatOf(kind);
  return split == Split::kTrain ? format.train.front() : format.test;
}

absl::StatusOr<CifarImages> ReadCifar(CifarKind kind, const std::string& folder,
                                      Split split) {
  const CifarFormat& format = FormatOf(kind);
  FD_ASSIGN_OR_RETURN(const int64_t test_records,
                      RecordsOfFile(format, PathOf(folder, format.test)));
  const int64_t train_records = test_records * format.train_to_test;
  for (const char* file : format.train) {
    const std::string path = PathOf(folder, file);
    FD_ASSIGN_OR_RETURN(const int64_t records, RecordsOfFile(format, path));
    if (records != train_records) {
      return DataError(
          absl::StrCat(path, ": holds ", records, " images, but ", format.test,
                       " with its ", test_records, " asks for ", train_records,
                       ": one of the two is cut off or of another dataset"));
    }
  }
  CifarImages images;
  const std::string names = PathOf(folder, format.names);
  std::error_code ignored;
  if (std::filesystem::exists(names, ignored)) {
    FD_ASSIGN_OR_RETURN(images.class_names,
                        ReadClassNames(names, format.labels.back().classes));
  }
  if (split == Split::kTest) {
    FD_RETURN_IF_ERROR(
        Append(PathOf(folder, format.test), test_records, format, &images));
  } else {
    for (const char* file : format.train) {
      FD_RETURN_IF_ERROR(
          Append(PathOf(folder, file), train_records, format, &images));
    }
  }
  return images;
}

}  // namespace fairdarts
