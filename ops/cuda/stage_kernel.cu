// The stage kernel, once for each type of elements: stage_kernel.h with the
// device's threads, barriers and tensor cores.

#include <cstdint>

#include "ops/cuda/element.h"
#include "ops/cuda/element_vector.h"
#include "ops/cuda/stage.h"
#include "ops/cuda/stage_kernel.h"

namespace fairdarts {
namespace {

// The address of shared memory in its own space, as instructions want it.
__device__ __forceinline__ uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

class DeviceLane {
 public:
  __device__ __forceinline__ int thread() const { return threadIdx.x; }
  __device__ __forceinline__ int index() const { return threadIdx.x % 32; }

  template <typename Value>
  __device__ __forceinline__ Value& of(Value& value) {
    return value;
  }

  // Left to itself the compiler may store the words one by one.
  template <typename T>
  __device__ __forceinline__ void Store(const ElementVector<T>& vector, T* to) {
    FD_UNROLL
    for (int i = 0; i < ElementVector<T>::kWords; i += 4) {
      asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(
                       SharedAddress(to) + i * 4),
                   "r"(vector.words[i]), "r"(vector.words[i + 1]),
                   "r"(vector.words[i + 2]), "r"(vector.words[i + 3])
                   : "memory");
    }
  }

  __device__ __forceinline__ void StorePair(const float* pair, float* to) {
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(SharedAddress(to)),
                 "f"(pair[0]), "f"(pair[1])
                 : "memory");
  }

  template <int kCount>
  __device__ __forceinline__ void Load(const float* from, float* to) {
    if constexpr (kCount == 2) {
      const float2 pair = *reinterpret_cast<const float2*>(from);
      to[0] = pair.x;
      to[1] = pair.y;
    } else {
      static_assert(kCount % 4 == 0, "whole words of 16 bytes");
      FD_UNROLL
      for (int i = 0; i < kCount; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(from + i);
        to[i] = four.x;
        to[i + 1] = four.y;
        to[i + 2] = four.z;
        to[i + 3] = four.w;
      }
    }
  }

  template <typename T>
  __device__ __forceinline__ void CopyAsync(const T* from, T* to) {
    FD_UNROLL
    for (int i = 0; i < kStageVector; i += 16 / sizeof(T)) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                       SharedAddress(to + i)),
                   "l"(__cvta_generic_to_global(from + i))
                   : "memory");
    }
  }

  __device__ __forceinline__ void AwaitCopies() {
    asm volatile("cp.async.wait_all;" ::: "memory");
  }
};

class DeviceWarp {
 public:
  __device__ __forceinline__ int index() const { return threadIdx.x / 32; }

  template <typename Function>
  __device__ __forceinline__ void ForEachLane(Function function) {
    DeviceLane lane;
    function(lane);
  }

  __device__ __forceinline__ void Converge() { __syncwarp(); }

  template <typename T, typename Address>
  __device__ __forceinline__ void LoadMatrices(Address address,
                                               StageFragment& fragment) {
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(fragment.words[0]), "=r"(fragment.words[1]),
          "=r"(fragment.words[2]), "=r"(fragment.words[3])
        : "r"(SharedAddress(address(threadIdx.x % 32)))
        : "memory");
  }

  template <typename T, typename Address>
  __device__ __forceinline__ void LoadTransposedMatrices(
      Address address, StageFragment& fragment) {
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, "
        "[%4];"
        : "=r"(fragment.words[0]), "=r"(fragment.words[1]),
          "=r"(fragment.words[2]), "=r"(fragment.words[3])
        : "r"(SharedAddress(address(threadIdx.x % 32)))
        : "memory");
  }

  template <typename T>
  __device__ __forceinline__ void MultiplyAdd(const StageFragment& a,
                                              const StageFragment& b, int i,
                                              int fragment, StageSums& sums) {
    float* const sum = sums.value[fragment] + 2 * i;
    if constexpr (IsHalf(T())) {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]),
            "r"(b.words[i]), "r"(b.words[i + 1]));
    } else {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]),
            "r"(b.words[i]), "r"(b.words[i + 1]));
    }
  }

 private:
  static __device__ constexpr bool IsHalf(Half) { return true; }
  static __device__ constexpr bool IsHalf(BFloat16) { return false; }
};

class DeviceBlock {
 public:
  // A thread has its own part of what belongs to all of them.
  template <typename Value>
  using PerThread = Value;
  template <typename Value>
  using PerLane = Value;

  __device__ __forceinline__ DeviceBlock(char* shared, StageScratch* scratch)
      : shared_(shared), scratch_(scratch) {
    // The next launch may begin to fetch what no launch writes.
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
  }

  __device__ __forceinline__ int index() const { return blockIdx.x; }
  __device__ __forceinline__ char* shared() const { return shared_; }
  __device__ __forceinline__ StageScratch& scratch() const { return *scratch_; }

  // Does nothing unless the launch was allowed to begin early (programmatic
  // dependent launch).
  __device__ __forceinline__ void AwaitInputs() const {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
  }

  template <typename Function>
  __device__ __forceinline__ void Phase(Function function) {
    DeviceWarp warp;
    function(warp);
    __syncthreads();
  }

 private:
  char* shared_;
  StageScratch* scratch_;
};

template <typename T>
__device__ __forceinline__ void Run(const StageArguments& arguments) {
  extern __shared__ __align__(128) char shared[];
  __shared__ StageScratch scratch;
  DeviceBlock block(shared, &scratch);
  RunStageBlock<T>(arguments, block);
}

}  // namespace
}  // namespace fairdarts

// Blocks that a multiprocessor is to have room for: as many as the registers of
// the sums and of what a depthwise convolution loads allow without spills.
#define FD_STAGE_BOUNDS \
  __launch_bounds__(fairdarts::kStageThreads, fairdarts::kStageBlocksAtATime)

extern "C" __global__ void FD_STAGE_BOUNDS fairdarts_stage_float32(
    const __grid_constant__ fairdarts::StageArguments arguments) {
  fairdarts::Run<float>(arguments);
}

extern "C" __global__ void FD_STAGE_BOUNDS fairdarts_stage_float16(
    const __grid_constant__ fairdarts::StageArguments arguments) {
  fairdarts::Run<fairdarts::Half>(arguments);
}

extern "C" __global__ void FD_STAGE_BOUNDS fairdarts_stage_bfloat16(
    const __grid_constant__ fairdarts::StageArguments arguments) {
  fairdarts::Run<fairdarts::BFloat16>(arguments);
}
