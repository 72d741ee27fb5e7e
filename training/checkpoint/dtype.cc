#include "training/checkpoint/dtype.h"

#include <array>
#include <utility>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr std::array<std::pair<DType, c10::ScalarType>, 10> kTypes = {{
    {DType::kBool, c10::ScalarType::Bool},
    {DType::kU8, c10::ScalarType::Byte},
    {DType::kI8, c10::ScalarType::Char},
    {DType::kI16, c10::ScalarType::Short},
    {DType::kI32, c10::ScalarType::Int},
    {DType::kI64, c10::ScalarType::Long},
    {DType::kF16, c10::ScalarType::Half},
    {DType::kBF16, c10::ScalarType::BFloat16},
    {DType::kF32, c10::ScalarType::Float},
    {DType::kF64, c10::ScalarType::Double},
}};

}  // namespace

absl::optional<DType> DTypeOf(c10::ScalarType type) {
  for (const auto& [ours, torchs] : kTypes) {
    if (torchs == type) return ours;
  }
  return absl::nullopt;
}

c10::ScalarType ScalarTypeOf(DType dtype) {
  const auto& [ours, torchs] = kTypes[static_cast<size_t>(dtype)];
  FD_CHECK(ours == dtype) << "kTypes is in the order of DType";
  return torchs;
}

}  // namespace fairdarts
