#ifndef OPS_CUDA_ELEMENT_H_
#define OPS_CUDA_ELEMENT_H_

// The types of a map's elements: float, and two of half its size, as they lie
// in memory. Host and device compute with them as floats; a value is rounded to
// the nearest, ties to even, where it is stored.

#include <cstdint>
#include <cstring>

// Functions for the host and, where nvcc compiles them, for the device.
#ifdef __CUDACC__
#define FD_HOST_DEVICE __host__ __device__
#else
#define FD_HOST_DEVICE
#endif

namespace fairdarts {

// IEEE 754 binary16: 11 bits of precision, up to 65504.
struct Half {
  uint16_t bits;
};

// The upper half of a float: 8 bits of precision.
struct BFloat16 {
  uint16_t bits;
};

enum class Precision { kFloat32, kFloat16, kBFloat16 };

constexpr int ElementBytes(Precision precision) {
  return precision == Precision::kFloat32 ? 4 : 2;
}

FD_HOST_DEVICE inline uint32_t FloatBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

FD_HOST_DEVICE inline float FloatOfBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

FD_HOST_DEVICE inline float ToFloat(float value) { return value; }

FD_HOST_DEVICE inline float ToFloat(BFloat16 value) {
  return FloatOfBits(uint32_t{value.bits} << 16);
}

FD_HOST_DEVICE inline float ToFloat(Half value) {
#ifdef __CUDA_ARCH__
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#else
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
  const uint32_t magnitude = value.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {  // infinite, or not a number
    return FloatOfBits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  }
  // The exponent's bias is 15 in place of 127; the product also normalises what
  // is subnormal.
  const float scale = FloatOfBits((127u + 127u - 15u) << 23);
  return FloatOfBits(sign | FloatBits(FloatOfBits(magnitude << 13) * scale));
#endif
}

template <typename T>
FD_HOST_DEVICE T FromFloat(float value);

template <>
FD_HOST_DEVICE inline float FromFloat<float>(float value) {
  return value;
}

template <>
FD_HOST_DEVICE inline BFloat16 FromFloat<BFloat16>(float value) {
#ifdef __CUDA_ARCH__
  BFloat16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
#else
  const uint32_t bits = FloatBits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {  // not a number stays none
    return {static_cast<uint16_t>(bits >> 16 | 0x40u)};
  }
  return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
#endif
}

template <>
FD_HOST_DEVICE inline Half FromFloat<Half>(float value) {
#ifdef __CUDA_ARCH__
  Half result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
#else
  const uint32_t bits = FloatBits(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
  // From 65520 on the nearest is infinite.
  if (magnitude >= 0x477ff000u) {
    return {static_cast<uint16_t>(sign | 0x7c00u)};
  }
  if (magnitude < 0x38800000u) {
    // Subnormal: added to 0.5, whose last bit is the smallest of them, so that
    // the addition rounds.
    const float sum = FloatOfBits(magnitude) + 0.5f;
    return {static_cast<uint16_t>(sign | (FloatBits(sum) - 0x3f000000u))};
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return {static_cast<uint16_t>(sign | (rounded - (112u << 23)) >> 13)};
#endif
}

}  // namespace fairdarts

#endif  // OPS_CUDA_ELEMENT_H_
