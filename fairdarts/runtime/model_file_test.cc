#include "fairdarts/runtime/model_file.h"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/python_literal.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A network with one operation and 16-channel maps: small enough to try every
// prefix of its file.
constexpr char kGenotype[] =
    "Genotype(normal=[('skip_connect', 2, 0)], normal_concat=range(2, 6), "
    "reduce=[('max_pool_3x3', 2, 1)], reduce_concat=range(2, 6))";
constexpr uint64_t kSeed = 5;

ModelDescription SmallDescription() {
  NetworkConfig network;
  network.init_channels = 2;
  network.layers = 3;
  network.classes = 3;
  network.image_size = 8;
  network.image_channels = 1;
  ModelDescription description = DescriptionOf(kGenotype, network);
  description.normalization = {{0.25}, {0.1}};
  description.class_names = {"a \"quoted\" one", "bird", "caf\u00e9"};
  return description;
}

std::string SmallFile() {
  const ModelDescription description = SmallDescription();
  const FilledTensors filled(description, kSeed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  EXPECT_THAT(bytes, IsOk());
  return *std::move(bytes);
}

// The small file with its header's parts changed, whatever they are then.
std::string Changed(
    const std::function<void(std::vector<TensorToWrite>*,
                             std::map<std::string, std::string>*)>& change) {
  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Parse(SmallFile(), "small");
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, tensor] : file->tensors()) {
    tensors.push_back({name, tensor});
  }
  std::map<std::string, std::string> metadata = file->metadata();
  change(&tensors, &metadata);
  return SerializeSafetensors(tensors, metadata);
}

std::string WithMetadata(const std::string& key, const std::string& value) {
  return Changed([&](std::vector<TensorToWrite>*,
                     std::map<std::string, std::string>* metadata) {
    (*metadata)[key] = value;
  });
}

void ExpectRefused(const std::string& bytes, const std::string& message) {
  const absl::StatusOr<ModelFile> file = ModelFile::Parse(bytes, "net.st");
  ASSERT_FALSE(file.ok()) << message;
  EXPECT_THAT(file, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("net.st: "));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(message));
}

TEST(ModelFileTest, BringsBackWhatWasWritten) {
  const ModelDescription description = SmallDescription();
  const FilledTensors filled(description, kSeed);
  const std::string path = absl::StrCat(testing::TempDir(), "/model.st");
  ASSERT_THAT(WriteModelFile(path, description, filled.tensors()), IsOk());
  absl::StatusOr<ModelFile> loaded = ModelFile::Load(path);
  ASSERT_THAT(loaded, IsOk());
  // Views survive a move.
  const ModelFile file = *std::move(loaded);
  EXPECT_EQ(file.description().genotype, description.genotype);
  EXPECT_EQ(file.description().network.init_channels, 2);
  EXPECT_EQ(file.description().network.layers, 3);
  EXPECT_EQ(file.description().network.classes, 3);
  EXPECT_EQ(file.description().network.image_size, 8);
  EXPECT_EQ(file.description().network.image_channels, 1);
  EXPECT_THAT(file.description().normalization.mean, ElementsAre(0.25));
  EXPECT_THAT(file.description().normalization.std, ElementsAre(0.1));
  EXPECT_EQ(file.description().class_names, description.class_names);
  EXPECT_EQ(file.graph().layers.back().weight, "classifier.weight");
  for (const TensorToWrite& tensor : filled.tensors()) {
    EXPECT_EQ(file.Tensor(tensor.name).data, tensor.tensor.data);
  }
}

