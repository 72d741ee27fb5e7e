#include "training/compute_setup.h"

#include <ATen/Parallel.h>
#include <malloc.h>

#include <limits>

namespace fairdarts {

void SetUpCompute(int threads) {
  at::set_num_interop_threads(1);
  if (threads > 0) at::set_num_threads(threads);
  constexpr int kNever = std::numeric_limits<int>::max();
  // Some versions of glibc refuse more than 32 MB.
  if (mallopt(M_MMAP_THRESHOLD, 1 << 30) == 0) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
  }
  mallopt(M_TRIM_THRESHOLD, kNever);
}

}  // namespace fairdarts
