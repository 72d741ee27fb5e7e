#include "search_space/engine/engine_memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "search_space/engine/search_engine.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr S1Config kConfig = {/*channels=*/8, /*layers=*/3, /*classes=*/5,
                              /*image_channels=*/3};
constexpr int kSize = 32;

int64_t Allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// What an engine has allocated after a step of so many images.
int64_t AllocatedBy(int images, int threads) {
  const std::vector<float> pixels(int64_t{images} * 3 * kSize * kSize, 0.5f);
  const std::vector<float> weights(kS1Edges * kEdgeCandidates, 0.5f);
  std::vector<float> logits(images * kConfig.classes);
  const int64_t before = Allocated();
  absl::StatusOr<std::unique_ptr<SearchEngine>> engine =
      SearchEngine::Create(kConfig, {threads});
  EXPECT_THAT(engine, IsOk());
  EXPECT_THAT(
      (*engine)->Forward({pixels.data(), images, kSize, kSize},
                         {weights.data(), weights.data()}, logits.data()),
      IsOk());
  return Allocated() - before;
}

bool Counts() {
  const int64_t before = Allocated();
  const std::unique_ptr<void, decltype(&std::free)> memory(std::malloc(1 << 20),
                                                           &std::free);
  return Allocated() - before >= (1 << 20);
}

TEST(EngineMemoryTest, IsWhatTheEngineAllocates) {
  if (!Counts()) GTEST_SKIP() << "this allocator does not count";
  for (const int threads : {1, 2}) {
    for (const int images : {16, 33}) {
      // Large pages: two allocations for the batch, five for each thread, each
      // rounded up and aligned. What is left out is below 2 %.
      const int64_t pages = (2 + 5 * threads) * 2 * (int64_t{2} << 20);
      const int64_t expected =
          EngineMemoryFor(kConfig, threads, images, kSize, kSize).total();
      const int64_t actual = AllocatedBy(images, threads);
      EXPECT_GE(actual, expected * 99 / 100) << images;
      EXPECT_LE(actual, expected * 102 / 100 + pages) << images;
    }
  }
}

TEST(EngineMemoryTest, BlocksTakeTheSameAgain) {
  const EngineMemory one = EngineMemoryFor(kConfig, 1, 1, kSize, kSize);
  const EngineMemory block = EngineMemoryFor(kConfig, 1, 16, kSize, kSize);
  const EngineMemory more = EngineMemoryFor(kConfig, 1, 17, kSize, kSize);
  EXPECT_EQ(one.total(), block.total());
  EXPECT_EQ(more.saved, 2 * block.saved);
  EXPECT_EQ(more.scratch, 2 * block.scratch);
  EXPECT_EQ(more.gradients, 2 * block.gradients);
  EXPECT_EQ(more.threads, block.threads);
  EXPECT_EQ(more.network, block.network);
}

TEST(EngineMemoryTest, ThePapersNetwork) {
  // 28.9 MB an image, as the saved tensors of all cells sum up by hand, and
  // stem and inputs beside them.
  const EngineMemory memory = EngineMemoryFor(S1Config(), 1, 32, 32, 32);
  EXPECT_NEAR(memory.saved / 32 * 1e-6, 28.9, 1);
}

}  // namespace
}  // namespace fairdarts
