#include "training/torch_import/half_float.h"

#include <cstring>

namespace fairdarts {
namespace {

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0x1f) return FromBits(sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) {
    // Zero and the subnormals: fraction * 2^-24, exact.
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  // The biases are 15 and 127.
  return FromBits(sign | (exponent + 112) << 23 | fraction << 13);
}

float Bfloat16ToFloat(uint16_t bits) {
  return FromBits(static_cast<uint32_t>(bits) << 16);
}

}  // namespace fairdarts