TEST(ModelFileTest, KindsFormsAndConfigsComeBack) {
  NetworkConfig imagenet = NetworkConfig::ImageNet();
  imagenet.init_channels = 2;
  imagenet.layers = 1;
  imagenet.classes = 4;
  const ModelDescription description = DescriptionOf(
      "Genotype(normal=[('skip_connect', 0, 0.5), ('max_pool_3x3', 1, -2.0)], "
      "normal_concat=[2], reduce=[('max_pool_3x3', 0, 0.125), "
      "('skip_connect', 1, 1.0)], reduce_concat=[2])",
      imagenet);
  // Its one cell is a reduction cell: 224 / 16 is 14, so 112 gives 7.
  ModelDescription half = description;
  half.network.image_size = 112;
  const ModelFile file = FilledModel(half, kSeed);
  EXPECT_EQ(file.description().network.kind, NetworkConfig::Kind::kImageNet);
  EXPECT_EQ(file.description().genotype, description.genotype);
  EXPECT_EQ(file.description().genotype.form, GenotypeForm::kWeighted);
  EXPECT_TRUE(file.description().class_names.empty());
}

TEST(ModelFileTest, EveryPrefixIsRefused) {
  const std::string bytes = SmallFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::StatusOr<ModelFile> file =
        ModelFile::Parse(bytes.substr(0, size), "net.st");
    ASSERT_THAT(file, ExitCodeIs(ExitCode::kModelFile)) << size;
  }
  ExpectRefused(bytes + "x", "data");
}

TEST(ModelFileTest, EveryFlippedBitOfTheHeaderIsRefused) {
  std::string bytes = SmallFile();
  size_t header = 8;
  for (int i = 0; i < 8; ++i) {
    header += size_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  for (size_t i = 0; i < header; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= 1 << bit;
      const absl::StatusOr<ModelFile> file = ModelFile::Parse(bytes, "net.st");
      ASSERT_THAT(file, ExitCodeIs(ExitCode::kModelFile)) << i << " " << bit;
      bytes[i] ^= 1 << bit;
    }
  }
  EXPECT_THAT(ModelFile::Parse(bytes, "net.st"), IsOk());
}

TEST(ModelFileTest, NamesTheFieldThatIsWrong) {
  ExpectRefused(WithMetadata("format_version", "2"),
                "format_version: is 2; this program reads up to 1, so the "
                "file needs a newer one");
  ExpectRefused(WithMetadata("format_version", "0"), "versions begin at 1");
  ExpectRefused(WithMetadata("format_version", "01"),
                "format_version: is \"01\" instead of a whole number");
  ExpectRefused(WithMetadata("genotype", "Genotype(normal"),
                "genotype: line 1");
  ExpectRefused(WithMetadata("form", "pairs"),
                "form: is \"pairs\", but the genotype is threshold");
  ExpectRefused(WithMetadata("network", "mnist\n"),
                "network: is \"mnist\\n\"; known are cifar and imagenet");
  ExpectRefused(WithMetadata("layers", "3.0"), "layers: is \"3.0\"");
  ExpectRefused(WithMetadata("layers", "0"), "layers: is 0");
  ExpectRefused(WithMetadata("init_channels", "3"), "init_channels: is 3");
  ExpectRefused(WithMetadata("classes", "99999999999"), "classes");
  ExpectRefused(WithMetadata("image_shape", "[1,8]"),
                "image_shape: has 2 numbers instead of 3");
  ExpectRefused(WithMetadata("image_shape", "[1,8,16]"),
                "image_shape: is 8x16; networks take square images");
  ExpectRefused(WithMetadata("image_shape", "[1e300,8,8]"),
                "image_shape: holds 1e+300");
  ExpectRefused(WithMetadata("image_shape", "{}"),
                "image_shape: is \"{}\" instead of a JSON list");
  ExpectRefused(WithMetadata("mean", "[]"), "mean: has 0 numbers instead of 1");
  ExpectRefused(WithMetadata("mean", "[\"a\"]"), "other than numbers");
  ExpectRefused(WithMetadata("std", "[0]"), "std: holds 0");
  ExpectRefused(WithMetadata("class_names", "[\"a\"]"),
                "class_names: has 1 names for 3 classes");
  ExpectRefused(WithMetadata("class_names", "[1,2,3]"), "other than strings");
  ExpectRefused(WithMetadata("class_names", std::string(100000, '[')),
                "class_names: holds something other than strings");
  ExpectRefused(WithMetadata("colour", "red"), "unknown field \"colour\"");
  ExpectRefused(WithMetadata("mean", "[0.75]"), "header_check: is ");
  for (const char* key : {"format_version", "genotype", "form", "network",
                          "init_channels", "layers", "classes", "image_shape",
                          "mean", "std", "class_names", "header_check"}) {
    ExpectRefused(Changed([&](auto*, auto* metadata) { metadata->erase(key); }),
                  absl::StrCat(key, ": is missing"));
  }
}

