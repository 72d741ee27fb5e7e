#include "fairdarts/base/safetensors.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/json_events.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr size_t kPrefixBytes = 8;
// The bound of the format's reference implementation.
constexpr uint64_t kMaxHeaderBytes = 100000000;
constexpr absl::string_view kMetadataKey = "__metadata__";

struct DTypeInfo {
  DType dtype;
  absl::string_view name;
  int64_t bytes;
};

constexpr std::array<DTypeInfo, 10> kDTypes = {{
    {DType::kBool, "BOOL", 1},
    {DType::kU8, "U8", 1},
    {DType::kI8, "I8", 1},
    {DType::kI16, "I16", 2},
    {DType::kI32, "I32", 4},
    {DType::kI64, "I64", 8},
    {DType::kF16, "F16", 2},
    {DType::kBF16, "BF16", 2},
    {DType::kF32, "F32", 4},
    {DType::kF64, "F64", 8},
}};

const DTypeInfo& InfoOf(DType dtype) {
  const DTypeInfo& info = kDTypes[static_cast<size_t>(dtype)];
  FD_CHECK(info.dtype == dtype) << "kDTypes is in the order of DType";
  return info;
}

// A name out of a file, fit for one line of a message.
std::string Quoted(absl::string_view name) {
  constexpr size_t kMaxShown = 200;
  return absl::StrCat("\"", absl::CEscape(name.substr(0, kMaxShown)),
                      name.size() > kMaxShown ? "...\"" : "\"");
}

// The bytes of a tensor; false where they, or the product of the dimensions
// other than 0, do not fit in 63 bits: strides are such products too.
bool CheckedBytes(DType dtype, const std::vector<int64_t>& shape,
                  int64_t* bytes) {
  int64_t product = DTypeBytes(dtype);
  bool empty = false;
  for (const int64_t size : shape) {
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, size, &product)) {
      return false;
    }
  }
  *bytes = empty ? 0 : product;
  return true;
}

