#include "search_space/engine/lane_tensor.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace fairdarts {

LaneMemory AllocateLanes(int64_t size) {
  constexpr int64_t kLargePage = 2 << 20;
  const int64_t bytes =
      (size * static_cast<int64_t>(sizeof(float)) + kLargePage - 1) /
      kLargePage * kLargePage;
  void* const memory = std::aligned_alloc(kLargePage, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  // Advice: whether it is taken makes no difference to the result.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return LaneMemory(static_cast<float*>(memory));
}

}  // namespace fairdarts
