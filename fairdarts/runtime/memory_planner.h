#ifndef FAIRDARTS_RUNTIME_MEMORY_PLANNER_H_
#define FAIRDARTS_RUNTIME_MEMORY_PLANNER_H_

// One arena for the buffers of a plan: those that are never needed at the same
// time share memory.

#include <cstdint>
#include <vector>

namespace fairdarts {

// Every buffer begins at a multiple of this many floats: a cache line.
inline constexpr int64_t kArenaAlignment = 16;

struct BufferLife {
  int64_t floats;
  int first;  // the step that writes it first
  int last;   // the last step that reads or writes it
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // one for each buffer, in floats
  int64_t floats = 0;            // of the arena
};

// Largest buffer first, each at the lowest place that is free for its whole
// life (Pisarchyk and Lee, arXiv 2001.03288, "greedy by size").
MemoryPlan PlanMemory(const std::vector<BufferLife>& buffers);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_MEMORY_PLANNER_H_
