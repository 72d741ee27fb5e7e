#include "ops/factory.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/dil_conv.h"
#include "ops/factorized_conv.h"
#include "ops/pool.h"
#include "ops/sep_conv.h"
#include "ops/skip.h"
#include "ops/torch_status.h"

namespace fairdarts {
namespace {

absl::Status CheckArguments(Primitive primitive, int64_t channels,
                            int64_t stride) {
  const absl::string_view name = PrimitiveName(primitive);
  if (channels < 1) {
    return UsageError(
        absl::StrCat(name, ": channels ", channels, "; at least 1 needed"));
  }
  if (stride != 1 && stride != 2) {
    return UsageError(
        absl::StrCat(name, ": stride ", stride, "; it must be 1 or 2"));
  }
  if (primitive == Primitive::kSkipConnect && stride == 2 &&
      channels % 2 != 0) {
    return UsageError(absl::StrCat(name, ": channels ", channels,
                                   "; at stride 2 an even number is needed"));
  }
  return absl::OkStatus();
}

std::shared_ptr<Operation> Build(Primitive primitive, int64_t channels,
                                 int64_t stride, bool affine) {
  switch (primitive) {
    case Primitive::kMaxPool3x3:
      return std::make_shared<Pool>(PoolKind::kMax, stride);
    case Primitive::kAvgPool3x3:
      return std::make_shared<Pool>(PoolKind::kAverage, stride);
    case Primitive::kSkipConnect:
      if (stride == 1) return std::make_shared<Identity>();
      return std::make_shared<FactorizedReduce>(channels, channels, affine);
    case Primitive::kSepConv3x3:
      return std::make_shared<SepConv>(channels, 3, stride, affine);
    case Primitive::kSepConv5x5:
      return std::make_shared<SepConv>(channels, 5, stride, affine);
    case Primitive::kSepConv7x7:
      return std::make_shared<SepConv>(channels, 7, stride, affine);
    case Primitive::kDilConv3x3:
      return std::make_shared<DilConv>(channels, 3, stride, affine);
    case Primitive::kDilConv5x5:
      return std::make_shared<DilConv>(channels, 5, stride, affine);
    case Primitive::kConv7x1_1x7:
      return std::make_shared<FactorizedConv>(channels, stride, affine);
  }
  FD_CHECK(false) << "unknown primitive " << static_cast<int>(primitive);
  return nullptr;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Operation>> MakeOperation(Primitive primitive,
                                                         int64_t channels,
                                                         int64_t stride,
                                                         bool affine) {
  FD_RETURN_IF_ERROR(CheckArguments(primitive, channels, stride));
  return CatchTorch(PrimitiveName(primitive),
                    [&] { return Build(primitive, channels, stride, affine); });
}

std::shared_ptr<Operation> MakeSearchOperation(Primitive primitive,
                                               int64_t channels,
                                               int64_t stride) {
  const absl::Status status = CheckArguments(primitive, channels, stride);
  FD_CHECK(status.ok()) << status;
  switch (primitive) {
    case Primitive::kMaxPool3x3:
      return std::make_shared<NormalizedPool>(PoolKind::kMax, channels, stride);
    case Primitive::kAvgPool3x3:
      return std::make_shared<NormalizedPool>(PoolKind::kAverage, channels,
                                              stride);
    default:
      return Build(primitive, channels, stride, kNotAffine);
  }
}

}  // namespace fairdarts
