#include "training/torch_import/testing.h"

#include <zip.h>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

struct Addition {
  std::string name;
  std::string contents;
  int method;
};

std::string WriteZip(const std::vector<Addition>& additions) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* buffer = zip_source_buffer_create(nullptr, 0, 0, &error);
  FD_CHECK(buffer != nullptr);
  zip_source_keep(buffer);
  zip_t* archive = zip_open_from_source(buffer, ZIP_TRUNCATE, &error);
  FD_CHECK(archive != nullptr) << zip_error_strerror(&error);
  for (const Addition& addition : additions) {
    zip_source_t* source = zip_source_buffer(archive, addition.contents.data(),
                                             addition.contents.size(), 0);
    const zip_int64_t index =
        zip_file_add(archive, addition.name.c_str(), source, 0);
    FD_CHECK_GE(index, 0) << zip_strerror(archive);
    FD_CHECK_EQ(zip_set_file_compression(archive, index, addition.method, 0),
                0);
    // The same bytes every time.
    FD_CHECK_EQ(zip_file_set_dostime(archive, index, 0, 0x21, 0), 0);
  }
  FD_CHECK_EQ(zip_close(archive), 0) << zip_strerror(archive);
  zip_stat_t stat;
  zip_stat_init(&stat);
  FD_CHECK_EQ(zip_source_stat(buffer, &stat), 0);
  std::string bytes(stat.size, '\0');
  FD_CHECK_EQ(zip_source_open(buffer), 0);
  FD_CHECK_EQ(zip_source_read(buffer, &bytes[0], bytes.size()),
              static_cast<zip_int64_t>(bytes.size()));
  zip_source_close(buffer);
  zip_source_free(buffer);
  zip_error_fini(&error);
  return bytes;
}

}  // namespace

std::string LittleEndian(uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> 8 * i);
  return text;
}

std::string PickledText(absl::string_view text) {
  return absl::StrCat("X", LittleEndian(text.size(), 4), text);
}

std::string PickledInt(int64_t value) {
  return absl::StrCat("\x8a\x08", LittleEndian(value, 8));
}

std::string PickledTuple(std::initializer_list<std::string> items) {
  std::string tuple = "(";
  for (const std::string& item : items) tuple += item;
  return tuple + "t";
}

std::string PickledInts(const std::vector<int64_t>& items) {
  std::string tuple = "(";
  for (const int64_t item : items) tuple += PickledInt(item);
  return tuple + "t";
}

std::string PickledGlobal(absl::string_view module, absl::string_view name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}

std::string PickledDict(std::initializer_list<std::string> items) {
  std::string dict = "}(";
  for (const std::string& item : items) dict += item;
  return dict + "u";
}

std::string PickledCall(absl::string_view module, absl::string_view name,
                        std::initializer_list<std::string> arguments) {
  return PickledGlobal(module, name) + PickledTuple(arguments) + "R";
}

std::string PickledStorageOf(absl::string_view type, absl::string_view key,
                             int64_t elements) {
  return PickledTuple({PickledText("storage"), PickledGlobal("torch", type),
                       PickledText(key), PickledText("cpu"),
                       PickledInt(elements)}) +
         "Q";
}

std::string PickledTensorOf(const std::string& storage, int64_t offset,
                            const std::vector<int64_t>& shape,
                            const std::vector<int64_t>& strides) {
  return PickledCall(
      "torch._utils", "_rebuild_tensor_v2",
      {storage, PickledInt(offset), PickledInts(shape), PickledInts(strides),
       "\x89", PickledCall("collections", "OrderedDict", {})});
}

std::string PickledArrayOf(const std::vector<int64_t>& shape,
                           absl::string_view data) {
  const std::string dtype =
      PickledCall("numpy", "dtype",
                  {PickledText("u1"), PickledInt(0), PickledInt(1)}) +
      PickledTuple({PickledInt(3), PickledText("|"), "N", "N", "N",
                    PickledInt(-1), PickledInt(-1), PickledInt(0)}) +
      "b";
  const std::string bytes =
      absl::StrCat("T", LittleEndian(data.size(), 4), data);
  return PickledCall("numpy.core.multiarray", "_reconstruct",
                     {PickledGlobal("numpy", "ndarray"), PickledInts({0}),
                      PickledText("b")}) +
         PickledTuple(
             {PickledInt(1), PickledInts(shape), dtype, "\x89", bytes}) +
         "b";
}

std::string WholePickle(absl::string_view instructions) {
  return absl::StrCat("\x80\x02", instructions, ".");
}

std::string ZipOf(
    const std::vector<std::pair<std::string, std::string>>& entries) {
  std::vector<Addition> additions;
  for (const auto& [name, contents] : entries) {
    additions.push_back({name, contents, ZIP_CM_STORE});
  }
  return WriteZip(additions);
}

std::string CompressedZipOf(const std::string& name,
                            const std::string& contents) {
  return WriteZip({{name, contents, ZIP_CM_DEFLATE}});
}

std::string TorchZip(
    absl::string_view instructions,
    const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<std::pair<std::string, std::string>> entries = {
      {"archive/data.pkl", WholePickle(instructions)},
      {"archive/byteorder", "little"}};
  for (const auto& [key, bytes] : storages) {
    entries.emplace_back("archive/data/" + key, bytes);
  }
  entries.emplace_back("archive/version", "3\n");
  return ZipOf(entries);
}

std::string TorchLegacy(
    absl::string_view instructions, int element_bytes,
    const std::vector<std::pair<std::string, std::string>>& storages) {
  const std::string magic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                          12);
  std::string keys = "](";
  std::string data;
  for (const auto& [key, bytes] : storages) {
    keys += PickledText(key);
    data += LittleEndian(bytes.size() / element_bytes, 8) + bytes;
  }
  return WholePickle(magic) + WholePickle(PickledInt(1001)) +
         WholePickle(PickledDict({PickledText("little_endian"), "\x88"})) +
         WholePickle(instructions) + WholePickle(keys + "e") + data;
}

std::string FloatBytes(std::initializer_list<float> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()),
                     values.size() * sizeof(float));
}

}  // namespace fairdarts
