#include "training/profiling/process_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kBlock = 64 * kMib;
// What else may come or go meanwhile, and the kernel's rounding.
constexpr int64_t kNoise = 4 * kMib;

// Pages of the system's own, so that they are given back at once.
class Pages {
 public:
  Pages()
      : data_(mmap(nullptr, kBlock, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    EXPECT_NE(data_, MAP_FAILED);
    std::memset(data_, 1, kBlock);
  }
  ~Pages() { munmap(data_, kBlock); }

 private:
  void* data_;
};

ProcessMemory Memory() {
  const absl::StatusOr<ProcessMemory> memory = ReadProcessMemory();
  EXPECT_THAT(memory, IsOk());
  return memory.value_or(ProcessMemory());
}

TEST(ProcessMemoryTest, ThePeakOutlivesWhatMadeIt) {
  const ProcessMemory before = Memory();
  {
    Pages pages;
    EXPECT_NEAR(Memory().resident_bytes - before.resident_bytes, kBlock,
                kNoise);
  }
  const ProcessMemory after = Memory();
  EXPECT_NEAR(after.resident_bytes, before.resident_bytes, kNoise);
  EXPECT_GE(after.peak_bytes, before.resident_bytes + kBlock - kNoise);
}

TEST(ProcessMemoryTest, AResetPeakBeginsWithWhatIsResident) {
  { Pages pages; }
  ASSERT_THAT(ResetPeakMemory(), IsOk());
  const ProcessMemory memory = Memory();
  EXPECT_NEAR(memory.peak_bytes, memory.resident_bytes, kNoise);
  { Pages pages; }
  EXPECT_NEAR(Memory().peak_bytes - memory.resident_bytes, kBlock, kNoise);
}

}  // namespace
}  // namespace fairdarts
