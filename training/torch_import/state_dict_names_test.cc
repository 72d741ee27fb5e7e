#include "training/torch_import/state_dict_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

NamedTensor Tensor(const std::string& name, std::vector<int64_t> shape,
                   DType dtype = DType::kF32) {
  NamedTensor tensor;
  tensor.name = name;
  int64_t bytes = DTypeBytes(dtype);
  for (const int64_t size : shape) bytes *= size;
  tensor.view.dtype = dtype;
  tensor.view.shape = std::move(shape);
  tensor.owner = std::make_shared<const std::string>(bytes, '\0');
  tensor.view.data = *tensor.owner;
  return tensor;
}

std::vector<std::string> NamesOf(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

// A network with one of everything.
std::vector<ExpectedTensor> Network() {
  return {{"stem.0.weight", {12, 3, 3, 3}},
          {"stem.1.running_mean", {12}},
          {"stem.1.num_batches_tracked", {}, DType::kI64},
          {"auxiliary_head.classifier.bias", {10}},
          {"classifier.bias", {10}}};
}

std::vector<NamedTensor> NetworkTensors() {
  std::vector<NamedTensor> tensors;
  for (const ExpectedTensor& expected : Network()) {
    tensors.push_back(Tensor(expected.name, expected.shape, expected.dtype));
  }
  return tensors;
}

void Remove(absl::string_view name, std::vector<NamedTensor>* tensors) {
  for (size_t i = 0; i < tensors->size(); ++i) {
    if ((*tensors)[i].name == name) tensors->erase(tensors->begin() + i);
  }
}

TEST(StateDictNamesTest, HasNothingToSayOfWhatFits) {
  std::vector<NamedTensor> tensors = NetworkTensors();
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  ASSERT_THAT(MatchStateDict(Network(), &tensors, &report), IsOk());
  EXPECT_EQ(NamesOf(tensors), NamesOf(NetworkTensors()));
  EXPECT_EQ(report.Summary(), "");
}

TEST(StateDictNamesTest, StripsDataParallelAndCounters) {
  std::vector<NamedTensor> tensors = {
      Tensor("module.stem.0.weight", {12, 3, 3, 3}),
      Tensor("module.stem.0.total_ops", {1}, DType::kF64),
      Tensor("module.stem.0.total_params", {1}, DType::kF64),
      // The counter was put around the network: no prefix.
      Tensor("total_ops", {}, DType::kF64),
      Tensor("module.classifier.bias", {10})};
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  EXPECT_THAT(NamesOf(tensors),
              ElementsAre("stem.0.weight", "classifier.bias"));
  EXPECT_EQ(report.Summary(),
            "stripped \"module.\" from 2 names; ignored 3 tensors of a FLOPs "
            "counter (total_ops, total_params)");
}

TEST(StateDictNamesTest, StripsRepeatedPrefixes) {
  std::vector<NamedTensor> tensors = {Tensor("module.module.a", {1}),
                                      Tensor("module.module.b", {1})};
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  EXPECT_THAT(NamesOf(tensors), ElementsAre("a", "b"));
  EXPECT_EQ(report.prefixes_stripped, 2);
}

TEST(StateDictNamesTest, LeavesAPrefixThatOnlySomeHave) {
  std::vector<NamedTensor> tensors = {Tensor("module.a", {1}),
                                      Tensor("b", {1})};
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  EXPECT_THAT(NamesOf(tensors), ElementsAre("module.a", "b"));
  EXPECT_EQ(report.Summary(), "");
}

TEST(StateDictNamesTest, KeepsWhatOnlySoundsLikeACounter) {
  std::vector<NamedTensor> tensors = {Tensor("total_ops", {12}),
                                      Tensor("total_ops.weight", {1}),
                                      Tensor("my_total_ops", {1})};
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  EXPECT_EQ(tensors.size(), 3u);
}

TEST(StateDictNamesTest, RefusesNothingButCounters) {
  std::vector<NamedTensor> tensors = {Tensor("total_ops", {1})};
  ImportReport report;
  const absl::Status status = NormalizeStateDict({}, &tensors, &report);
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
}

TEST(StateDictNamesTest, ConvertsHalfOnRequest) {
  const auto halves = [] {
    NamedTensor half = Tensor("a", {2}, DType::kF16);
    half.owner = std::make_shared<const std::string>("\x00\x3c\x00\xc1", 4);
    half.view.data = *half.owner;
    NamedTensor brain = Tensor("b", {1}, DType::kBF16);
    brain.owner = std::make_shared<const std::string>("\x80\x3f", 2);
    brain.view.data = *brain.owner;
    return std::vector<NamedTensor>{half, brain, Tensor("c", {}, DType::kI64)};
  };
  std::vector<NamedTensor> tensors = halves();
  ImportReport report;
  ASSERT_THAT(NormalizeStateDict({}, &tensors, &report), IsOk());
  float values[3];
  ASSERT_EQ(tensors[0].view.data.size(), 8u);
  ASSERT_EQ(tensors[1].view.data.size(), 4u);
  std::memcpy(values, tensors[0].view.data.data(), 8);
  std::memcpy(values + 2, tensors[1].view.data.data(), 4);
  EXPECT_THAT(values, ElementsAre(1.0f, -2.5f, 1.0f));
  EXPECT_EQ(tensors[0].view.dtype, DType::kF32);
  EXPECT_EQ(tensors[2].view.dtype, DType::kI64);
  EXPECT_EQ(report.Summary(), "converted 2 half-precision tensors to float32");

  NameOptions as_it_is;
  as_it_is.to_float = false;
  tensors = halves();
  report = {};
  ASSERT_THAT(NormalizeStateDict(as_it_is, &tensors, &report), IsOk());
  EXPECT_EQ(tensors[0].view.dtype, DType::kF16);
  EXPECT_EQ(report.Summary(), "");
}

TEST(StateDictNamesTest, TakesAnAbsentHeadAndAbsentCounts) {
  std::vector<NamedTensor> tensors = NetworkTensors();
  Remove("auxiliary_head.classifier.bias", &tensors);
  Remove("stem.1.num_batches_tracked", &tensors);
  ImportReport report;
  ASSERT_THAT(MatchStateDict(Network(), &tensors, &report), IsOk());
  EXPECT_EQ(report.Summary(),
            "1 num_batches_tracked are absent; the auxiliary head is absent "
            "and stays as it was initialised (1 tensors)");
}

TEST(StateDictNamesTest, DropsASurplusHeadAndSurplusCounts) {
  std::vector<NamedTensor> tensors = NetworkTensors();
  std::vector<ExpectedTensor> network = Network();
  network.erase(network.begin() + 2, network.begin() + 4);
  ImportReport report;
  ASSERT_THAT(MatchStateDict(network, &tensors, &report), IsOk());
  EXPECT_THAT(
      NamesOf(tensors),
      ElementsAre("stem.0.weight", "stem.1.running_mean", "classifier.bias"));
  EXPECT_EQ(report.Summary(),
            "ignored 1 num_batches_tracked; ignored the auxiliary head (1 "
            "tensors)");
}

TEST(StateDictNamesTest, NamesTheFirstThatDoNotFit) {
  std::vector<NamedTensor> tensors = NetworkTensors();
  tensors[0].name = "stem.9.weight\n";
  tensors[1] = Tensor("stem.1.running_mean", {24});
  tensors[4] = Tensor("classifier.bias", {10}, DType::kF64);
  ImportReport report;
  const absl::Status status = MatchStateDict(Network(), &tensors, &report);
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_EQ(status.message(),
            "1 tensors are missing (stem.0.weight F32[12, 3, 3, 3]); 1 tensors "
            "are of another "
            "network (stem.9.weight\\n F32[12, 3, 3, 3]); 2 tensors have "
            "another shape or type (stem.1.running_mean F32[24] instead of "
            "F32[12], classifier.bias F64[10] instead of F32[10])");
  // Nothing has changed.
  EXPECT_EQ(tensors.size(), 5u);
  EXPECT_EQ(report.Summary(), "");
}

TEST(StateDictNamesTest, CountsWhatItDoesNotName) {
  std::vector<NamedTensor> tensors = {Tensor("a", {1}), Tensor("b", {1}),
                                      Tensor("c", {1}), Tensor("d", {1})};
  ImportReport report;
  EXPECT_THAT(MatchStateDict({}, &tensors, &report),
              StatusIs(absl::StatusCode::kDataLoss,
                       "4 tensors are of another network (a F32[1], b F32[1], "
                       "c F32[1], ...)"));
}

TEST(StateDictNamesTest, RefusesHalfAHead) {
  std::vector<ExpectedTensor> network = Network();
  network.push_back({"auxiliary_head.classifier.weight", {10, 768}});
  std::vector<NamedTensor> tensors = NetworkTensors();
  ImportReport report;
  EXPECT_THAT(MatchStateDict(network, &tensors, &report),
              StatusIs(absl::StatusCode::kDataLoss,
                       "1 tensors are missing "
                       "(auxiliary_head.classifier.weight F32[10, 768])"));
}

}  // namespace
}  // namespace fairdarts
