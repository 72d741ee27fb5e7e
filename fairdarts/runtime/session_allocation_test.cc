// What sessions ask of the heap, with the program's own operator new.

#include <gmock/gmock.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "tests/status_matchers.h"

namespace {

// Of the threads that the tests start none allocates.
int64_t allocations = 0;
int64_t living = 0;
int64_t fail_at = -1;  // the allocation that throws; none below 0

}  // namespace

void* operator new(size_t size) {
  if (allocations++ == fail_at) throw std::bad_alloc();
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  ++living;
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory != nullptr) --living;
  std::free(memory);
}

void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

namespace fairdarts {
namespace {

std::string SmallModel() {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 16;
  const ModelDescription description = DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 2, 0), ('skip_connect', 3, 1), "
      "('avg_pool_3x3', 3, 1)], normal_concat=[2], "
      "reduce=[('skip_connect', 2, 1)], reduce_concat=[2])",
      config);
  const FilledTensors filled(description, 1);
  return *SerializeModelFile(description, filled.tensors());
}

TEST(SessionAllocationTest, RunsAllocateNothing) {
  for (const int threads : {1, 3}) {
    SessionOptions options;
    options.threads = threads;
    absl::StatusOr<Session> session =
        Session::LoadBytes(SmallModel(), "model", options);
    ASSERT_THAT(session, IsOk());
    const std::vector<float> images(4 * session->image_floats(), 0.5f);
    std::vector<float> logits(4 * session->classes());
    const int64_t before = allocations;
    const size_t bytes_before = mallinfo2().uordblks;
    bool ok = true;
    // Threads that share one core take turns slowly.
    for (int i = 0; i < (threads == 1 ? 1000 : 50); ++i) {
      ok = ok && session->Run(images, absl::MakeSpan(logits)).ok();
    }
    EXPECT_TRUE(ok);
    EXPECT_EQ(allocations, before) << threads;
    EXPECT_EQ(mallinfo2().uordblks, bytes_before) << threads;
  }
}

TEST(SessionAllocationTest, LoadsWithoutGrowth) {
  const std::string bytes = SmallModel();
  ASSERT_THAT(Session::LoadBytes(bytes, "model"), IsOk());
  const int64_t before = living;
  for (int i = 0; i < 1000; ++i) {
    const absl::StatusOr<Session> session = Session::LoadBytes(bytes, "model");
    if (!session.ok()) FAIL() << session.status();
  }
  EXPECT_EQ(living, before);
}

TEST(SessionAllocationTest, EveryFailedAllocationIsAnErrorWithoutALeak) {
  const std::string bytes = SmallModel();
  // What the first load leaves behind for good, such as tables.
  ASSERT_THAT(Session::LoadBytes(bytes, "model"), IsOk());
  int64_t failures = 0;
  int did_without = 0;
  while (true) {
    std::string copy = bytes;
    const int64_t before = living;
    fail_at = allocations + failures;
    {
      const absl::StatusOr<Session> session =
          Session::LoadBytes(std::move(copy), "model");
      const bool reached = allocations > fail_at;
      fail_at = -1;
      if (!reached) {
        EXPECT_THAT(session, IsOk());
        break;
      }
      // A sort does without its buffer; nothing else may pass.
      if (session.ok()) {
        ++did_without;
      } else {
        ASSERT_THAT(session,
                    StatusIs(absl::StatusCode::kResourceExhausted, "no memory"))
            << "allocation " << failures;
      }
    }
    // The bytes went into the session, or with it.
    ASSERT_LE(living, before) << "allocation " << failures;
    ASSERT_GE(living, before - 1) << "allocation " << failures;
    ++failures;
  }
  EXPECT_GT(failures, 100);
  EXPECT_LE(did_without, 1);
}

}  // namespace
}  // namespace fairdarts
