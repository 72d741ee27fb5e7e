#include "training/torch_import/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"
#include "training/torch_import/state_dict_names.h"
#include "training/torch_import/testing.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

constexpr absl::string_view kName = "net.tar";

std::string CheckpointPath(absl::string_view file) {
  return GoldenPath(absl::StrCat("checkpoints/", file));
}

std::string GoldenBytes(absl::string_view file) {
  auto bytes = ReadFile(CheckpointPath(file));
  EXPECT_THAT(bytes, IsOk());
  return bytes.ok() ? *std::move(bytes) : "";
}

TorchCheckpoint Golden(absl::string_view file) {
  auto checkpoint = ReadTorchCheckpoint(CheckpointPath(file));
  EXPECT_THAT(checkpoint, IsOk());
  return checkpoint.ok() ? *std::move(checkpoint) : TorchCheckpoint();
}

std::map<std::string, NamedTensor> ByName(const TorchCheckpoint& checkpoint) {
  std::map<std::string, NamedTensor> tensors;
  for (const NamedTensor& tensor : checkpoint.state_dict) {
    EXPECT_TRUE(tensors.try_emplace(tensor.name, tensor).second);
  }
  return tensors;
}

absl::StatusOr<TorchCheckpoint> Checkpoint(std::string bytes) {
  FD_ASSIGN_OR_RETURN(const TorchFile file,
                      TorchFile::Parse(std::move(bytes), kName));
  return file.Checkpoint();
}

std::vector<float> FloatsOf(const TensorView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), view.data.data(), view.data.size());
  }
  return values;
}

// What dtype and shape ask for.
int64_t BytesOf(const TensorView& view) {
  int64_t bytes = DTypeBytes(view.dtype);
  for (const int64_t size : view.shape) bytes *= size;
  return bytes;
}

// A model-file error of one line that begins with the file and says `what`.
MATCHER_P(Refuses, what, "") {
  const absl::Status status = arg.status();
  *result_listener << "which is " << status;
  return ExitCodeOf(status) == ExitCode::kModelFile && !status.ok() &&
         absl::StartsWith(status.message(), absl::StrCat(kName, ": ")) &&
         absl::StrContains(status.message(), what) &&
         !absl::StrContains(status.message(), "\n");
}

// ---- upstream's files ----

struct GoldenCase {
  const char* file;
  size_t tensors;
  std::optional<int64_t> epoch;
  std::optional<double> best_acc_top1;
  DType weights;
};

// As PyTorch lists them.
const GoldenCase kGoldenCases[] = {
    {"DARTS_V2.zip.tar", 136, 600, 97.5, DType::kF32},
    {"FairDARTS_a.legacy.tar", 171, 600, 97.5, DType::kF32},
    {"FairDARTS_b.dataparallel_thop.tar", 184, 3, std::nullopt, DType::kF32},
    {"FairDARTS_b.fp16.tar", 213, std::nullopt, std::nullopt, DType::kF16},
    {"FairDARTS_b.legacy.tar", 213, 600, 97.5, DType::kF32},
    {"FairDARTS_b.zip.tar", 213, 600, 97.5, DType::kF32},
};

