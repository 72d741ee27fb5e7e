#include "ops/cuda/host_stage.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "ops/cuda/element_vector.h"
#include "ops/cuda/stage_kernel.h"

namespace fairdarts {
namespace {

constexpr int kLanes = 32;
constexpr int kCopyBytes = 16;  // of an asynchronous copy, and their alignment

bool IsAligned(const void* pointer, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

// The shared memory of a block, and the copies into it that are on their way.
class SharedMemory {
 public:
  // As the device aligns it.
  static constexpr int kAlignment = 128;

  explicit SharedMemory(int64_t bytes)
      : bytes_(bytes),
        memory_(static_cast<char*>(std::aligned_alloc(
                    kAlignment, std::max<int64_t>(
                                    kAlignment, (bytes + kAlignment - 1) /
                                                    kAlignment * kAlignment))),
                &std::free) {}

  char* begin() const { return memory_.get(); }

  // All of it, for each type of element, is not a number; a pixel's place in
  // the scratch is none that a map has.
  void Poison() {
    memset(memory_.get(), 0xff, bytes_);
    memset(&scratch_, 0x7f, sizeof(scratch_));
  }

  StageScratch& scratch() { return scratch_; }

  // Fails unless [pointer, pointer + bytes) lies within and is aligned.
  void Check(const void* pointer, int64_t bytes, int64_t alignment) const {
    const char* const first = static_cast<const char*>(pointer);
    FD_CHECK(first >= begin() && first + bytes <= begin() + bytes_)
        << bytes << " bytes at " << first - begin() << " of shared memory of "
        << bytes_;
    FD_CHECK(IsAligned(pointer, alignment)) << "at " << first - begin();
  }

  void CopyAsync(int thread, const void* from, void* to) {
    Check(to, kCopyBytes, kCopyBytes);
    FD_CHECK(IsAligned(from, kCopyBytes));
    copies_[thread].push_back({from, to});
  }
  void AwaitCopies(int thread) {
    for (const Copy& copy : copies_[thread]) {
      memcpy(copy.to, copy.from, kCopyBytes);
    }
    copies_[thread].clear();
  }
  void CheckNoCopies() const {
    for (const std::vector<Copy>& copies : copies_) {
      FD_CHECK(copies.empty()) << "a thread ended before its copies";
    }
  }

 private:
  struct Copy {
    const void* from;
    void* to;
  };

  int64_t bytes_;
  std::unique_ptr<char, void (*)(void*)> memory_;
  StageScratch scratch_;
  std::vector<Copy> copies_[kStageThreads];
};

template <typename Value>
struct HostPerThread {
  Value value[kStageThreads];
};
template <typename Value>
struct HostPerLane {
  Value value[kLanes];
};

class HostLane {
 public:
  HostLane(SharedMemory& shared, int thread)
      : shared_(shared), thread_(thread) {}

  int thread() const { return thread_; }
  int index() const { return thread_ % kLanes; }

  template <typename Value>
  Value& of(HostPerThread<Value>& values) {
    return values.value[thread()];
  }
  template <typename Value>
  Value& of(HostPerLane<Value>& values) {
    return values.value[index()];
  }

  template <typename T>
  void Store(const ElementVector<T>& vector, T* to) {
    shared_.Check(to, sizeof(vector), kCopyBytes);
    StoreVector(vector, to);
  }
  void StorePair(const float* pair, float* to) {
    shared_.Check(to, 2 * sizeof(float), 2 * sizeof(float));
    std::copy(pair, pair + 2, to);
  }
  template <int kCount>
  void Load(const float* from, float* to) {
    shared_.Check(from, kCount * sizeof(float),
                  std::min<int64_t>(kCopyBytes, kCount * sizeof(float)));
    std::copy(from, from + kCount, to);
  }
  template <typename T>
  void CopyAsync(const T* from, T* to) {
    for (int i = 0; i < kStageVector; i += kCopyBytes / sizeof(T)) {
      shared_.CopyAsync(thread(), from + i, to + i);
    }
  }
  void AwaitCopies() { shared_.AwaitCopies(thread()); }

 private:
  SharedMemory& shared_;
  int thread_;
};

class HostWarp {
 public:
  HostWarp(SharedMemory& shared, int index, bool forward)
      : shared_(shared), index_(index), forward_(forward) {}

  int index() const { return index_; }

  template <typename Function>
  void ForEachLane(Function function) {
    for (int i = 0; i < kLanes; ++i) {
      HostLane lane(shared_, index_ * kLanes + (forward_ ? i : kLanes - 1 - i));
      function(lane);
    }
  }

  void Converge() {}  // they never part

  // Matrices of 8x8 elements of two bytes. Of matrix m lane l gets elements
  // 2 (l % 4) and the one after it of row l / 4.
  template <typename T, typename Address>
  void LoadMatrices(Address address, HostPerLane<StageFragment>& fragment) {
    for (int m = 0; m < 4; ++m) {
      for (int row = 0; row < 8; ++row) {
        const T* const from = RowOfMatrix<T>(address, m, row);
        for (int i = 0; i < 4; ++i) {
          memcpy(&fragment.value[row * 4 + i].words[m], from + 2 * i,
                 sizeof(uint32_t));
        }
      }
    }
  }

  // The same of the transposed matrices.
  template <typename T, typename Address>
  void LoadTransposedMatrices(Address address,
                              HostPerLane<StageFragment>& fragment) {
    for (int m = 0; m < 4; ++m) {
      for (int row = 0; row < 8; ++row) {
        const T* const from = RowOfMatrix<T>(address, m, row);
        for (int column = 0; column < 8; ++column) {
          uint32_t& word = fragment.value[column * 4 + row / 2].words[m];
          memcpy(reinterpret_cast<char*>(&word) + row % 2 * sizeof(T),
                 from + column, sizeof(T));
        }
      }
    }
  }

  // PTX ISA, "Matrix fragments for mma.m16n8k16": with g = lane / 4 and
  // q = lane % 4, words of a are (row g, columns 2q, 2q + 1), then row g + 8,
  // then the same from column 8 on; words of b are (rows 2q, 2q + 1, column g),
  // then from row 8 on; sums are (row g, columns 2q, 2q + 1), then row g + 8.
  template <typename T>
  void MultiplyAdd(const HostPerLane<StageFragment>& a,
                   const HostPerLane<StageFragment>& b, int i, int fragment,
                   HostPerThread<StageSums>& sums) {
    float left[16][16];
    float right[16][8];
    float sum[16][8];
    for (int lane = 0; lane < kLanes; ++lane) {
      const int g = lane / 4;
      const int q = lane % 4;
      const uint32_t* const words = a.value[lane].words;
      ElementWord<T>::Unpack(words[0], &left[g][2 * q]);
      ElementWord<T>::Unpack(words[1], &left[g + 8][2 * q]);
      ElementWord<T>::Unpack(words[2], &left[g][2 * q + 8]);
      ElementWord<T>::Unpack(words[3], &left[g + 8][2 * q + 8]);
      for (int j = 0; j < 2; ++j) {
        float pair[2];
        ElementWord<T>::Unpack(b.value[lane].words[i + j], pair);
        right[8 * j + 2 * q][g] = pair[0];
        right[8 * j + 2 * q + 1][g] = pair[1];
      }
      const float* const from = SumsOf(sums, lane, i, fragment);
      sum[g][2 * q] = from[0];
      sum[g][2 * q + 1] = from[1];
      sum[g + 8][2 * q] = from[2];
      sum[g + 8][2 * q + 1] = from[3];
    }
    for (int row = 0; row < 16; ++row) {
      for (int k = 0; k < 16; ++k) {
        for (int column = 0; column < 8; ++column) {
          sum[row][column] += left[row][k] * right[k][column];
        }
      }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      const int g = lane / 4;
      const int q = lane % 4;
      float* const to = SumsOf(sums, lane, i, fragment);
      to[0] = sum[g][2 * q];
      to[1] = sum[g][2 * q + 1];
      to[2] = sum[g + 8][2 * q];
      to[3] = sum[g + 8][2 * q + 1];
    }
  }

 private:
  template <typename T, typename Address>
  const T* RowOfMatrix(Address address, int matrix, int row) const {
    const T* const from = address(8 * matrix + row);
    shared_.Check(from, 8 * sizeof(T), kCopyBytes);
    return from;
  }

  float* SumsOf(HostPerThread<StageSums>& sums, int lane, int i,
                int fragment) const {
    return sums.value[index_ * kLanes + lane].value[fragment] + 2 * i;
  }

  SharedMemory& shared_;
  int index_;
  bool forward_;
};

class HostBlock {
 public:
  template <typename Value>
  using PerThread = HostPerThread<Value>;
  template <typename Value>
  using PerLane = HostPerLane<Value>;

  HostBlock(SharedMemory& shared, int index)
      : shared_(shared),
        index_(index),
        random_("host stage", {static_cast<uint64_t>(index)}),
        warps_{0, 1, 2, 3} {
    static_assert(kStageWarps == 4, "the warps listed above");
  }

  int index() const { return index_; }
  char* shared() const { return shared_.begin(); }
  StageScratch& scratch() const { return shared_.scratch(); }

  void AwaitInputs() const {}  // a launch begins when the last has ended

  template <typename Function>
  void Phase(Function function) {
    random_.Shuffle(warps_);
    const bool forward = random_.Below(2) == 0;
    for (const int index : warps_) {
      HostWarp warp(shared_, index, forward);
      function(warp);
    }
  }

 private:
  SharedMemory& shared_;
  int index_;
  RandomStream random_;
  std::vector<int> warps_;
};

template <typename T>
void RunBlocks(const StageArguments& arguments, int blocks,
               int64_t shared_bytes) {
  SharedMemory shared(shared_bytes);
  for (int i = 0; i < blocks; ++i) {
    shared.Poison();
    HostBlock block(shared, i);
    RunStageBlock<T>(arguments, block);
    shared.CheckNoCopies();
  }
}

void CheckMap(const StageMap& map) {
  FD_CHECK(map.height > 0 && map.width > 0 && map.channels > 0);
  FD_CHECK(map.offset >= 0 && map.offset % kStageVector == 0) << map.offset;
  FD_CHECK(map.pitch >= map.channels && map.pitch % kStageVector == 0)
      << map.pitch;
  FD_CHECK(map.channels % kStageVector == 0) << map.channels;
}

void CheckSegment(const StageSegment& segment) {
  CheckMap(segment.in);
  FD_CHECK(segment.kernel_height > 0 && segment.kernel_width > 0);
  FD_CHECK(segment.stride_height > 0 && segment.stride_width > 0);
  FD_CHECK(segment.dilation > 0);
  FD_CHECK(segment.pad_top >= -1 && segment.pad_left >= -1);
  FD_CHECK(segment.matrix >= 0 && segment.matrix % kStageTileElements == 0)
      << segment.matrix;
  int made = segment.in.channels;
  if (segment.kind == StageSegment::kDepthwise) {
    FD_CHECK(segment.depthwise >= 0 && segment.depthwise % kStageVector == 0)
        << segment.depthwise;
  } else {
    FD_CHECK(segment.kind == StageSegment::kDense);
    made *= segment.kernel_height * segment.kernel_width;
  }
  FD_CHECK_EQ(segment.depth, (made + kStageTile - 1) / kStageTile * kStageTile);
}

void CheckDirect(const StageDirect& direct, const StageTask& task) {
  const StageMap& in = direct.in;
  if (direct.kind == StageDirect::kImage) {
    FD_CHECK(in.channels > 0);
  } else {
    CheckMap(in);
    FD_CHECK_EQ(in.channels, task.out.channels);
  }
  switch (direct.kind) {
    case StageDirect::kCopy:
    case StageDirect::kImage:
      FD_CHECK_EQ(in.height, task.out.height);
      FD_CHECK_EQ(in.width, task.out.width);
      return;
    case StageDirect::kMaxPool:
    case StageDirect::kAveragePool:
      FD_CHECK_GE(direct.stride, 1);
      FD_CHECK_EQ((in.height - 1) / direct.stride + 1, task.out.height);
      FD_CHECK_EQ((in.width - 1) / direct.stride + 1, task.out.width);
      return;
    case StageDirect::kMapAverage:
      FD_CHECK(task.out.height == 1 && task.out.width == 1);
      FD_CHECK(direct.window_height > 0 && direct.window_width > 0);
      FD_CHECK_LE(direct.window_height, in.height);
      FD_CHECK_LE(direct.window_width, in.width);
      return;
  }
  FD_CHECK(false) << "kind " << direct.kind;
}

// Blocks that a task needs.
int64_t BlocksOf(const StageTask& task) {
  const int64_t pixels =
      int64_t{task.images} * task.out.height * task.out.width;
  FD_CHECK_LE(pixels, int64_t{1} << 30);
  return (pixels + StageRows(task) - 1) / StageRows(task) * task.column_blocks;
}

void CheckTask(const StageArguments& arguments, const StageTask& task,
               Precision precision, int64_t shared_bytes) {
  CheckMap(task.out);
  FD_CHECK_GT(task.images, 0);
  FD_CHECK(task.warp_rows == 1 || task.warp_rows == 2 || task.warp_rows == 4)
      << task.warp_rows;
  FD_CHECK_GE(task.block_tiles, 1);
  FD_CHECK_LE(task.block_tiles,
              kStageFragments * (kStageWarps / task.warp_rows));
  FD_CHECK_GT(task.column_blocks, 0);
  // Each block of columns has some, and together they have all.
  const int tiles = StageColumnTiles(task);
  FD_CHECK_GE(task.column_blocks * task.block_tiles, tiles);
  FD_CHECK_LT((task.column_blocks - 1) * task.block_tiles, tiles);
  FD_CHECK(task.chunk > 0 && task.chunk % kStageTile == 0) << task.chunk;
  FD_CHECK_LE(task.chunk, kStageMaxChunk);
  FD_CHECK_LE(StageSharedBytes(task, ElementBytes(precision)), shared_bytes);
  FD_CHECK_GE(task.bias, -1);
  FD_CHECK(task.bias < 0 || task.bias % kStageVector == 0) << task.bias;
  if (task.logits != 0) {
    FD_CHECK(task.out.height == 1 && task.out.width == 1);
    FD_CHECK(task.logits > 0 && task.logits <= task.out.channels);
  }
  for (int i = 0; i < task.segments; ++i) {
    CheckSegment(arguments.segments[task.first_segment + i]);
  }
  for (int i = 0; i < task.directs; ++i) {
    CheckDirect(arguments.directs[task.first_direct + i], task);
  }
}

void CheckLaunch(const StageArguments& arguments, Precision precision,
                 int blocks, int64_t shared_bytes) {
  for (const void* pointer :
       {static_cast<const void*>(arguments.arena), arguments.weights,
        static_cast<const void*>(arguments.biases)}) {
    FD_CHECK(IsAligned(pointer, kCopyBytes));
  }
  int64_t block = 0;
  for (int i = 0; i < arguments.task_count; ++i) {
    const StageTask& task = arguments.tasks[i];
    CheckTask(arguments, task, precision, shared_bytes);
    FD_CHECK_EQ(task.first_block, block) << "of task " << i;
    block += BlocksOf(task);
  }
  FD_CHECK_EQ(block, blocks);
}

}  // namespace

void RunStageOnHost(const StageArguments& arguments, Precision precision,
                    int blocks, int64_t shared_bytes) {
  CheckLaunch(arguments, precision, blocks, shared_bytes);
  switch (precision) {
    case Precision::kFloat32:
      return RunBlocks<float>(arguments, blocks, shared_bytes);
    case Precision::kFloat16:
      return RunBlocks<Half>(arguments, blocks, shared_bytes);
    case Precision::kBFloat16:
      return RunBlocks<BFloat16>(arguments, blocks, shared_bytes);
  }
}

}  // namespace fairdarts
