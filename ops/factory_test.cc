#include "ops/factory.h"

#include <torch/torch.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ops/skip.h"
#include "tests/golden/fill_module.h"
#include "tests/golden/golden.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Two float32 evaluations of the same sum differ by at most its number of
// roundings times 2^-24 of the largest terms. The longest chain here is
// sep_conv_7x7: twice a window of 49, a sum over 6 channels and batch norm's
// over 3x8x8 values; batch norm keeps its output near 1, so the largest term
// is near the largest value. A gradient goes through the chain back and forth.
constexpr double kRoundings = 2 * (49 + 6 + 3 * 8 * 8);
constexpr double kUnitRoundoff = 0x1p-24;
constexpr Tolerance kForward = {0, kRoundings* kUnitRoundoff};
constexpr Tolerance kGradient = {0, 2 * kRoundings* kUnitRoundoff};

std::shared_ptr<Operation> OperationOf(Primitive primitive, int64_t channels,
                                       int64_t stride, bool affine) {
  absl::StatusOr<std::shared_ptr<Operation>> operation =
      MakeOperation(primitive, channels, stride, affine);
  EXPECT_THAT(operation, IsOk());
  return *std::move(operation);
}

// Every tensor of a golden case has its counterpart, and the other way round.
void ExpectNamesOfCase(const GoldenFile& file, const std::string& prefix,
                       const std::set<std::string>& names) {
  std::set<std::string> golden;
  for (const std::string& name : file.Names()) {
    if (name.compare(0, prefix.size(), prefix) == 0) golden.insert(name);
  }
  EXPECT_EQ(golden, names);
}

void CheckCase(const GoldenFile& file, const std::string& key,
               const nlohmann::json& c, torch::MemoryFormat format) {
  const std::string prefix = key + ".";
  const uint64_t seed = c["seed"];
  const absl::StatusOr<Primitive> primitive =
      ParsePrimitive(c["op"].get<std::string>());
  ASSERT_THAT(primitive, IsOk());
  const std::shared_ptr<Operation> operation =
      OperationOf(*primitive, c["C"], c["stride"], c["affine"]);
  FillModule(*operation, seed);
  const torch::Tensor x =
      GoldenImagesTensor("x", {c["batch"], c["C"], c["height"], c["width"]},
                         seed)
          .contiguous(format)
          .set_requires_grad(true);
  const torch::Tensor x_before = x.detach().clone();

  operation->train();
  const torch::Tensor y = operation->forward(x);
  EXPECT_THAT(y, TensorNear(file.Get(prefix + "y_train"), kForward));
  EXPECT_TRUE(y.is_contiguous(format));
  y.backward(GoldenUnitTensor("gy", y.sizes().vec(), seed).contiguous(format));
  EXPECT_THAT(x.grad(), TensorNear(file.Get(prefix + "gx"), kGradient));
  std::set<std::string> names = {prefix + "gx", prefix + "y_train",
                                 prefix + "y_eval_after"};
  for (const auto& parameter : operation->named_parameters()) {
    const std::string name = prefix + "grad." + parameter.key();
    EXPECT_THAT(parameter.value().grad(), TensorNear(file.Get(name), kGradient))
        << parameter.key();
    names.insert(name);
  }
  for (const auto& buffer : operation->named_buffers()) {
    if (buffer.value().scalar_type() == torch::kLong) {
      EXPECT_EQ(buffer.value().item<int64_t>(), 1) << buffer.key();
      continue;
    }
    const std::string name = prefix + "after." + buffer.key();
    EXPECT_THAT(buffer.value(), TensorNear(file.Get(name), kForward))
        << buffer.key();
    names.insert(name);
  }
  ExpectNamesOfCase(file, prefix, names);

  operation->eval();
  EXPECT_THAT(operation->forward(x),
              TensorNear(file.Get(prefix + "y_eval_after"), kForward));
  EXPECT_TRUE(x.detach().equal(x_before)) << "the input was written into";
}