// Takes the header apart event by event: nlohmann's parser keeps its own stack
// on the heap, and whatever is deeper than the format goes is refused here at
// once, so no nesting recurses. Values are seen before a map could merge them,
// so duplicates are found.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(absl::string_view data,
                std::map<std::string, TensorView>* tensors,
                std::map<std::string, std::string>* metadata)
      : data_(data), tensors_(*tensors), metadata_(*metadata) {}

  const std::string& error() const { return error_; }

  bool null() override { return Misplaced("null"); }
  bool boolean(bool) override { return Misplaced("a boolean"); }
  bool number_integer(int64_t) override {
    return Misplaced("a negative number");
  }
  bool number_float(double, const std::string& text) override {
    return Misplaced(absl::StrCat("the number ", text.substr(0, 40)));
  }
  bool binary(binary_t&) override { return Misplaced("binary data"); }

  bool number_unsigned(uint64_t value) override {
    if (place_ != Place::kShape && place_ != Place::kOffsets) {
      return Misplaced("a number");
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return RefuseTensor(
          absl::StrCat(field_, " holds ", value, ", more than 63 bits"));
    }
    (place_ == Place::kShape ? shape_ : offsets_).push_back(value);
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      metadata_[field_] = value;
      return true;
    }
    if (place_ != Place::kTensor || field_ != "dtype") {
      return Misplaced("a string");
    }
    for (const DTypeInfo& info : kDTypes) {
      if (info.name == value) {
        dtype_ = info.dtype;
        return true;
      }
    }
    return RefuseTensor(absl::StrCat("unknown dtype ", Quoted(value)));
  }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        if (name_ == kMetadataKey) {
          place_ = Place::kMetadata;
          return true;
        }
        place_ = Place::kTensor;
        shape_.clear();
        offsets_.clear();
        has_dtype_ = has_shape_ = has_offsets_ = false;
        return true;
      default:
        return Misplaced("an object");
    }
  }

  bool key(std::string& value) override {
    switch (place_) {
      case Place::kTop:
        name_ = value;
        if (value == kMetadataKey) return Once(&has_metadata_, value);
        if (tensors_.count(value) != 0) {
          return Refuse(absl::StrCat("tensor ", Quoted(value), " twice"));
        }
        return true;
      case Place::kMetadata:
        field_ = value;
        if (metadata_.count(value) != 0) {
          return Refuse(
              absl::StrCat("__metadata__: ", Quoted(value), " twice"));
        }
        return true;
      default:
        field_ = value;
        if (value == "dtype") return Once(&has_dtype_, value);
        if (value == "shape") return Once(&has_shape_, value);
        if (value == "data_offsets") return Once(&has_offsets_, value);
        return RefuseTensor(absl::StrCat("unknown field ", Quoted(value)));
    }
  }

  bool end_object() override {
    if (place_ == Place::kTensor && !FinishTensor()) return false;
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::kTensor && field_ == "shape") {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && field_ == "data_offsets") {
      place_ = Place::kOffsets;
    } else {
      return Misplaced("an array");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    return Refuse(absl::StrCat("not JSON at byte ", position, ": ",
                               absl::CEscape(error.what())));
  }

  // The tensors must tile the data.
  bool FinishFile() {
    std::sort(spans_.begin(), spans_.end());
    int64_t covered = 0;
    for (const Span& span : spans_) {
      name_ = *span.name;
      if (span.begin != covered) {
        return RefuseTensor(absl::StrCat("data_offsets begin at ", span.begin,
                                         span.begin < covered
                                             ? ", inside the tensor before it; "
                                             : ", behind a gap; ",
                                         covered, " would be right"));
      }
      covered = span.end;
    }
    if (covered != static_cast<int64_t>(data_.size())) {
      return Refuse(absl::StrCat("the tensors end at byte ", covered,
                                 " of the data, which has ", data_.size()));
    }
    return true;
  }

 private:
  enum class Place {
    kStart,
    kTop,
    kMetadata,
    kTensor,
    kShape,
    kOffsets,
    kEnd,
  };
  struct Span {
    int64_t begin;
    int64_t end;
    const std::string* name;
    bool operator<(const Span& other) const {
      return std::make_pair(begin, end) <
             std::make_pair(other.begin, other.end);
    }
  };

  bool Refuse(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool RefuseTensor(absl::string_view error) {
    return Refuse(absl::StrCat("tensor ", Quoted(name_), ": ", error));
  }

  bool Once(bool* seen, absl::string_view field) {
    if (*seen) {
      return place_ == Place::kTop
                 ? Refuse(absl::StrCat(field, " twice"))
                 : RefuseTensor(absl::StrCat(field, " twice"));
    }
    *seen = true;
    return true;
  }

  bool Misplaced(absl::string_view what) {
    switch (place_) {
      case Place::kStart:
      case Place::kEnd:
        return Refuse(absl::StrCat("is ", what, " instead of an object"));
      case Place::kTop:
        return Refuse(
            absl::StrCat(Quoted(name_), " is ", what, " instead of an object"));
      case Place::kMetadata:
        return Refuse(absl::StrCat("__metadata__: ", Quoted(field_), " is ",
                                   what, " instead of a string"));
      case Place::kTensor:
        return RefuseTensor(absl::StrCat(
            field_, " is ", what, " instead of ",
            field_ == "dtype" ? "a string" : "an array of whole numbers"));
      case Place::kShape:
      case Place::kOffsets:
        return RefuseTensor(absl::StrCat(field_, " holds ", what,
                                         "; only whole numbers from 0 belong"));
    }
    return Refuse("unknown place");
  }

  bool FinishTensor() {
    if (!has_dtype_) return RefuseTensor("has no dtype");
    if (!has_shape_) return RefuseTensor("has no shape");
    if (!has_offsets_) return RefuseTensor("has no data_offsets");
    if (offsets_.size() != 2) {
      return RefuseTensor(absl::StrCat("data_offsets has ", offsets_.size(),
                                       " numbers instead of 2"));
    }
    const int64_t begin = offsets_[0];
    const int64_t end = offsets_[1];
    if (begin > end || end > static_cast<int64_t>(data_.size())) {
      return RefuseTensor(absl::StrCat("data_offsets [", begin, ",", end,
                                       "] lie outside the data, which has ",
                                       data_.size(), " bytes"));
    }
    int64_t bytes = 0;
    if (!CheckedBytes(dtype_, shape_, &bytes)) {
      return RefuseTensor("the size of its shape does not fit in 63 bits");
    }
    if (bytes != end - begin) {
      return RefuseTensor(absl::StrCat("has ", end - begin,
                                       " bytes, but its shape and dtype ",
                                       DTypeName(dtype_), " ask for ", bytes));
    }
    const auto inserted = tensors_.emplace(
        name_, TensorView{dtype_, shape_, data_.substr(begin, bytes)});
    spans_.push_back({begin, end, &inserted.first->first});
    return true;
  }

  const absl::string_view data_;
  std::map<std::string, TensorView>& tensors_;
  std::map<std::string, std::string>& metadata_;

  std::string error_;
  Place place_ = Place::kStart;
  bool has_metadata_ = false;
  std::string name_;   // of the tensor, or kMetadataKey
  std::string field_;  // within it
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  DType dtype_ = DType::kBool;
  std::vector<int64_t> shape_;
  std::vector<int64_t> offsets_;
  std::vector<Span> spans_;
};

