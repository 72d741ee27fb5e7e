#include "training/data/testing.h"

#include <zlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/random.h"

namespace fairdarts {

std::string IdxBytes(const std::vector<uint32_t>& dimensions,
                     const std::vector<uint8_t>& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions.size())};
  for (const uint32_t dimension : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(dimension >> shift);
    }
  }
  bytes.append(values.begin(), values.end());
  return bytes;
}

std::string Gzip(absl::string_view bytes) {
  z_stream stream = {};
  FD_CHECK_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED,
                           MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
              Z_OK);
  std::string compressed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<Bytef*>(&compressed[0]);
  stream.avail_out = compressed.size();
  FD_CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  compressed.resize(stream.total_out);
  deflateEnd(&stream);
  return compressed;
}

std::vector<uint8_t> Noise(absl::string_view name, int64_t size) {
  RandomStream stream(name, {});
  std::vector<uint8_t> values(size);
  for (uint8_t& value : values) {
    value = static_cast<uint8_t>(stream.Below(256));
  }
  return values;
}

std::string FreshFolder(absl::string_view name) {
  const std::string folder =
      absl::StrCat(::testing::TempDir(), "/", std::string(name));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

void WriteTestFile(const std::string& path, absl::string_view contents) {
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  const absl::Status status = WriteFileAtomic(path, contents);
  FD_CHECK(status.ok()) << status.ToString();
}

}  // namespace fairdarts