TEST(ModelFileTest, NamesTheTensorThatIsWrong) {
  const auto with_tensors =
      [](const std::function<void(std::vector<TensorToWrite>*)>& change) {
        return Changed(
            [&](std::vector<TensorToWrite>* tensors,
                std::map<std::string, std::string>*) { change(tensors); });
      };
  const auto named = [](std::vector<TensorToWrite>* tensors,
                        const std::string& name) -> TensorToWrite& {
    for (TensorToWrite& tensor : *tensors) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << name;
    return tensors->front();
  };
  ExpectRefused(with_tensors([&](auto* tensors) {
                  named(tensors, "stem.1.running_var").name = "stem.1.odd";
                }),
                "tensor stem.1.running_var is missing");
  ExpectRefused(with_tensors([&](auto* tensors) {
                  TensorToWrite extra = tensors->front();
                  extra.name = "zz";
                  tensors->push_back(extra);
                }),
                "tensor \"zz\" is surplus");
  ExpectRefused(with_tensors([&](auto* tensors) {
                  named(tensors, "classifier.bias").tensor.dtype = DType::kI32;
                }),
                "tensor classifier.bias is I32 instead of F32");
  ExpectRefused(with_tensors([&](auto* tensors) {
                  TensorView& tensor =
                      named(tensors, "classifier.weight").tensor;
                  std::swap(tensor.shape[0], tensor.shape[1]);
                }),
                "tensor classifier.weight is [8,3]; the genotype asks for "
                "[3,8]");
  // The right tensors for another genotype.
  ExpectRefused(
      WithMetadata("genotype",
                   "Genotype(normal=[('dil_conv_3x3', 2, 0)], "
                   "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 2, "
                   "1)], reduce_concat=range(2, 6))"),
      "tensor cells.0._ops.2.0.0.op.1.weight is missing");
}

TEST(ModelFileTest, WriterRefusesWhatTheReaderWould) {
  ModelDescription description = SmallDescription();
  const FilledTensors filled(description, kSeed);
  std::vector<TensorToWrite> tensors = filled.tensors();
  tensors.pop_back();
  const std::string path = absl::StrCat(testing::TempDir(), "/refused.st");
  EXPECT_THAT(WriteModelFile(path, description, tensors),
              ExitCodeIs(ExitCode::kModelFile));
  EXPECT_FALSE(ReadFile(path).ok());
  tensors.push_back(tensors.front());
  EXPECT_THAT(SerializeModelFile(description, tensors),
              StatusIs(absl::StatusCode::kDataLoss, "twice"));
  description.normalization.std = {-1};
  EXPECT_THAT(SerializeModelFile(description, filled.tensors()),
              StatusIs(absl::StatusCode::kDataLoss, "std: holds -1"));
}

TEST(ModelFileTest, NamesTheFileThatIsNotThere) {
  EXPECT_THAT(
      ModelFile::Load("/nowhere/net.st"),
      StatusIs(absl::StatusCode::kDataLoss, "/nowhere/net.st: cannot open"));
  EXPECT_THAT(ModelFile::Load("/dev/null"),
              StatusIs(absl::StatusCode::kDataLoss, "not a regular file"));
}

}  // namespace
}  // namespace fairdarts
