#include "fairdarts/runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace fairdarts {

MemoryPlan PlanMemory(const std::vector<BufferLife>& buffers) {
  std::vector<int> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return buffers[a].floats > buffers[b].floats;
  });
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<int> placed;  // by offset
  for (const int next : order) {
    const BufferLife& life = buffers[next];
    int64_t offset = 0;
    for (const int other : placed) {
      const BufferLife& theirs = buffers[other];
      if (theirs.last < life.first || life.last < theirs.first) continue;
      const int64_t begin = plan.offsets[other];
      if (begin >= offset + life.floats) break;
      const int64_t end = begin + theirs.floats;
      offset = std::max(offset, (end + kArenaAlignment - 1) / kArenaAlignment *
                                    kArenaAlignment);
    }
    plan.offsets[next] = offset;
    plan.floats = std::max(plan.floats, offset + life.floats);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), next,
                                   [&](int a, int b) {
                                     return plan.offsets[a] < plan.offsets[b];
                                   }),
                  next);
  }
  return plan;
}

}  // namespace fairdarts
