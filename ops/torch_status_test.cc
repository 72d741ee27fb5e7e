#include "ops/torch_status.h"

#include <ATen/ATen.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::Pointee;

TEST(CatchTorchTest, PassesValuesAndErrorsOn) {
  EXPECT_THAT(CatchTorch("x", [] { return 3; }), IsOkAndHolds(3));
  EXPECT_THAT(CatchTorch([] { return std::make_unique<int>(3); }),
              IsOkAndHolds(Pointee(3)));
  EXPECT_THAT(CatchTorch("x", [] {}), IsOk());
  EXPECT_THAT(CatchTorch("x", [] { return absl::OkStatus(); }), IsOk());
  EXPECT_THAT(CatchTorch("x", [] { return absl::StatusOr<int>(3); }),
              IsOkAndHolds(3));
  const absl::Status nan =
      CatchTorch("epoch 12", [] { return NumbersError("loss is NaN"); });
  EXPECT_EQ(nan.message(), "epoch 12: loss is NaN");
  EXPECT_THAT(nan, ExitCodeIs(ExitCode::kNumbers));
  const absl::StatusOr<int> same = CatchTorch(
      [] { return absl::StatusOr<int>(NumbersError("loss is NaN")); });
  EXPECT_EQ(same.status().message(), "loss is NaN");
}

TEST(CatchTorchTest, MapsEveryKindOfException) {
  const auto status = [](auto thrower) {
    return CatchTorch("step 7", [&] { thrower(); });
  };
  EXPECT_THAT(
      status([] { TORCH_CHECK_VALUE(false, "odd value"); }),
      StatusIs(absl::StatusCode::kInvalidArgument, "step 7: odd value"));
  EXPECT_THAT(status([] { TORCH_CHECK_INDEX(false, "odd index"); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "odd index"));
  EXPECT_THAT(status([] { TORCH_CHECK_TYPE(false, "odd type"); }),
              StatusIs(absl::StatusCode::kInvalidArgument, "odd type"));
  EXPECT_THAT(status([] { TORCH_CHECK_NOT_IMPLEMENTED(false, "later"); }),
              StatusIs(absl::StatusCode::kUnimplemented, "later"));
  EXPECT_THAT(
      status([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "too much"); }),
      StatusIs(absl::StatusCode::kResourceExhausted, "too much"));
  EXPECT_THAT(status([] { TORCH_CHECK(false, "odd"); }),
              StatusIs(absl::StatusCode::kInternal, "odd"));
  EXPECT_THAT(status([] { throw std::bad_alloc(); }),
              StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
  EXPECT_THAT(status([] { throw std::runtime_error("disk\nline two"); }),
              StatusIs(absl::StatusCode::kInternal, "disk"));
  EXPECT_THAT(status([] { throw 7; }),
              StatusIs(absl::StatusCode::kInternal, "unknown type"));
}

TEST(CatchTorchTest, RealErrorsAreOneLine) {
  const absl::StatusOr<at::Tensor> mismatch = CatchTorch("forward", [] {
    return at::ones({2, 3}).mm(at::ones({2, 3}));
  });
  ASSERT_THAT(mismatch, StatusIs(absl::StatusCode::kInternal, "forward: mat1"));
  EXPECT_EQ(std::string(mismatch.status().message()).find('\n'),
            std::string::npos);
  // 2^61 bytes: no machine has them.
  EXPECT_THAT(
      CatchTorch([] { return at::empty({int64_t{1} << 59}, at::kFloat); }),
      StatusIs(absl::StatusCode::kResourceExhausted, ""));
}

}  // namespace
}  // namespace fairdarts
