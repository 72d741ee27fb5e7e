#include "fairdarts/runtime/float_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace fairdarts {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kPage = 4096;
constexpr size_t kLargePage = size_t{2} << 20;
// Smaller ones come from the heap.
constexpr size_t kMapped = size_t{256} << 10;
// What may be lost for the sake of one more large page.
constexpr size_t kMaxWaste = size_t{512} << 10;

size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

FloatBuffer FloatBuffer::Allocate(int64_t floats) {
  FloatBuffer buffer;
  if (static_cast<uint64_t>(floats) > SIZE_MAX / 2 / sizeof(float)) {
    return buffer;
  }
  const size_t bytes =
      RoundUp(std::max<size_t>(floats * sizeof(float), 1), kCacheLine);
  if (bytes < kMapped) {
    void* const memory = std::aligned_alloc(kCacheLine, bytes);
    if (memory == nullptr) return buffer;
    std::memset(memory, 0, bytes);
    buffer.data_ = static_cast<float*>(memory);
    buffer.bytes_ = bytes;
    return buffer;
  }
  const size_t large = RoundUp(bytes, kLargePage);
  const size_t used =
      large - bytes <= kMaxWaste ? large : RoundUp(bytes, kPage);
  // A large page begins at a multiple of its size. What lies around the buffer
  // is never touched, so it is no memory.
  const size_t mapping_bytes = used + kLargePage;
  void* const mapping = mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return buffer;
  const size_t gap = -reinterpret_cast<uintptr_t>(mapping) % kLargePage;
  char* const data = static_cast<char*>(mapping) + gap;
#if defined(MADV_HUGEPAGE)
  // A wish: small pages do as well.
  madvise(data, used, MADV_HUGEPAGE);
#endif
  buffer.data_ = reinterpret_cast<float*>(data);
  buffer.bytes_ = bytes;
  buffer.mapping_ = mapping;
  buffer.mapping_bytes_ = mapping_bytes;
  return buffer;
}

FloatBuffer::FloatBuffer(FloatBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(std::exchange(other.mapping_bytes_, 0)) {}

FloatBuffer& FloatBuffer::operator=(FloatBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_bytes_, other.mapping_bytes_);
  return *this;
}

FloatBuffer::~FloatBuffer() {
  if (mapping_ != nullptr) {
    munmap(mapping_, mapping_bytes_);
  } else {
    std::free(data_);
  }
}

void FloatBuffer::Touch() {
  volatile float* const data = data_;
  for (size_t i = 0; i < bytes_ / sizeof(float); i += kPage / sizeof(float)) {
    data[i] = 0;  // without a look first, which would map a page of zeros
  }
}

}  // namespace fairdarts
