#ifndef OPS_CUDA_ELEMENT_VECTOR_H_
#define OPS_CUDA_ELEMENT_VECTOR_H_

// Eight neighbouring channels of a pixel: what a thread reads and writes at a
// time. On the device a function is a few instructions on packed elements; on
// the host it is the loop that says what they do.

#include <cstdint>
#include <cstring>

#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

// What nvcc compiles for the device alone, and inlines into a kernel.
#ifdef __CUDACC__
#define FD_KERNEL __device__ __forceinline__
#define FD_UNROLL _Pragma("unroll")
#define FD_PRAGMA(text) _Pragma(#text)
#define FD_UNROLL_BY(count) FD_PRAGMA(unroll(count))
#else
#define FD_KERNEL inline
#define FD_UNROLL
#define FD_UNROLL_BY(count)
#endif

namespace fairdarts {

// In words of 32 bits: a float each, or two of the others, the first of them in
// the lower half.
template <typename T>
struct alignas(16) ElementVector {
  static constexpr int kWords = kStageVector * sizeof(T) / sizeof(uint32_t);
  uint32_t words[kWords];
};

// The functions of a word of elements of type T.
template <typename T>
struct ElementWord;

#ifdef __CUDACC__

template <>
struct ElementWord<float> {
  static FD_KERNEL uint32_t Maximum(uint32_t a, uint32_t b) {
    float larger;
    asm("max.NaN.f32 %0, %1, %2;"
        : "=f"(larger)
        : "f"(FloatOfBits(a)), "f"(FloatOfBits(b)));
    return FloatBits(larger);
  }
  static FD_KERNEL void Unpack(uint32_t word, float* values) {
    values[0] = FloatOfBits(word);
  }
  static FD_KERNEL uint32_t Pack(const float* values) {
    return FloatBits(values[0]);
  }
};

template <>
struct ElementWord<Half> {
  static FD_KERNEL uint32_t Maximum(uint32_t a, uint32_t b) {
    uint32_t larger;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
  }
  static FD_KERNEL void Unpack(uint32_t word, float* values) {
    asm("{\n"
        "  .reg .b16 lower, upper;\n"
        "  mov.b32 {lower, upper}, %2;\n"
        "  cvt.f32.f16 %0, lower;\n"
        "  cvt.f32.f16 %1, upper;\n"
        "}"
        : "=f"(values[0]), "=f"(values[1])
        : "r"(word));
  }
  static FD_KERNEL uint32_t Pack(const float* values) {
    uint32_t word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;"
        : "=r"(word)
        : "f"(values[1]), "f"(values[0]));
    return word;
  }
};

template <>
struct ElementWord<BFloat16> {
  static FD_KERNEL uint32_t Maximum(uint32_t a, uint32_t b) {
    uint32_t larger;
    asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
  }
  static FD_KERNEL void Unpack(uint32_t word, float* values) {
    values[0] = FloatOfBits(word << 16);
    values[1] = FloatOfBits(word & 0xffff0000u);
  }
  static FD_KERNEL uint32_t Pack(const float* values) {
    uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;"
        : "=r"(word)
        : "f"(values[1]), "f"(values[0]));
    return word;
  }
};

#else

template <typename T>
struct ElementWord {
  static constexpr int kElements = sizeof(uint32_t) / sizeof(T);

  // What is not a number stays none.
  static uint32_t Maximum(uint32_t a, uint32_t b) {
    float x[kElements];
    float y[kElements];
    Unpack(a, x);
    Unpack(b, y);
    for (int i = 0; i < kElements; ++i) {
      if (x[i] < y[i] || y[i] != y[i]) x[i] = y[i];
    }
    return Pack(x);
  }
  static void Unpack(uint32_t word, float* values) {
    T elements[kElements];
    memcpy(elements, &word, sizeof(word));
    for (int i = 0; i < kElements; ++i) values[i] = ToFloat(elements[i]);
  }
  static uint32_t Pack(const float* values) {
    T elements[kElements];
    for (int i = 0; i < kElements; ++i) elements[i] = FromFloat<T>(values[i]);
    uint32_t word;
    memcpy(&word, elements, sizeof(word));
    return word;
  }
};

#endif

template <typename T>
FD_KERNEL ElementVector<T> ZeroVector() {
  ElementVector<T> vector;
  FD_UNROLL
  for (uint32_t& word : vector.words) word = 0;
  return vector;
}

// Minus infinity in every element.
template <typename T>
FD_KERNEL uint32_t LowestWord() {
  float lowest[2] = {FloatOfBits(0xff800000u), FloatOfBits(0xff800000u)};
  return ElementWord<T>::Pack(lowest);
}

// From what may have been written since the network was made.
template <typename T>
FD_KERNEL ElementVector<T> LoadVector(const T* from) {
  ElementVector<T> vector;
#ifdef __CUDACC__
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; i += 4) {
    const uint4 words = reinterpret_cast<const uint4*>(from)[i / 4];
    vector.words[i] = words.x;
    vector.words[i + 1] = words.y;
    vector.words[i + 2] = words.z;
    vector.words[i + 3] = words.w;
  }
#else
  memcpy(&vector, from, sizeof(vector));
#endif
  return vector;
}

// From what does not change while a network exists.
template <typename T>
FD_KERNEL ElementVector<T> LoadConstantVector(const T* from) {
#ifdef __CUDACC__
  ElementVector<T> vector;
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; i += 4) {
    const uint4 words = __ldg(reinterpret_cast<const uint4*>(from) + i / 4);
    vector.words[i] = words.x;
    vector.words[i + 1] = words.y;
    vector.words[i + 2] = words.z;
    vector.words[i + 3] = words.w;
  }
  return vector;
#else
  return LoadVector(from);
#endif
}

template <typename T>
FD_KERNEL void StoreVector(const ElementVector<T>& vector, T* to) {
#ifdef __CUDACC__
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; i += 4) {
    reinterpret_cast<uint4*>(to)[i / 4] =
        make_uint4(vector.words[i], vector.words[i + 1], vector.words[i + 2],
                   vector.words[i + 3]);
  }
#else
  memcpy(to, &vector, sizeof(vector));
#endif
}

// The larger of each element of a vector and of the word that repeats.
template <typename T>
FD_KERNEL void RaiseTo(uint32_t floor, ElementVector<T>& vector) {
  FD_UNROLL
  for (uint32_t& word : vector.words) {
    word = ElementWord<T>::Maximum(word, floor);
  }
}

template <typename T>
FD_KERNEL void RaiseTo(const ElementVector<T>& floor,
                       ElementVector<T>& vector) {
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; ++i) {
    vector.words[i] = ElementWord<T>::Maximum(vector.words[i], floor.words[i]);
  }
}

template <typename T>
FD_KERNEL void Unpack(const ElementVector<T>& vector,
                      float (&values)[kStageVector]) {
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; ++i) {
    ElementWord<T>::Unpack(
        vector.words[i],
        values + i * (kStageVector / ElementVector<T>::kWords));
  }
}

template <typename T>
FD_KERNEL ElementVector<T> PackVector(const float (&values)[kStageVector]) {
  ElementVector<T> vector;
  FD_UNROLL
  for (int i = 0; i < ElementVector<T>::kWords; ++i) {
    vector.words[i] = ElementWord<T>::Pack(
        values + i * (kStageVector / ElementVector<T>::kWords));
  }
  return vector;
}

}  // namespace fairdarts

#endif  // OPS_CUDA_ELEMENT_VECTOR_H_