TEST(TorchFileTest, ReadsEveryGoldenFile) {
  for (const GoldenCase& golden : kGoldenCases) {
    SCOPED_TRACE(golden.file);
    TorchCheckpoint checkpoint = Golden(golden.file);
    EXPECT_EQ(checkpoint.epoch, golden.epoch);
    EXPECT_EQ(checkpoint.best_acc_top1, golden.best_acc_top1);
    EXPECT_EQ(checkpoint.state_dict.size(), golden.tensors);
    ImportReport report;
    NameOptions options;
    options.to_float = false;
    ASSERT_THAT(NormalizeStateDict(options, &checkpoint.state_dict, &report),
                IsOk());
    // The names that end and begin every CIFAR network, in its order; four
    // channels, three layers.
    EXPECT_EQ(checkpoint.state_dict.front().name, "stem.0.weight");
    EXPECT_EQ(checkpoint.state_dict.back().name, "classifier.bias");
    const auto tensors = ByName(checkpoint);
    const std::vector<std::pair<std::string, std::vector<int64_t>>> shapes = {
        {"stem.0.weight", {12, 3, 3, 3}},
        {"stem.1.running_var", {12}},
        {"cells.0.preprocess0.op.1.weight", {4, 12, 1, 1}},
        {"auxiliary_head.classifier.weight", {10, 768}},
        {"classifier.bias", {10}},
    };
    for (const auto& [name, shape] : shapes) {
      ASSERT_EQ(tensors.count(name), 1u) << name;
      EXPECT_EQ(tensors.at(name).view.shape, shape) << name;
    }
    for (const auto& [name, tensor] : tensors) {
      EXPECT_EQ(tensor.view.dtype, absl::EndsWith(name, "num_batches_tracked")
                                       ? DType::kI64
                                       : golden.weights)
          << name;
      EXPECT_EQ(static_cast<int64_t>(tensor.view.data.size()),
                BytesOf(tensor.view))
          << name;
      // Neither shifted nor of another type: variances are positive, and no
      // value of a trained network is out of all proportion.
      if (tensor.view.dtype != DType::kF32) continue;
      for (const float value : FloatsOf(tensor.view)) {
        ASSERT_LT(std::abs(value), 100) << name;
        if (absl::EndsWith(name, "running_var")) {
          ASSERT_GT(value, 0) << name;
        }
      }
    }
  }
}

TEST(TorchFileTest, BothFormatsHoldTheSameBytes) {
  const TorchCheckpoint zip = Golden("FairDARTS_b.zip.tar");
  const TorchCheckpoint legacy = Golden("FairDARTS_b.legacy.tar");
  ASSERT_EQ(zip.state_dict.size(), legacy.state_dict.size());
  for (size_t i = 0; i < zip.state_dict.size(); ++i) {
    EXPECT_EQ(zip.state_dict[i].name, legacy.state_dict[i].name);
    EXPECT_EQ(zip.state_dict[i].view.shape, legacy.state_dict[i].view.shape);
    EXPECT_EQ(zip.state_dict[i].view.dtype, legacy.state_dict[i].view.dtype);
    EXPECT_EQ(zip.state_dict[i].view.data, legacy.state_dict[i].view.data)
        << zip.state_dict[i].name;
  }
}

TEST(TorchFileTest, DataParallelIsTheSameNetwork) {
  const auto plain = ByName(Golden("FairDARTS_b.zip.tar"));
  TorchCheckpoint wrapped = Golden("FairDARTS_b.dataparallel_thop.tar");
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &wrapped.state_dict, &report), IsOk());
  size_t counts = 0;
  for (const auto& [name, tensor] : plain) {
    counts += absl::EndsWith(name, "num_batches_tracked");
  }
  EXPECT_EQ(report.counters_ignored, 2);
  EXPECT_EQ(report.prefixes_stripped, 182);
  EXPECT_EQ(wrapped.state_dict.size(), plain.size() - counts);
  std::vector<ExpectedTensor> network;
  for (const auto& [name, tensor] : plain) {
    network.push_back({name, tensor.view.shape, tensor.view.dtype});
  }
  ASSERT_THAT(MatchStateDict(network, &wrapped.state_dict, &report), IsOk());
  EXPECT_EQ(report.batch_counts_absent, static_cast<int64_t>(counts));
  for (const NamedTensor& tensor : wrapped.state_dict) {
    EXPECT_EQ(tensor.view.data, plain.at(tensor.name).view.data) << tensor.name;
  }
}