TEST(FactoryTest, EveryGoldenCaseHoldsInBothMemoryFormats) {
  const GoldenFile file("ops.safetensors");
  const nlohmann::json cases = file.Metadata("cases");
  EXPECT_EQ(cases.size(), 36u);
  std::set<std::pair<std::string, int>> seen;
  for (const auto& [key, c] : cases.items()) {
    SCOPED_TRACE(key + " " + c.dump());
    CheckCase(file, key, c, torch::MemoryFormat::Contiguous);
    CheckCase(file, key, c, torch::MemoryFormat::ChannelsLast);
    seen.emplace(c["op"].get<std::string>(), c["stride"].get<int>());
  }
  for (const Primitive primitive : kAllPrimitives) {
    for (const int stride : {1, 2}) {
      EXPECT_EQ(seen.count({std::string(PrimitiveName(primitive)), stride}), 1u)
          << PrimitiveName(primitive) << " has no case with stride " << stride;
    }
  }
}

TEST(FactoryTest, StrideTwoRoundsOddSizesUp) {
  for (const Primitive primitive : kAllPrimitives) {
    SCOPED_TRACE(std::string(PrimitiveName(primitive)));
    for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{
             {7, 7}, {7, 10}, {4, 9}, {1, 1}}) {
      const torch::Tensor x = torch::rand({2, 4, height, width});
      EXPECT_THAT(
          OperationOf(primitive, 4, 2, kAffine)->forward(x).sizes().vec(),
          ElementsAre(2, 4, (height + 1) / 2, (width + 1) / 2));
      EXPECT_THAT(
          MakeSearchOperation(primitive, 4, 2)->forward(x).sizes().vec(),
          ElementsAre(2, 4, (height + 1) / 2, (width + 1) / 2));
    }
  }
}

TEST(FactoryTest, FactorizedReduceTakesAnOddMapAsOnePaddedWithZeros) {
  FactorizedReduce reduce(3, 6, kAffine);
  FillModule(reduce, 5);
  const torch::Tensor x = GoldenImagesTensor("x", {2, 3, 7, 5}, 5);
  const torch::Tensor padded = torch::constant_pad_nd(x, {0, 1, 0, 1});
  EXPECT_THAT(reduce.forward(x), TensorNear(reduce.forward(padded), {}));
}

TEST(FactoryTest, SearchCandidatesHaveBatchNormBehindPoolsAndNothingAffine) {
  for (const Primitive primitive : kS1Candidates) {
    SCOPED_TRACE(std::string(PrimitiveName(primitive)));
    for (const int64_t stride : {1, 2}) {
      const std::shared_ptr<Operation> search =
          MakeSearchOperation(primitive, 4, stride);
      for (const auto& parameter : search->named_parameters()) {
        EXPECT_EQ(parameter.value().dim(), 4) << parameter.key();
      }
      if (primitive == Primitive::kMaxPool3x3 ||
          primitive == Primitive::kAvgPool3x3) {
        EXPECT_THAT(search->named_parameters(), SizeIs(0));
        EXPECT_NE(search->named_buffers().find("1.running_mean"), nullptr);
        const torch::Tensor x = GoldenImagesTensor("x", {2, 4, 6, 6}, 7);
        const torch::Tensor pooled =
            OperationOf(primitive, 4, stride, kAffine)->forward(x);
        EXPECT_THAT(search->forward(x),
                    TensorNear(torch::batch_norm(pooled, {}, {}, {}, {}, true,
                                                 0.1, 1e-5, false),
                               kForward));
      }
    }
  }
}

TEST(FactoryTest, RefusesArgumentsThatMakeNoOperation) {
  EXPECT_THAT(
      MakeOperation(Primitive::kSepConv3x3, 0, 1, kAffine),
      StatusIs(absl::StatusCode::kInvalidArgument, "sep_conv_3x3: channels 0"));
  EXPECT_THAT(
      MakeOperation(Primitive::kMaxPool3x3, 4, 3, kAffine),
      StatusIs(absl::StatusCode::kInvalidArgument, "max_pool_3x3: stride 3"));
  EXPECT_THAT(
      MakeOperation(Primitive::kSkipConnect, 5, 2, kAffine),
      StatusIs(absl::StatusCode::kInvalidArgument, "skip_connect: channels 5"));
  EXPECT_THAT(MakeOperation(Primitive::kSkipConnect, 5, 1, kAffine), IsOk());
  EXPECT_THAT(
      MakeOperation(Primitive::kConv7x1_1x7, int64_t{1} << 28, 1, kAffine),
      StatusIs(absl::StatusCode::kResourceExhausted, "conv_7x1_1x7"));
}

}  // namespace
}  // namespace fairdarts
