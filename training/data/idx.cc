#include "training/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kGzipMagic = "\x1f\x8b";
constexpr uint32_t kUnsignedByte = 8;
// Compressed data that is larger than this would not shrink at all.
constexpr int64_t kMaxFileSize = kMaxIdxValues + (1 << 20);
static_assert(kMaxFileSize <= UINT32_MAX, "zlib counts its input in 32 bits");
// Memory for inflated values is taken in steps, as they really arrive.
constexpr int64_t kFirstBlock = int64_t{64} << 20;

uint32_t BigEndian32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
         uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

struct IdxHeader {
  std::vector<int64_t> dimensions;
  int64_t values = 1;
};

size_t HeaderSize(int dimensions) { return 4 + 4 * dimensions; }

// `bytes` holds HeaderSize(dimensions) bytes.
absl::StatusOr<IdxHeader> ParseHeader(const uint8_t* bytes, int dimensions,
                                      absl::string_view name) {
  const uint32_t magic = BigEndian32(bytes);
  const uint32_t expected = kUnsignedByte << 8 | dimensions;
  if (magic != expected) {
    return DataError(absl::StrFormat(
        "%s: magic is 0x%08x, should be 0x%08x (unsigned bytes in %d "
        "dimension%s)",
        name, magic, expected, dimensions, dimensions == 1 ? "" : "s"));
  }
  IdxHeader header;
  for (int i = 0; i < dimensions; ++i) {
    header.dimensions.push_back(BigEndian32(bytes + 4 + 4 * i));
    if (header.dimensions.back() == 0) {
      return DataError(
          absl::StrCat(name, ": dimension ", i, " is 0, should be at least 1"));
    }
  }
  for (const int64_t dimension : header.dimensions) {
    if (dimension > kMaxIdxValues / header.values) {
      return DataError(absl::StrCat(
          name, ": dimensions ", absl::StrJoin(header.dimensions, " x "),
          " are more than the ", kMaxIdxValues, " values that are read"));
    }
    header.values *= dimension;
  }
  return header;
}

// One gzip member that is read piece by piece.
class GzipReader {
 public:
  GzipReader(absl::string_view bytes, absl::string_view name) : name_(name) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    // 16: a gzip header and trailer around the data, both checked by zlib.
    ready_ = inflateInit2(&stream_, MAX_WBITS + 16) == Z_OK;
  }
  ~GzipReader() {
    if (ready_) inflateEnd(&stream_);
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // Up to `size` bytes; fewer only at the end of the member.
  absl::StatusOr<int64_t> Read(uint8_t* out, int64_t size) {
    if (!ready_) {
      return EnvironmentError(absl::StrCat(name_, ": no memory to inflate"));
    }
    int64_t filled = 0;
    while (filled < size && !ended_) {
      const auto room =
          static_cast<uInt>(std::min<int64_t>(size - filled, 1 << 30));
      stream_.next_out = out + filled;
      stream_.avail_out = room;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      filled += room - stream_.avail_out;
      ended_ = result == Z_STREAM_END;
      if (result == Z_MEM_ERROR) {
        return EnvironmentError(absl::StrCat(name_, ": no memory to inflate"));
      }
      if (result != Z_OK && result != Z_BUF_ERROR && !ended_) {
        return DataError(absl::StrCat(
            name_, ": gzip data is damaged: ",
            stream_.msg != nullptr ? stream_.msg : "unknown method"));
      }
      // With output to spare it can only have stopped for want of input.
      if (!ended_ && stream_.avail_out > 0) {
        return DataError(absl::StrCat(name_, ": gzip data breaks off after ",
                                      stream_.total_out, " inflated bytes"));
      }
    }
    return filled;
  }

  int64_t bytes_left() const { return stream_.avail_in; }

 private:
  absl::string_view name_;
  z_stream stream_ = {};
  bool ready_ = false;
  bool ended_ = false;
};

absl::StatusOr<IdxArray> ParseGzip(absl::string_view bytes, int dimensions,
                                   absl::string_view name) {
  GzipReader reader(bytes, name);
  std::vector<uint8_t> start(HeaderSize(dimensions));
  FD_ASSIGN_OR_RETURN(const int64_t start_size,
                      reader.Read(start.data(), start.size()));
  if (start_size < static_cast<int64_t>(start.size())) {
    return DataError(absl::StrCat(name, ": inflates to ", start_size,
                                  " bytes, should begin with a header of ",
                                  start.size()));
  }
  FD_ASSIGN_OR_RETURN(IdxHeader header,
                      ParseHeader(start.data(), dimensions, name));
  IdxArray array{std::move(header.dimensions), {}};
  int64_t filled = 0;
  while (filled < header.values) {
    array.values.resize(
        std::min(header.values, std::max(kFirstBlock, 2 * filled)));
    const int64_t room = array.values.size() - filled;
    FD_ASSIGN_OR_RETURN(const int64_t got,
                        reader.Read(array.values.data() + filled, room));
    filled += got;
    if (got < room) {
      return DataError(absl::StrCat(
          name, ": holds ", filled, " values, but its dimensions ",
          absl::StrJoin(array.dimensions, " x "), " ask for ", header.values));
    }
  }
  // Reading on also makes zlib check the trailer.
  uint8_t surplus;
  FD_ASSIGN_OR_RETURN(const int64_t more, reader.Read(&surplus, 1));
  if (more > 0) {
    return DataError(absl::StrCat(name, ": inflates to more than the ",
                                  header.values, " values of its dimensions ",
                                  absl::StrJoin(array.dimensions, " x ")));
  }
  if (reader.bytes_left() > 0) {
    return DataError(absl::StrCat(name, ": has ", reader.bytes_left(),
                                  " bytes after the end of the gzip data"));
  }
  return array;
}

}  // namespace

absl::StatusOr<IdxArray> ParseIdx(absl::string_view bytes, int dimensions,
                                  absl::string_view name) {
  FD_CHECK(dimensions >= 1 && dimensions <= 255) << dimensions;
  if (static_cast<int64_t>(bytes.size()) > kMaxFileSize) {
    return DataError(absl::StrCat(name, ": has ", bytes.size(),
                                  " bytes, more than the ", kMaxFileSize,
                                  " that are read"));
  }
  if (absl::StartsWith(bytes, kGzipMagic)) {
    return ParseGzip(bytes, dimensions, name);
  }
  const size_t header_size = HeaderSize(dimensions);
  if (bytes.size() < header_size) {
    return DataError(absl::StrCat(name, ": has ", bytes.size(),
                                  " bytes, should begin with a header of ",
                                  header_size));
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  FD_ASSIGN_OR_RETURN(IdxHeader header, ParseHeader(data, dimensions, name));
  const int64_t expected = header_size + header.values;
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return DataError(absl::StrCat(
        name, ": has ", bytes.size(), " bytes, but its dimensions ",
        absl::StrJoin(header.dimensions, " x "), " ask for ", expected));
  }
  return IdxArray{
      std::move(header.dimensions),
      std::vector<uint8_t>(data + header_size, data + bytes.size())};
}

absl::StatusOr<IdxArray> ReadIdx(const std::string& path, int dimensions) {
  FD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileSize));
  return ParseIdx(bytes, dimensions, path);
}

}  // namespace fairdarts