TEST(TorchFileTest, HalfPrecisionIsTheSameNetworkRounded) {
  // Half of a unit in the last place of binary16, relative and, among the
  // subnormals, absolute.
  constexpr float kRelative = 0x1p-11f;
  constexpr float kAbsolute = 0x1p-25f;
  const auto full = ByName(Golden("FairDARTS_b.zip.tar"));
  TorchCheckpoint half = Golden("FairDARTS_b.fp16.tar");
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &half.state_dict, &report), IsOk());
  ASSERT_EQ(half.state_dict.size(), full.size());
  for (const NamedTensor& tensor : half.state_dict) {
    const TensorView& expected = full.at(tensor.name).view;
    ASSERT_EQ(tensor.view.dtype, expected.dtype) << tensor.name;
    if (expected.dtype != DType::kF32) {
      EXPECT_EQ(tensor.view.data, expected.data) << tensor.name;
      continue;
    }
    const std::vector<float> rounded = FloatsOf(tensor.view);
    const std::vector<float> values = FloatsOf(expected);
    ASSERT_EQ(rounded.size(), values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_LE(std::abs(rounded[i] - values[i]),
                std::max(kAbsolute, kRelative * std::abs(values[i])))
          << tensor.name << " " << i;
    }
  }
}

TEST(TorchFileTest, RefusesPrefixesOfGoldenFiles) {
  for (const char* file : {"FairDARTS_b.fp16.tar", "FairDARTS_a.legacy.tar"}) {
    SCOPED_TRACE(file);
    const std::string bytes = GoldenBytes(file);
    ASSERT_GT(bytes.size(), size_t{1} << 18);
    constexpr size_t kDense = 2048;
    constexpr size_t kStride = 40009;  // prime: no block's border
    std::vector<size_t> sizes;
    for (size_t i = 0; i < kDense; ++i) sizes.push_back(i);
    for (size_t i = kDense; i < bytes.size(); i += kStride) sizes.push_back(i);
    for (size_t i = bytes.size() - kDense; i < bytes.size(); i += 64) {
      sizes.push_back(i);
    }
    for (size_t i = bytes.size() - 64; i < bytes.size(); ++i) {
      sizes.push_back(i);
    }
    for (const size_t size : sizes) {
      ASSERT_THAT(TorchFile::Parse(std::string(bytes, 0, size), kName),
                  Refuses(""))
          << size;
    }
  }
}

// ---- small files made here ----

std::string Floats(absl::string_view key, int64_t elements) {
  return PickledStorageOf("FloatStorage", key, elements);
}

// Two tensors in one dict.
std::string StateDict() {
  return PickledDict(
      {PickledText("a"), PickledTensorOf(Floats("0", 6), 0, {2, 3}, {3, 1}),
       PickledText("b"), PickledTensorOf(Floats("1", 1), 0, {}, {})});
}

std::vector<std::pair<std::string, std::string>> Storages() {
  return {{"0", FloatBytes({1, 2, 3, 4, 5, 6})}, {"1", FloatBytes({7})}};
}

