#include "fairdarts/runtime/model_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/json_events.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "genotypes/python_literal.h"

namespace fairdarts {
namespace {

using Metadata = std::map<std::string, std::string>;
using Tensors = std::map<std::string, TensorView>;

constexpr char kVersionKey[] = "format_version";
constexpr char kGenotypeKey[] = "genotype";
constexpr char kFormKey[] = "form";
constexpr char kNetworkKey[] = "network";
constexpr char kChannelsKey[] = "init_channels";
constexpr char kLayersKey[] = "layers";
constexpr char kClassesKey[] = "classes";
constexpr char kImageShapeKey[] = "image_shape";
constexpr char kMeanKey[] = "mean";
constexpr char kStdKey[] = "std";
constexpr char kClassNamesKey[] = "class_names";
constexpr char kCheckKey[] = "header_check";

constexpr absl::string_view kKeys[] = {kVersionKey, kGenotypeKey,   kFormKey,
                                       kNetworkKey, kChannelsKey,   kLayersKey,
                                       kClassesKey, kImageShapeKey, kMeanKey,
                                       kStdKey,     kClassNamesKey, kCheckKey};

constexpr char kCifar[] = "cifar";
constexpr char kImageNet[] = "imagenet";

// A value out of a file, fit for one line of a message.
std::string Shown(absl::string_view value) {
  constexpr size_t kMaxShown = 60;
  return absl::StrCat("\"", absl::CEscape(value.substr(0, kMaxShown)),
                      value.size() > kMaxShown ? "...\"" : "\"");
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

absl::string_view FormKey(GenotypeForm form) {
  switch (form) {
    case GenotypeForm::kPairs:
      return "pairs";
    case GenotypeForm::kThreshold:
      return "threshold";
    case GenotypeForm::kWeighted:
      return "weighted";
  }
  FD_CHECK(false) << "no form has the number " << static_cast<int>(form);
  return "";
}

// Over everything that a reader takes from a header; `tensors` are in the order
// of their data, which says where each of them lies.
std::string HeaderCheck(const Metadata& metadata,
                        const std::vector<TensorToWrite>& tensors) {
  std::string all;
  for (const auto& [key, value] : metadata) {
    if (key != kCheckKey) absl::StrAppend(&all, key, "\n", value, "\n");
  }
  for (const auto& [name, tensor] : tensors) {
    absl::StrAppend(&all, name, " ", ShapeText(tensor.shape), "\n");
  }
  return absl::StrCat(absl::Hex(Fnv1a64(all), absl::kZeroPad16));
}

std::vector<TensorToWrite> InOrderOfData(const Tensors& tensors) {
  std::vector<TensorToWrite> ordered;
  for (const auto& [name, tensor] : tensors) ordered.push_back({name, tensor});
  std::sort(ordered.begin(), ordered.end(),
            [](const TensorToWrite& a, const TensorToWrite& b) {
              return a.tensor.data.data() < b.tensor.data.data();
            });
  return ordered;
}

// Texts that are not UTF-8 lose those bytes instead of throwing.
std::string JsonText(const nlohmann::json& json) {
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<std::string> Field(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    return ModelFileError(absl::StrCat(key, ": is missing in __metadata__"));
  }
  return found->second;
}

absl::StatusOr<int> IntegerField(const Metadata& metadata, const char* key) {
  FD_ASSIGN_OR_RETURN(const std::string text, Field(metadata, key));
  int value = 0;
  if (!absl::SimpleAtoi(text, &value) || absl::StrCat(value) != text) {
    return ModelFileError(
        absl::StrCat(key, ": is ", Shown(text), " instead of a whole number"));
  }
  return value;
}

// Takes a JSON list of numbers or of strings apart, without a tree of values:
// that of nlohmann allocates while it is destroyed.
class ListHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<double> numbers;
  std::vector<std::string> strings;
  bool is_list = false;  // so far, and at the end
  bool other = false;    // holds something else

  bool null() override { return Other(); }
  bool boolean(bool) override { return Other(); }
  bool number_integer(int64_t value) override { return Number(value); }
  bool number_unsigned(uint64_t value) override { return Number(value); }
  bool number_float(double value, const std::string&) override {
    return Number(value);
  }
  bool binary(binary_t&) override { return Other(); }
  bool start_object(size_t) override { return Other(); }
  bool key(std::string&) override { return Other(); }
  bool end_object() override { return Other(); }
  bool end_array() override { return true; }

  bool string(std::string& value) override {
    strings.push_back(value);
    return is_list;
  }
  bool start_array(size_t) override {
    if (is_list) return Other();
    is_list = true;
    return true;
  }
  bool parse_error(size_t, const std::string&,
                   const nlohmann::json::exception&) override {
    is_list = false;
    return false;
  }

 private:
  bool Number(double value) {
    numbers.push_back(value);
    return is_list;
  }
  bool Other() {
    other = is_list;
    return false;
  }
};

absl::StatusOr<ListHandler> ListField(const Metadata& metadata, const char* key,
                                      const char* elements) {
  FD_ASSIGN_OR_RETURN(const std::string text, Field(metadata, key));
  ListHandler list;
  ParseJsonEvents(text, &list);
  if (!list.is_list) {
    return ModelFileError(
        absl::StrCat(key, ": is ", Shown(text), " instead of a JSON list"));
  }
  const bool numbers = absl::string_view(elements) == "numbers";
  if (list.other || !(numbers ? list.strings.empty() : list.numbers.empty())) {
    return ModelFileError(
        absl::StrCat(key, ": holds something other than ", elements));
  }
  return list;
}

absl::StatusOr<std::vector<double>> NumbersField(const Metadata& metadata,
                                                 const char* key,
                                                 size_t count) {
  FD_ASSIGN_OR_RETURN(ListHandler list, ListField(metadata, key, "numbers"));
  if (list.numbers.size() != count) {
    return ModelFileError(absl::StrCat(key, ": has ", list.numbers.size(),
                                       " numbers instead of ", count));
  }
  return std::move(list.numbers);
}

absl::Status CheckVersion(const Metadata& metadata) {
  FD_ASSIGN_OR_RETURN(const int version, IntegerField(metadata, kVersionKey));
  if (version > kModelFormatVersion) {
    return ModelFileError(absl::StrCat(
        kVersionKey, ": is ", version, "; this program reads up to ",
        kModelFormatVersion, ", so the file needs a newer one"));
  }
  if (version < kModelFormatVersion) {
    return ModelFileError(absl::StrCat(kVersionKey, ": is ", version,
                                       "; versions begin at ",
                                       kModelFormatVersion));
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Metadata& metadata) {
  for (const absl::string_view key : kKeys) {
    if (metadata.count(std::string(key)) == 0) {
      return ModelFileError(absl::StrCat(key, ": is missing in __metadata__"));
    }
  }
  std::set<std::string> known(std::begin(kKeys), std::end(kKeys));
  for (const auto& [key, value] : metadata) {
    if (known.count(key) == 0) {
      return ModelFileError(
          absl::StrCat("unknown field ", Shown(key), " in __metadata__"));
    }
  }
  return absl::OkStatus();
}

// The rules that hold for a description from a file and from a caller alike.
absl::Status CheckDescription(const ModelDescription& description) {
  const auto check = [&](const std::vector<double>& values, const char* key,
                         bool positive) {
    const size_t channels = description.network.image_channels;
    if (values.size() != channels) {
      return ModelFileError(absl::StrCat(key, ": has ", values.size(),
                                         " numbers; an image has ", channels,
                                         " channels"));
    }
    for (const double value : values) {
      if (!std::isfinite(value) || (positive && value <= 0)) {
        return ModelFileError(absl::StrCat(key, ": holds ", value,
                                           "; it has to be a finite number",
                                           positive ? " above 0" : ""));
      }
    }
    return absl::OkStatus();
  };
  FD_RETURN_IF_ERROR(check(description.normalization.mean, kMeanKey, false));
  FD_RETURN_IF_ERROR(check(description.normalization.std, kStdKey, true));
  const size_t names = description.class_names.size();
  const int classes = description.network.classes;
  if (names != 0 && names != static_cast<size_t>(classes)) {
    return ModelFileError(absl::StrCat(kClassNamesKey, ": has ", names,
                                       " names for ", classes, " classes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelDescription> ReadDescription(const Metadata& metadata) {
  FD_RETURN_IF_ERROR(CheckVersion(metadata));
  FD_RETURN_IF_ERROR(CheckKeys(metadata));
  ModelDescription description;

  FD_ASSIGN_OR_RETURN(const std::string text, Field(metadata, kGenotypeKey));
  absl::StatusOr<Genotype> genotype = ParsePythonGenotype(text);
  if (!genotype.ok()) {
    return ModelFileError(
        absl::StrCat(kGenotypeKey, ": ", genotype.status().message()));
  }
  description.genotype = *std::move(genotype);
  FD_ASSIGN_OR_RETURN(const std::string form, Field(metadata, kFormKey));
  if (form != FormKey(description.genotype.form)) {
    return ModelFileError(absl::StrCat(kFormKey, ": is ", Shown(form),
                                       ", but the genotype is ",
                                       FormKey(description.genotype.form)));
  }

  NetworkConfig& network = description.network;
  FD_ASSIGN_OR_RETURN(const std::string kind, Field(metadata, kNetworkKey));
  if (kind == kImageNet) {
    network.kind = NetworkConfig::Kind::kImageNet;
  } else if (kind != kCifar) {
    return ModelFileError(absl::StrCat(kNetworkKey, ": is ", Shown(kind),
                                       "; known are ", kCifar, " and ",
                                       kImageNet));
  }
  FD_ASSIGN_OR_RETURN(network.init_channels,
                      IntegerField(metadata, kChannelsKey));
  FD_ASSIGN_OR_RETURN(network.layers, IntegerField(metadata, kLayersKey));
  FD_ASSIGN_OR_RETURN(network.classes, IntegerField(metadata, kClassesKey));
  FD_ASSIGN_OR_RETURN(const std::vector<double> shape,
                      NumbersField(metadata, kImageShapeKey, 3));
  for (const double size : shape) {
    // The graph has tighter bounds; these keep the conversion defined.
    if (!(size >= 1 && size <= 1 << 20 && size == std::floor(size))) {
      return ModelFileError(absl::StrCat(kImageShapeKey, ": holds ", size,
                                         "; sizes are whole, from 1 on"));
    }
  }
  if (shape[1] != shape[2]) {
    return ModelFileError(absl::StrCat(kImageShapeKey, ": is ", shape[1], "x",
                                       shape[2],
                                       "; networks take square images"));
  }
  network.image_channels = static_cast<int>(shape[0]);
  network.image_size = static_cast<int>(shape[1]);

  FD_ASSIGN_OR_RETURN(description.normalization.mean,
                      NumbersField(metadata, kMeanKey, network.image_channels));
  FD_ASSIGN_OR_RETURN(description.normalization.std,
                      NumbersField(metadata, kStdKey, network.image_channels));
  FD_ASSIGN_OR_RETURN(ListHandler names,
                      ListField(metadata, kClassNamesKey, "strings"));
  description.class_names = std::move(names.strings);
  FD_RETURN_IF_ERROR(CheckDescription(description));
  return description;
}

// Exactly the tensors of the graph, float32 and of its shapes.
absl::Status CheckTensors(const NetworkGraph& graph, const Tensors& tensors) {
  const std::vector<TensorSpec> specs = ExpectedTensors(graph);
  for (const TensorSpec& spec : specs) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      return ModelFileError(absl::StrCat(
          "tensor ", spec.name, " is missing; the genotype asks for it"));
    }
    const TensorView& tensor = found->second;
    if (tensor.dtype != DType::kF32) {
      return ModelFileError(absl::StrCat("tensor ", spec.name, " is ",
                                         DTypeName(tensor.dtype),
                                         " instead of F32"));
    }
    if (tensor.shape != spec.shape) {
      return ModelFileError(
          absl::StrCat("tensor ", spec.name, " is ", ShapeText(tensor.shape),
                       "; the genotype asks for ", ShapeText(spec.shape)));
    }
  }
  if (specs.size() == tensors.size()) return absl::OkStatus();
  std::set<std::string> expected;
  for (const TensorSpec& spec : specs) expected.insert(spec.name);
  for (const auto& [name, tensor] : tensors) {
    if (expected.count(name) == 0) {
      return ModelFileError(absl::StrCat("tensor ", Shown(name),
                                         " is surplus: the genotype has no "
                                         "use for it"));
    }
  }
  FD_CHECK(false) << "as many names, and one of them twice";
  return absl::OkStatus();
}

absl::Status AsModelFileError(const absl::Status& status,
                              absl::string_view name) {
  if (status.ok()) return status;
  return ModelFileError(absl::StrCat(name, ": ", status.message()));
}

}  // namespace

std::map<std::string, std::string> DescriptionMetadata(
    const ModelDescription& description) {
  const NetworkConfig& network = description.network;
  const bool imagenet = network.kind == NetworkConfig::Kind::kImageNet;
  return {
      {kVersionKey, absl::StrCat(kModelFormatVersion)},
      {kGenotypeKey, ToPythonText(description.genotype)},
      {kFormKey, std::string(FormKey(description.genotype.form))},
      {kNetworkKey, imagenet ? kImageNet : kCifar},
      {kChannelsKey, absl::StrCat(network.init_channels)},
      {kLayersKey, absl::StrCat(network.layers)},
      {kClassesKey, absl::StrCat(network.classes)},
      {kImageShapeKey, JsonText({network.image_channels, network.image_size,
                                 network.image_size})},
      {kMeanKey, JsonText(description.normalization.mean)},
      {kStdKey, JsonText(description.normalization.std)},
      {kClassNamesKey, JsonText(description.class_names)},
  };
}

ModelFile::ModelFile(std::unique_ptr<const MappedFile> mapping,
                     SafetensorsFile tensors, absl::string_view name)
    : mapping_(std::move(mapping)), tensors_(std::move(tensors)), name_(name) {}

absl::StatusOr<ModelFile> ModelFile::Load(const std::string& path) {
  FD_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  auto mapping = std::make_unique<const MappedFile>(std::move(mapped));
  FD_ASSIGN_OR_RETURN(SafetensorsFile tensors,
                      SafetensorsFile::ParseView(mapping->bytes(), path));
  ModelFile file(std::move(mapping), std::move(tensors), path);
  FD_RETURN_IF_ERROR(AsModelFileError(file.Check(), path));
  return file;
}

absl::StatusOr<ModelFile> ModelFile::Parse(std::string bytes,
                                           absl::string_view name) {
  FD_ASSIGN_OR_RETURN(SafetensorsFile tensors,
                      SafetensorsFile::Parse(std::move(bytes), name));
  ModelFile file(nullptr, std::move(tensors), name);
  FD_RETURN_IF_ERROR(AsModelFileError(file.Check(), name));
  return file;
}

absl::Status ModelFile::Check() {
  FD_ASSIGN_OR_RETURN(description_, ReadDescription(tensors_.metadata()));
  FD_ASSIGN_OR_RETURN(
      graph_, MakeNetworkGraph(description_.genotype, description_.network));
  FD_RETURN_IF_ERROR(CheckTensors(graph_, tensors_.tensors()));
  FD_ASSIGN_OR_RETURN(const std::string check,
                      Field(tensors_.metadata(), kCheckKey));
  const std::string right =
      HeaderCheck(tensors_.metadata(), InOrderOfData(tensors_.tensors()));
  if (check != right) {
    return ModelFileError(absl::StrCat(
        kCheckKey, ": is ", Shown(check), ", but the header gives \"", right,
        "\": it was changed after the file was written"));
  }
  return absl::OkStatus();
}

const TensorView& ModelFile::Tensor(const std::string& name) const {
  const auto found = tensors_.tensors().find(name);
  FD_CHECK(found != tensors_.tensors().end()) << name_ << " has no " << name;
  return found->second;
}

absl::StatusOr<std::string> SerializeModelFile(
    const ModelDescription& description,
    const std::vector<TensorToWrite>& tensors) {
  absl::StatusOr<NetworkGraph> graph =
      MakeNetworkGraph(description.genotype, description.network);
  if (!graph.ok()) return ModelFileError(graph.status().message());
  FD_RETURN_IF_ERROR(CheckDescription(description));
  Tensors by_name;
  for (const TensorToWrite& tensor : tensors) {
    if (!by_name.emplace(tensor.name, tensor.tensor).second) {
      return ModelFileError(absl::StrCat("tensor ", tensor.name, " twice"));
    }
  }
  FD_RETURN_IF_ERROR(CheckTensors(*graph, by_name));

  std::vector<TensorToWrite> ordered;
  for (const TensorSpec& spec : ExpectedTensors(*graph)) {
    ordered.push_back({spec.name, by_name.at(spec.name)});
  }
  Metadata metadata = DescriptionMetadata(description);
  metadata[kCheckKey] = HeaderCheck(metadata, ordered);
  return SerializeSafetensors(ordered, metadata);
}

absl::Status WriteModelFile(const std::string& path,
                            const ModelDescription& description,
                            const std::vector<TensorToWrite>& tensors) {
  absl::StatusOr<std::string> bytes = SerializeModelFile(description, tensors);
  if (!bytes.ok()) return AsModelFileError(bytes.status(), path);
  return WriteFileAtomic(path, *bytes);
}

}  // namespace fairdarts