// Fills the maps from a header; the reason for a refusal, or "".
std::string ParseHeader(absl::string_view header, absl::string_view data,
                        std::map<std::string, TensorView>* tensors,
                        std::map<std::string, std::string>* metadata) {
  if (header.empty() || header.front() != '{') {
    return "does not begin with \"{\"";
  }
  const size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') {
    return "is padded with something other than spaces";
  }
  HeaderHandler handler(data, tensors, metadata);
  if (!ParseJsonEvents(header, &handler) || !handler.FinishFile()) {
    return handler.error();
  }
  return "";
}

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(out, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string LittleEndian(uint64_t value) {
  std::string bytes(kPrefixBytes, '\0');
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    bytes[i] = static_cast<char>(value >> (8 * i) & 0xFF);
  }
  return bytes;
}

}  // namespace

absl::string_view DTypeName(DType dtype) { return InfoOf(dtype).name; }

int64_t DTypeBytes(DType dtype) { return InfoOf(dtype).bytes; }

int64_t TensorView::elements() const {
  return static_cast<int64_t>(data.size()) / DTypeBytes(dtype);
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Load(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return ModelFileError(bytes.status().message());
  return Parse(*std::move(bytes), path);
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Parse(std::string bytes,
                                                       absl::string_view name) {
  auto owner = std::make_unique<const std::string>(std::move(bytes));
  FD_ASSIGN_OR_RETURN(SafetensorsFile file, ParseView(*owner, name));
  file.bytes_ = std::move(owner);
  return file;
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::ParseView(
    absl::string_view bytes, absl::string_view name) {
  if (bytes.size() < kPrefixBytes) {
    return ModelFileError(absl::StrCat(
        name, ": has ", bytes.size(),
        " bytes; a safetensors file begins with the 8 of its header's size"));
  }
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    header_bytes |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  if (header_bytes > kMaxHeaderBytes ||
      header_bytes > bytes.size() - kPrefixBytes) {
    return ModelFileError(absl::StrCat(
        name, ": header of ", header_bytes, " bytes, more than the ",
        std::min<uint64_t>(kMaxHeaderBytes, bytes.size() - kPrefixBytes),
        " that there may be; is this a safetensors file, and whole?"));
  }
  SafetensorsFile file;
  file.name_ = std::string(name);
  const std::string error =
      ParseHeader(bytes.substr(kPrefixBytes, header_bytes),
                  bytes.substr(kPrefixBytes + header_bytes), &file.tensors_,
                  &file.metadata_);
  if (!error.empty()) {
    return ModelFileError(absl::StrCat(name, ": header: ", error));
  }
  return file;
}

absl::StatusOr<TensorView> SafetensorsFile::Find(absl::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) {
    return ModelFileError(
        absl::StrCat(name_, ": has no tensor ", Quoted(name)));
  }
  return found->second;
}

absl::StatusOr<std::string> SafetensorsFile::FindMetadata(
    absl::string_view name) const {
  const auto found = metadata_.find(std::string(name));
  if (found == metadata_.end()) {
    return ModelFileError(
        absl::StrCat(name_, ": has no metadata ", Quoted(name)));
  }
  return found->second;
}

std::string SerializeSafetensors(
    const std::vector<TensorToWrite>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  const char* separator = "";
  if (!metadata.empty()) {
    absl::StrAppend(&header, "\"", kMetadataKey, "\":{");
    for (const auto& [key, value] : metadata) {
      absl::StrAppend(&header, separator);
      AppendJsonString(key, &header);
      header.push_back(':');
      AppendJsonString(value, &header);
      separator = ",";
    }
    header.push_back('}');
    separator = ",";
  }
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    absl::StrAppend(&header, separator);
    AppendJsonString(name, &header);
    absl::StrAppend(&header, ":{\"dtype\":\"", DTypeName(tensor.dtype),
                    "\",\"shape\":[");
    separator = "";
    for (const int64_t size : tensor.shape) {
      absl::StrAppend(&header, separator, size);
      separator = ",";
    }
    absl::StrAppend(&header, "],\"data_offsets\":[", data.size(), ",",
                    data.size() + tensor.data.size(), "]}");
    absl::StrAppend(&data, tensor.data);
    separator = ",";
  }
  header.push_back('}');
  // Spaces, so that the data begins at a multiple of 8 bytes.
  header.resize((header.size() + 7) / 8 * 8, ' ');

  // What the reader would refuse is a bug of the caller.
  std::map<std::string, TensorView> read_tensors;
  std::map<std::string, std::string> read_metadata;
  const std::string error =
      ParseHeader(header, data, &read_tensors, &read_metadata);
  FD_CHECK(error.empty()) << "safetensors to write: " << error;
  FD_CHECK_LE(header.size(), kMaxHeaderBytes);
  return absl::StrCat(LittleEndian(header.size()), header, data);
}

}  // namespace fairdarts
