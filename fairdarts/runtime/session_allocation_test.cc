// What sessions ask of the heap, with the program's own operator new. Memory
// that does not come through it is //tests/capi:allocation_failure_test's.

#include <gmock/gmock.h>
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/executor.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "tests/status_matchers.h"

namespace {

std::atomic<int64_t> allocations{0};
std::atomic<int64_t> living{0};
std::atomic<int64_t> fail_at{-1};   // the allocation that throws; none below 0
std::atomic<bool> for_good{false};  // and all those behind it

void* Allocated(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  ++living;
  return memory;
}

void CountAndFail() {
  const int64_t allocation = allocations++;
  if (fail_at < 0 || allocation < fail_at) return;
  if (for_good || allocation == fail_at) throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t size) {
  CountAndFail();
  return Allocated(std::malloc(size == 0 ? 1 : size));
}

// The C++ library's own calls the one above, a sanitizer's does not.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* operator new(size_t size, std::align_val_t alignment) {
  CountAndFail();
  const size_t multiple = static_cast<size_t>(alignment);
  return Allocated(std::aligned_alloc(
      multiple, (size + multiple - 1) / multiple * multiple));
}

void operator delete(void* memory) noexcept {
  if (memory != nullptr) --living;
  std::free(memory);
}

void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

void operator delete(void* memory, std::align_val_t) noexcept {
  operator delete(memory);
}

void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  operator delete(memory);
}

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

// Takes the tasks of a run one after the other.
class OneByOne : public Executor {
 public:
  int threads() const override { return 2; }
  void Run(int tasks, absl::FunctionRef<void(int task)> work) override {
    for (int task = 0; task < tasks; ++task) work(task);
  }
};

TEST(SessionAllocationTest, RunsAllocateNothing) {
  OneByOne executor;
  std::vector<SessionOptions> all(4);
  all[1].threads = 2;
  all[2].threads = 3;
  all[3].executor = &executor;
  for (const SessionOptions& options : all) {
    absl::StatusOr<Session> session =
        Session::LoadBytes(SmallModel(), "model", options);
    ASSERT_THAT(session, IsOk());
    // By image and by step.
    const std::vector<float> images(4 * session->image_floats(), 0.5f);
    std::vector<float> logits(4 * session->classes());
    const absl::Span<const float> one =
        absl::MakeSpan(images).subspan(0, session->image_floats());
    const absl::Span<float> its =
        absl::MakeSpan(logits).subspan(0, session->classes());
    bool ok = session->Run(images, absl::MakeSpan(logits)).ok();
    const int64_t before = allocations;
    const size_t bytes_before = mallinfo2().uordblks;
    for (int i = 0; i < 1000; ++i) {
      ok = ok && session->Run(one, its).ok();
      if (i % 4 == 0) {
        ok = ok && session->Run(images, absl::MakeSpan(logits)).ok();
      }
    }
    EXPECT_TRUE(ok);
    EXPECT_EQ(allocations, before) << session->threads();
    EXPECT_EQ(mallinfo2().uordblks, bytes_before) << session->threads();
  }
}

TEST(SessionAllocationTest, LoadsWithoutGrowth) {
  const std::string bytes = SmallModel();
  for (const int threads : {1, 2}) {
    SessionOptions options;
    options.threads = threads;
    ASSERT_THAT(Session::LoadBytes(bytes, "model", options), IsOk());
    const int64_t before = living;
    for (int i = 0; i < 1000; ++i) {
      const absl::StatusOr<Session> session =
          Session::LoadBytes(bytes, "model", options);
      if (!session.ok()) FAIL() << session.status();
    }
    EXPECT_EQ(living, before);
  }
}

class SessionAllocationFailureTest : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(OnceAndForGood, SessionAllocationFailureTest,
                         testing::Bool());

TEST_P(SessionAllocationFailureTest, IsAnErrorWithoutALeak) {
  const std::string bytes = SmallModel();
  SessionOptions options;
  options.threads = 2;
  // What the first load leaves behind for good, such as tables.
  ASSERT_THAT(Session::LoadBytes(bytes, "model", options), IsOk());
  for_good = GetParam();
  int64_t failures = 0;
  int did_without = 0;
  while (true) {
    std::string copy = bytes;
    const int64_t before = living;
    fail_at = allocations + failures;
    {
      const absl::StatusOr<Session> session =
          Session::LoadBytes(std::move(copy), "model", options);
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
        // Where there is none at all there is none for a message either.
        ASSERT_THAT(session, StatusIs(absl::StatusCode::kResourceExhausted,
                                      for_good ? "" : "no memory"))
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