TEST(TorchFileTest, ReadsABareStateDictInItsOrder) {
  for (const std::string& bytes : {TorchZip(StateDict(), Storages()),
                                   TorchLegacy(StateDict(), 4, Storages())}) {
    const auto checkpoint = Checkpoint(bytes);
    ASSERT_THAT(checkpoint, IsOk());
    EXPECT_EQ(checkpoint->epoch, std::nullopt);
    EXPECT_EQ(checkpoint->best_acc_top1, std::nullopt);
    ASSERT_EQ(checkpoint->state_dict.size(), 2u);
    EXPECT_EQ(checkpoint->state_dict[0].name, "a");
    EXPECT_THAT(checkpoint->state_dict[0].view.shape, ElementsAre(2, 3));
    EXPECT_THAT(FloatsOf(checkpoint->state_dict[0].view),
                ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(checkpoint->state_dict[1].name, "b");
    EXPECT_THAT(FloatsOf(checkpoint->state_dict[1].view), ElementsAre(7));
  }
}

TEST(TorchFileTest, PutsElementsIntoOrder) {
  struct Case {
    int64_t offset;
    std::vector<int64_t> shape;
    std::vector<int64_t> strides;
    std::vector<float> expected;
  };
  const std::vector<Case> cases = {
      {0, {2, 3}, {1, 2}, {1, 3, 5, 2, 4, 6}},  // transposed
      {1, {2, 2}, {3, 1}, {2, 3, 5, 6}},        // columns 1 and 2
      {1, {2}, {2}, {2, 4}},
      {2, {3}, {1}, {3, 4, 5}},
      {4, {2, 1, 1}, {1, 77, 99}, {5, 6}},  // strides of single rows are moot
      {0, {2, 2}, {0, 1}, {1, 2, 1, 2}},    // expanded
      {1, {1, 2, 3}, {6, 0, 2}, {2, 4, 6, 2, 4, 6}},
      {3, {0, 3}, {3, 1}, {}},
  };
  for (const Case& c : cases) {
    const auto checkpoint = Checkpoint(TorchZip(
        PickledDict({PickledText("a"), PickledTensorOf(Floats("0", 6), c.offset,
                                                       c.shape, c.strides)}),
        {Storages()[0]}));
    ASSERT_THAT(checkpoint, IsOk());
    EXPECT_EQ(FloatsOf(checkpoint->state_dict[0].view), c.expected);
    EXPECT_EQ(checkpoint->state_dict[0].view.shape, c.shape);
  }
}

TEST(TorchFileTest, TensorsMayShareAStorage) {
  const std::string state = PickledDict(
      {PickledText("a"), PickledTensorOf(Floats("0", 6), 0, {6}, {1}),
       PickledText("b"), PickledTensorOf(Floats("0", 6), 3, {3}, {1})});
  const auto checkpoint = Checkpoint(TorchZip(state, {Storages()[0]}));
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(FloatsOf(checkpoint->state_dict[1].view), ElementsAre(4, 5, 6));
  EXPECT_EQ(checkpoint->state_dict[0].owner, checkpoint->state_dict[1].owner);
}

TEST(TorchFileTest, BoundsWhatSharedStoragesMultiply) {
  const std::vector<float> values(10000, 1);
  const std::string bytes(reinterpret_cast<const char*>(values.data()),
                          values.size() * sizeof(float));
  const auto parse = [&bytes](int tensors) {
    std::string items = "}(";
    for (int i = 0; i < tensors; ++i) {
      items += PickledText(absl::StrCat(i)) +
               PickledTensorOf(Floats("0", 10000), 0, {100, 100}, {1, 100});
    }
    return Checkpoint(TorchZip(items + "u", {{"0", bytes}}));
  };
  EXPECT_THAT(parse(2), IsOk());
  EXPECT_THAT(parse(50), Refuses("twice what the file has"));
}

TEST(TorchFileTest, ReadsTheCheckpointsParts) {
  const std::string top1 =
      PickledTensorOf(PickledStorageOf("DoubleStorage", "9", 1), 0, {}, {});
  auto storages = Storages();
  const double accuracy = 97.54;
  storages.emplace_back(
      "9", std::string(reinterpret_cast<const char*>(&accuracy), 8));
  const auto checkpoint = Checkpoint(
      TorchZip(PickledDict({PickledText("epoch"), PickledInt(12),
                            PickledText("state_dict"), StateDict(),
                            PickledText("best_acc_top1"), top1,
                            PickledText("arch"), PickledText("FairDARTS_b")}),
               storages));
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->epoch, 12);
  EXPECT_EQ(checkpoint->best_acc_top1, 97.54);
  EXPECT_EQ(checkpoint->state_dict.size(), 2u);
}

