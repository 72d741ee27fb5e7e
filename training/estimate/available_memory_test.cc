#include "training/estimate/available_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr char kMeminfo[] =
    "MemTotal:        1000 kB\nMemFree:          100 kB\n"
    "MemAvailable:     500 kB\n";

class AvailableMemoryTest : public testing::Test {
 protected:
  AvailableMemoryTest()
      : root_(testing::TempDir() + "/" +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root_);
    File("/proc/meminfo", kMeminfo);
  }

  void File(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  void Expect(int64_t bytes, const std::string& limit) {
    const absl::StatusOr<AvailableMemory> memory = ReadAvailableMemory(root_);
    ASSERT_THAT(memory, IsOk());
    EXPECT_EQ(memory->bytes, bytes);
    EXPECT_EQ(memory->limit, limit);
  }

  const std::string root_;
};

TEST_F(AvailableMemoryTest, WithoutGroupsTheMachineCounts) {
  Expect(500 * 1024, "the machine");
}

TEST_F(AvailableMemoryTest, AGroupWithoutALimit) {
  File("/proc/self/cgroup", "0::/user/me\n");
  File("/sys/fs/cgroup/user/me/memory.max", "max\n");
  File("/sys/fs/cgroup/user/me/memory.current", "5000\n");
  Expect(500 * 1024, "the machine");
}

TEST_F(AvailableMemoryTest, AGroupsLimitLessWhatItUses) {
  File("/proc/self/cgroup", "0::/user/me\n");
  File("/sys/fs/cgroup/user/me/memory.max", "100000\n");
  File("/sys/fs/cgroup/user/me/memory.current", "40000\n");
  Expect(60000, "the control group");
}

TEST_F(AvailableMemoryTest, CachesOfFilesCanBeDropped) {
  File("/proc/self/cgroup", "0::/\n");
  File("/sys/fs/cgroup/memory.max", "100000\n");
  File("/sys/fs/cgroup/memory.current", "40000\n");
  File("/sys/fs/cgroup/memory.stat",
       "anon 10\nactive_file 1\ninactive_file 30000\n");
  Expect(90000, "the control group");
}

TEST_F(AvailableMemoryTest, ALimitFurtherUpCountsToo) {
  File("/proc/self/cgroup", "0::/user/me\n");
  File("/sys/fs/cgroup/user/me/memory.max", "100000\n");
  File("/sys/fs/cgroup/user/me/memory.current", "10000\n");
  File("/sys/fs/cgroup/user/memory.max", "100000\n");
  File("/sys/fs/cgroup/user/memory.current", "70000\n");
  Expect(30000, "the control group");
}

TEST_F(AvailableMemoryTest, VersionOne) {
  File("/proc/self/cgroup", "5:cpu,memory:/docker/x\n4:pids:/\n");
  // A container sees its group as the mount.
  File("/sys/fs/cgroup/memory/memory.limit_in_bytes", "100000\n");
  File("/sys/fs/cgroup/memory/memory.usage_in_bytes", "60000\n");
  File("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file 1000\n");
  Expect(41000, "the control group");
}

TEST_F(AvailableMemoryTest, MoreIsUsedThanALimitAllows) {
  File("/proc/self/cgroup", "0::/\n");
  File("/sys/fs/cgroup/memory.max", "1000\n");
  File("/sys/fs/cgroup/memory.current", "2000\n");
  Expect(0, "the control group");
}

TEST_F(AvailableMemoryTest, AMachineThatDoesNotTell) {
  File("/proc/meminfo", "MemTotal: 1000 kB\n");
  const absl::StatusOr<AvailableMemory> memory = ReadAvailableMemory(root_);
  EXPECT_THAT(memory, ExitCodeIs(ExitCode::kEnvironment));
}

TEST(AvailableMemoryOfThisMachineTest, IsThere) {
  const absl::StatusOr<AvailableMemory> memory = ReadAvailableMemory();
  ASSERT_THAT(memory, IsOk());
  EXPECT_GT(memory->bytes, 0);
}

}  // namespace
}  // namespace fairdarts
