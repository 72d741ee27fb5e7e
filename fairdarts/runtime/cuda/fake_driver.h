#ifndef FAIRDARTS_RUNTIME_CUDA_FAKE_DRIVER_H_
#define FAIRDARTS_RUNTIME_CUDA_FAKE_DRIVER_H_

// CUDA's driver for tests on machines without one: the same table, over a GPU
// that is made up. It runs the stage kernels' own source on the CPU and is
// stricter than a real one:
//
// - Work in a stream is done as late as the rules allow, when something waits
//   for it, and then no other stream's is but what an event orders before it.
//   What should have waited and did not computes with the wrong numbers.
// - What the host must not read as an address is none: memory of the GPU begins
//   filled with bytes that are no numbers.
// - Kernels, copies and graphs that reach outside of what is allocated are
//   illegal accesses, after which every call fails, as with a real one.
// - What has not been given back is listed.

#include <cuda.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fairdarts/runtime/cuda/driver.h"

namespace fairdarts {

// One at a time, used by any threads.
class FakeDriver {
 public:
  struct Settings {
    int version = 13000;
    int devices = 1;
    std::string name = "Fake GPU";
    int major = 9;
    int minor = 0;
    int code_version = 90;  // of the kernels that it loads
    int multiprocessors = 8;
    int shared_bytes = 227 * 1024;  // of a block
    int multiprocessor_shared_bytes = 228 * 1024;
    int64_t memory = int64_t{1} << 40;  // of the GPU; pinned memory is not
                                        // counted
    bool run_kernels = true;            // or do nothing in their place
  };

  FakeDriver();
  FakeDriver(const FakeDriver&) = delete;
  FakeDriver& operator=(const FakeDriver&) = delete;
  ~FakeDriver();

  const CudaDriver& driver() const { return table_; }
  Settings settings;

  // Calls so far, of a function or of all.
  int64_t calls(const std::string& function) const;
  int64_t calls() const { return calls_; }

  // The call of that number from now on, 0 for the next, gives an error and
  // does nothing; one that gives something back does so all the same. `result`
  // spoils the context where it is such an error. Only calls of `function`
  // count, where it is not empty.
  void FailCall(int64_t number, CUresult result,
                const std::string& function = "");
  // Whether that call has come.
  bool failed() const { return fail_at_ < 0; }
  // The next kernel that runs ends in that error.
  void FailNextKernel(CUresult result) { next_kernel_ = result; }
  // A new start after an error that spoilt the context.
  void Revive() { spoilt_ = CUDA_SUCCESS; }

  // What has not been given back, by kind; empty for nothing.
  std::string Living() const;
  // Whether something was given back that unfinished work still used.
  bool freed_in_use() const { return freed_in_use_; }
  int64_t device_bytes() const;
  // Contexts that the calling thread has pushed and not popped.
  int pushed() const;
  // Kernels that have run.
  int64_t kernels() const { return kernels_; }
  // Launches of kernels that may begin before the one in front has ended.
  int64_t overlapping() const { return overlapping_; }

  // The dynamic shared memory that a kernel may have.
  int dynamic_shared_bytes() const { return dynamic_shared_bytes_; }
  // The part of fast memory, in hundredths, that kernels prefer to have shared.
  int carveout() const { return carveout_; }

  // What a program has of its own, none of which counts as living: memory of
  // the GPU, pinned memory and memory of another GPU, and streams.
  float* Device(int64_t floats);
  float* Pinned(int64_t floats);
  float* Elsewhere(int64_t floats);
  // Gives any of it back.
  void Release(float* pointer);
  CUstream NewStream();
  // Where the host finds memory of the GPU or pinned memory.
  float* Host(const float* pointer) const;
  // Does what is in a stream.
  void Finish(CUstream stream);

  // Appends work of a library to a stream, or to the graph that it is being
  // captured into. INVALID_HANDLE where there is no such stream.
  CUresult Append(CUstream stream, std::function<CUresult()> work);
  // Where kernels and libraries find so many bytes of memory that they are
  // given; null where they do not lie in one allocation.
  char* Translate(const void* pointer, int64_t bytes) const;

 private:
  struct Functions;
  struct Module;
  struct Function;
  struct Event;
  struct Exec;
  struct Graph;
  struct Kernel;
  struct Node;
  struct Stream;
  struct Ticket;
  struct Allocation {
    char* bytes;
    int64_t size;
    int device;  // -1 for pinned memory
    bool program;
  };

  CUresult Enter(const char* function, bool needs_context = true,
                 bool gives_back = false);
  CUresult Spoil(CUresult result);
  Stream* Find(CUstream stream);
  bool Capturing() const;
  void RunNext(Stream* stream);
  void Finish(const std::shared_ptr<Ticket>& ticket);
  void FinishAll();
  bool Busy() const;
  CUresult Execute(const Kernel& kernel);
  CUresult Execute(const Node& node);
  CUresult Enqueue(CUstream stream, std::function<CUresult()> work);
  CUdeviceptr Allocate(int64_t bytes, int device, bool program);
  void Forget(std::map<uint64_t, Allocation>::iterator allocation);

  mutable std::recursive_mutex mutex_;
  CudaDriver table_;
  int64_t calls_ = 0;
  std::map<std::string, int64_t> calls_of_;
  int64_t fail_at_ = -1;
  std::string fail_function_;
  CUresult fail_result_ = CUDA_SUCCESS;
  CUresult next_kernel_ = CUDA_SUCCESS;
  CUresult spoilt_ = CUDA_SUCCESS;
  bool freed_in_use_ = false;
  int64_t kernels_ = 0;
  int64_t overlapping_ = 0;
  int dynamic_shared_bytes_ = 0;
  int carveout_ = CU_SHAREDMEM_CARVEOUT_DEFAULT;
  int retained_ = 0;
  std::map<uint64_t, Allocation> memory_;  // by the address that CUDA gives
  std::map<void*, std::unique_ptr<Module>> modules_;
  std::map<void*, std::unique_ptr<Stream>> streams_;
  size_t program_streams_ = 1;  // the default one
  std::map<void*, std::unique_ptr<Event>> events_;
  std::map<void*, std::unique_ptr<Graph>> graphs_;
  std::map<void*, std::unique_ptr<Exec>> execs_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_FAKE_DRIVER_H_