TEST(TorchFileTest, RefusesOtherObjects) {
  EXPECT_THAT(Checkpoint(TorchZip("]", {})),
              Refuses("holds a list, should hold a dict with a state_dict"));
  EXPECT_THAT(
      Checkpoint(TorchZip(PickledDict({PickledText("net"), StateDict(),
                                       PickledText("acc"), PickledInt(3)}),
                          Storages())),
      Refuses("keys [net, acc], should have \"state_dict\""));
  EXPECT_THAT(Checkpoint(TorchZip(PickledDict({}), {})), Refuses("keys []"));
  const auto with = [](absl::string_view key, const std::string& value) {
    return Checkpoint(
        TorchZip(PickledDict({PickledText("state_dict"), StateDict(),
                              PickledText(key), value}),
                 Storages()));
  };
  EXPECT_THAT(with("epoch", "N"), Refuses("epoch is None"));
  EXPECT_THAT(with("epoch", PickledInt(-1)), Refuses("at least 0"));
  EXPECT_THAT(with("best_acc_top1", PickledText("97")),
              Refuses("best_acc_top1 is a string"));
  EXPECT_THAT(with("best_acc_top1", PickledInt(101)), Refuses("0 to 100"));
  const auto state = [](const std::string& value) {
    return Checkpoint(
        TorchZip(PickledDict({PickledText("state_dict"), value}), {}));
  };
  EXPECT_THAT(state("N"), Refuses("state_dict is None, should be a dict"));
  EXPECT_THAT(state("}"), Refuses("state_dict is empty"));
  EXPECT_THAT(state(PickledDict({PickledText("a"), PickledInt(1)})),
              Refuses("state_dict's \"a\" is an integer, should be a tensor"));
  EXPECT_THAT(state(PickledDict({PickledInt(1), PickledInt(1)})),
              Refuses("state_dict has an integer as a key"));
  EXPECT_THAT(state(PickledDict({PickledText(""), PickledInt(1)})),
              Refuses("should be a name"));
}

TEST(TorchFileTest, RefusesOtherFiles) {
  EXPECT_THAT(Checkpoint(""), Refuses("is empty"));
  EXPECT_THAT(Checkpoint("<html>"), Refuses("is no file of torch.save"));
  EXPECT_THAT(Checkpoint(ZipOf({{"letter.txt", "Hello"}})),
              Refuses("none that torch.save writes"));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/data.pkl", "x"}, {"b/version", "3\n"}})),
              Refuses("\"b/version\" lies outside of the folder \"a/\""));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/x", "x"}})),
              Refuses("entry \"a/version\" is missing"));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/version", "3\n"}})),
              Refuses("entry \"a/data.pkl\" is missing"));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/version", "11\n"}})),
              Refuses("version \"11\\n\" should be 1 to 10"));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/version", "3\n"}, {"a/byteorder", "big"}})),
              Refuses("byteorder \"big\""));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/data.pkl", "x"},
                                {"a/code/__torch__.py", "x"},
                                {"a/version", "3\n"}})),
              Refuses("TorchScript program"));
  EXPECT_THAT(Checkpoint(ZipOf({{"a/data.pkl", WholePickle("}") + "x"},
                                {"a/version", "3\n"}})),
              Refuses("data.pkl has 1 bytes after its end"));
}

TEST(TorchFileTest, RefusesAMissingFile) {
  const auto file = ReadTorchFile("/nonexistent/net.tar");
  EXPECT_THAT(file, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(file, StatusIs(absl::StatusCode::kDataLoss,
                             "/nonexistent/net.tar: cannot open"));
}

TEST(TorchFileTest, NeverCallsWhatAFileNames) {
  const std::string attack = PickledCall("os", "system", {PickledText("true")});
  EXPECT_THAT(Checkpoint(TorchZip(attack, {})),
              Refuses("data.pkl: at byte 2: refuses to call os.system"));
  EXPECT_THAT(Checkpoint(TorchLegacy(attack, 4, {})),
              Refuses("object: at byte 2: refuses to call os.system"));
}

TEST(TorchFileTest, RefusesStoragesThatDoNotFit) {
  EXPECT_THAT(Checkpoint(TorchZip(StateDict(), {Storages()[0]})),
              Refuses("entry \"archive/data/1\" is missing"));
  EXPECT_THAT(
      Checkpoint(TorchZip(StateDict(), {Storages()[0], {"1", "12345678"}})),
      Refuses("has 8 bytes where its tensor's storage says 4"));
  // The key is a name in the archive and nothing else.
  EXPECT_THAT(
      Checkpoint(TorchZip(
          PickledTensorOf(Floats("../../../etc/passwd", 1), 0, {1}, {1}), {})),
      Refuses("entry \"archive/data/../../../etc/passwd\" is "
              "missing"));
}

TEST(TorchFileTest, RefusesEveryStrictPrefix) {
  for (const std::string& whole : {TorchZip(StateDict(), Storages()),
                                   TorchLegacy(StateDict(), 4, Storages())}) {
    ASSERT_THAT(Checkpoint(whole), IsOk());
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THAT(Checkpoint(whole.substr(0, size)), Refuses("")) << size;
    }
  }
}

