#include "training/data/npy.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
// NumPy's own bound; a matrix needs less than 100.
constexpr size_t kMaxHeaderBytes = 10000;
constexpr int64_t kMaxNpyBytes = int64_t{1} << 30;
// Each factor of a shape is bounded before two of them are multiplied.
constexpr int64_t kMaxDimension = int64_t{1} << 30;
// What numpy.save pads the header to. The room that newer versions leave for
// the first dimension to grow never reaches the next multiple.
constexpr size_t kAlignment = 64;

template <typename Unsigned>
Unsigned LittleEndian(const char* bytes) {
  Unsigned value = 0;
  for (size_t i = 0; i < sizeof(Unsigned); ++i) {
    value |= static_cast<Unsigned>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

template <typename Float, typename Unsigned>
Float FloatAt(const char* bytes) {
  static_assert(sizeof(Float) == sizeof(Unsigned));
  const auto bits = LittleEndian<Unsigned>(bytes);
  Float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The dict {'descr': '<f4', 'fortran_order': False, 'shape': (14, 7), }.
class HeaderParser {
 public:
  HeaderParser(absl::string_view text, absl::string_view name)
      : text_(text), rest_(text), name_(name) {}

  absl::StatusOr<Header> Parse() {
    Header header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    FD_RETURN_IF_ERROR(Expect("{"));
    while (!Take("}")) {
      FD_ASSIGN_OR_RETURN(const std::string key, String());
      FD_RETURN_IF_ERROR(Expect(":"));
      bool* seen;
      if (key == "descr") {
        seen = &has_descr;
        FD_ASSIGN_OR_RETURN(header.descr, String());
      } else if (key == "fortran_order") {
        seen = &has_order;
        FD_ASSIGN_OR_RETURN(header.fortran_order, Bool());
      } else if (key == "shape") {
        seen = &has_shape;
        FD_ASSIGN_OR_RETURN(header.shape, Shape());
      } else {
        return Error(absl::StrCat(
            "has the key '", absl::CHexEscape(key),
            "', should have 'descr', 'fortran_order' and 'shape' only"));
      }
      if (*seen) return Error(absl::StrCat("has the key '", key, "' twice"));
      *seen = true;
      if (!Take(",")) {
        FD_RETURN_IF_ERROR(Expect("}"));
        break;
      }
    }
    for (const auto& [key, seen] :
         {std::pair<const char*, bool>{"descr", has_descr},
          {"fortran_order", has_order},
          {"shape", has_shape}}) {
      if (!seen) return Error(absl::StrCat("has no key '", key, "'"));
    }
    // NumPy pads with spaces and ends the line.
    if (absl::StripTrailingAsciiWhitespace(rest_) != "" ||
        !absl::EndsWith(rest_, "\n")) {
      return Error("should end after the dict with spaces and a newline");
    }
    return header;
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return DataError(absl::StrCat(name_, ": header ", what));
  }

  void SkipSpaces() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
  }

  bool Take(absl::string_view token) {
    SkipSpaces();
    return absl::ConsumePrefix(&rest_, token);
  }

  absl::Status Unexpected(absl::string_view wanted) const {
    return Error(absl::StrCat("has \"", absl::CHexEscape(rest_.substr(0, 12)),
                              "\" at byte ", text_.size() - rest_.size(),
                              ", should have ", wanted));
  }

  absl::Status Expect(absl::string_view token) {
    if (Take(token)) return absl::OkStatus();
    return Unexpected(absl::StrCat("'", token, "'"));
  }

  absl::StatusOr<std::string> String() {
    SkipSpaces();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) {
      return Unexpected("a quoted string");
    }
    const size_t end = rest_.find(rest_[0], 1);
    if (end == absl::string_view::npos) return Unexpected("a quoted string");
    const std::string value(rest_.substr(1, end - 1));
    // No string of a matrix's header needs an escape.
    if (value.find('\\') != std::string::npos) {
      return Unexpected("a string without escapes");
    }
    rest_.remove_prefix(end + 1);
    return value;
  }

  absl::StatusOr<bool> Bool() {
    if (Take("True")) return true;
    if (Take("False")) return false;
    return Unexpected("True or False");
  }

  absl::StatusOr<int64_t> Integer() {
    SkipSpaces();
    size_t digits = 0;
    int64_t value = 0;
    while (digits < rest_.size() && absl::ascii_isdigit(rest_[digits])) {
      value = value * 10 + (rest_[digits] - '0');
      if (value > kMaxDimension) {
        return Unexpected(absl::StrCat("at most ", kMaxDimension));
      }
      ++digits;
    }
    if (digits == 0 || (digits > 1 && rest_[0] == '0')) {
      return Unexpected("a whole number");
    }
    rest_.remove_prefix(digits);
    return value;
  }

  absl::StatusOr<std::vector<int64_t>> Shape() {
    FD_RETURN_IF_ERROR(Expect("("));
    std::vector<int64_t> shape;
    while (!Take(")")) {
      FD_ASSIGN_OR_RETURN(const int64_t dimension, Integer());
      shape.push_back(dimension);
      if (!Take(",")) {
        // (5) is a number, not a tuple.
        if (shape.size() == 1) return Unexpected("','");
        FD_RETURN_IF_ERROR(Expect(")"));
        break;
      }
    }
    return shape;
  }

  absl::string_view text_;
  absl::string_view rest_;
  absl::string_view name_;
};

// Splits the file into header and data.
absl::Status SplitFile(absl::string_view bytes, absl::string_view name,
                       absl::string_view* header, absl::string_view* data) {
  if (bytes.size() < kMagic.size() + 2) {
    return DataError(
        absl::StrCat(name, ": has ", bytes.size(),
                     " bytes, should begin with NumPy's magic and version"));
  }
  if (!absl::ConsumePrefix(&bytes, kMagic)) {
    return DataError(absl::StrCat(
        name, ": magic is \"", absl::CHexEscape(bytes.substr(0, kMagic.size())),
        "\", should be \"", absl::CHexEscape(kMagic), "\""));
  }
  const int major = static_cast<uint8_t>(bytes[0]);
  const int minor = static_cast<uint8_t>(bytes[1]);
  if (major < 1 || major > 3 || minor != 0) {
    return DataError(absl::StrCat(name, ": format version is ", major, ".",
                                  minor, ", should be 1.0, 2.0 or 3.0"));
  }
  bytes.remove_prefix(2);
  const size_t length_bytes = major == 1 ? 2 : 4;
  if (bytes.size() < length_bytes) {
    return DataError(
        absl::StrCat(name, ": breaks off inside the header's length"));
  }
  const size_t length = major == 1 ? LittleEndian<uint16_t>(bytes.data())
                                   : LittleEndian<uint32_t>(bytes.data());
  bytes.remove_prefix(length_bytes);
  if (length > kMaxHeaderBytes) {
    return DataError(absl::StrCat(name, ": header length is ", length,
                                  ", should be at most ", kMaxHeaderBytes));
  }
  if (length > bytes.size()) {
    return DataError(absl::StrCat(name, ": header length is ", length,
                                  ", but only ", bytes.size(),
                                  " bytes follow it"));
  }
  *header = bytes.substr(0, length);
  *data = bytes.substr(length);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NpyMatrix> ParseNpy(absl::string_view bytes,
                                   absl::string_view name) {
  absl::string_view header_text;
  absl::string_view data;
  FD_RETURN_IF_ERROR(SplitFile(bytes, name, &header_text, &data));
  FD_ASSIGN_OR_RETURN(const Header header,
                      HeaderParser(header_text, name).Parse());
  if (header.descr != "<f4" && header.descr != "<f8") {
    return DataError(absl::StrCat(name, ": descr is '",
                                  absl::CHexEscape(header.descr),
                                  "', should be '<f4' or '<f8'"));
  }
  if (header.shape.size() != 2) {
    return DataError(absl::StrCat(name, ": shape has ", header.shape.size(),
                                  " dimensions, should have 2"));
  }
  NpyMatrix matrix;
  matrix.rows = header.shape[0];
  matrix.columns = header.shape[1];
  if (matrix.rows == 0 || matrix.columns == 0) {
    return DataError(absl::StrCat(name, ": shape is (", matrix.rows, ", ",
                                  matrix.columns,
                                  "), should be at least (1, 1)"));
  }
  // kMaxDimension keeps this below 2^63.
  const bool single = header.descr == "<f4";
  const int64_t item = single ? 4 : 8;
  const auto size = static_cast<int64_t>(data.size());
  if (matrix.rows * matrix.columns != size / item || size % item != 0) {
    return DataError(absl::StrCat(
        name, ": shape (", matrix.rows, ", ", matrix.columns, ") of '",
        header.descr, "' does not fit the ", size, " bytes of data"));
  }
  matrix.values.resize(matrix.rows * matrix.columns);
  for (int64_t i = 0; i < matrix.rows; ++i) {
    for (int64_t j = 0; j < matrix.columns; ++j) {
      const int64_t stored =
          header.fortran_order ? j * matrix.rows + i : i * matrix.columns + j;
      float& value = matrix.values[i * matrix.columns + j];
      if (single) {
        value = FloatAt<float, uint32_t>(data.data() + stored * item);
        continue;
      }
      const auto wide = FloatAt<double, uint64_t>(data.data() + stored * item);
      if (std::isfinite(wide) &&
          std::abs(wide) > std::numeric_limits<float>::max()) {
        return DataError(absl::StrCat(name, ": value in row ", i, ", column ",
                                      j, " is ", wide,
                                      ", beyond the range of float32"));
      }
      value = static_cast<float>(wide);
    }
  }
  return matrix;
}

absl::StatusOr<NpyMatrix> ReadNpy(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxNpyBytes));
  return ParseNpy(bytes, path);
}

std::string SerializeNpy(const NpyMatrix& matrix) {
  FD_CHECK(matrix.rows > 0 && matrix.rows <= kMaxDimension &&
           matrix.columns > 0 && matrix.columns <= kMaxDimension)
      << matrix.rows << " x " << matrix.columns;
  FD_CHECK_EQ(static_cast<int64_t>(matrix.values.size()),
              matrix.rows * matrix.columns);
  std::string header =
      absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (",
                   matrix.rows, ", ", matrix.columns, "), }");
  const size_t before = kMagic.size() + 2 + 2;
  while ((before + header.size() + 1) % kAlignment != 0) header += ' ';
  header += '\n';
  std::string bytes(kMagic);
  bytes += '\1';
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  for (const float value : matrix.values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    for (int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(bits >> shift & 0xff);
    }
  }
  return bytes;
}

absl::Status WriteNpy(const std::string& path, const NpyMatrix& matrix) {
  return WriteFileAtomic(path, SerializeNpy(matrix));
}

}  // namespace fairdarts
