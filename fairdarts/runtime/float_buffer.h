#ifndef FAIRDARTS_RUNTIME_FLOAT_BUFFER_H_
#define FAIRDARTS_RUNTIME_FLOAT_BUFFER_H_

// Memory for weights and maps.

#include <cstddef>
#include <cstdint>

namespace fairdarts {

// Zeros that begin at a cache line. Where they are many they come from the
// system in large pages, if it has some: memory that nobody has touched yet
// costs most of the time that loading a network takes, page by page, and large
// pages are a few of them.
class FloatBuffer {
 public:
  // Nothing: data() is null.
  FloatBuffer() = default;
  // Room for `floats`, or nothing where there is no memory.
  static FloatBuffer Allocate(int64_t floats);

  FloatBuffer(FloatBuffer&& other) noexcept;
  FloatBuffer& operator=(FloatBuffer&& other) noexcept;
  ~FloatBuffer();

  float* data() { return data_; }
  const float* data() const { return data_; }

  // Makes the system provide all of it now instead of on first use; while it
  // is all zeros.
  void Touch();

 private:
  float* data_ = nullptr;
  size_t bytes_ = 0;
  void* mapping_ = nullptr;  // what data_ lies in, or null: it is the heap's
  size_t mapping_bytes_ = 0;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_FLOAT_BUFFER_H_