// ---- damage at random ----

// Reads what there is to read: an access out of bounds would show.
uint64_t SumOf(const TorchCheckpoint& checkpoint) {
  uint64_t sum = 0;
  for (const NamedTensor& tensor : checkpoint.state_dict) {
    EXPECT_EQ(static_cast<int64_t>(tensor.view.data.size()),
              BytesOf(tensor.view));
    for (const char c : tensor.view.data) sum += static_cast<uint8_t>(c);
  }
  return sum;
}

TEST(TorchFileTest, SurvivesFlippedBytes) {
  const char* const given = std::getenv("TORCH_FILE_SEED");
  const uint64_t seed = given == nullptr ? 1 : std::strtoull(given, nullptr, 0);
  std::cout << "replay: --test_env=TORCH_FILE_SEED=" << seed << "\n";
  const std::string zip = TorchZip(StateDict(), Storages());
  const std::string legacy = TorchLegacy(StateDict(), 4, Storages());
  auto whole = Checkpoint(zip);
  ASSERT_THAT(whole, IsOk());
  const uint64_t sum = SumOf(*whole);
  int64_t accepted = 0;
  for (uint64_t round = 0; round < 4000; ++round) {
    RandomStream stream("torch_file_test/flips", {seed, round});
    const bool is_zip = round % 2 == 0;
    std::string bytes = is_zip ? zip : legacy;
    for (uint64_t n = stream.Below(3) + 1; n > 0; --n) {
      bytes[stream.Below(bytes.size())] ^=
          static_cast<char>(1 + stream.Below(255));
    }
    const auto checkpoint = Checkpoint(bytes);
    if (!checkpoint.ok()) {
      EXPECT_THAT(checkpoint, Refuses("")) << round;
      continue;
    }
    ++accepted;
    const uint64_t found = SumOf(*checkpoint);
    // What passes a zip archive's check sums is what was written.
    if (is_zip) {
      EXPECT_EQ(found, sum) << round;
    }
  }
  // Values in the legacy format have no check sum.
  EXPECT_GT(accepted, 0);
}

TEST(TorchFileTest, SurvivesFlippedBytesInAGoldenFile) {
  const char* const given = std::getenv("TORCH_FILE_SEED");
  const uint64_t seed = given == nullptr ? 1 : std::strtoull(given, nullptr, 0);
  std::cout << "replay: --test_env=TORCH_FILE_SEED=" << seed << "\n";
  const std::string bytes = GoldenBytes("FairDARTS_a.legacy.tar");
  // Where the pickles end and the storages begin, about.
  constexpr uint64_t kPickles = 34000;
  ASSERT_GT(bytes.size(), kPickles);
  for (uint64_t round = 0; round < 500; ++round) {
    RandomStream stream("torch_file_test/golden_flips", {seed, round});
    std::string damaged = bytes;
    for (uint64_t n = stream.Below(3) + 1; n > 0; --n) {
      damaged[stream.Below(kPickles)] ^=
          static_cast<char>(1 + stream.Below(255));
    }
    const auto checkpoint = Checkpoint(std::move(damaged));
    if (checkpoint.ok()) {
      SumOf(*checkpoint);
    } else {
      EXPECT_THAT(checkpoint, Refuses("")) << round;
    }
  }
}

}  // namespace
}  // namespace fairdarts
