#include "fairdarts/runtime/float_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace fairdarts {
namespace {

// From the heap, from the system, around large pages.
constexpr int64_t kSizes[] = {0,       1,       17,      65535,        65536,
                              65537,   524287,  524288,  524289,       400000,
                              1000000, 1048576, 1048577, (1 << 22) + 5};

TEST(FloatBufferTest, HoldsZerosOnACacheLineAndAllOfThem) {
  for (const int64_t floats : kSizes) {
    FloatBuffer buffer = FloatBuffer::Allocate(floats);
    ASSERT_NE(buffer.data(), nullptr) << floats;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    buffer.Touch();
    EXPECT_EQ(std::count(buffer.data(), buffer.data() + floats, 0), floats);
    std::fill(buffer.data(), buffer.data() + floats, 1);
  }
}

TEST(FloatBufferTest, Moves) {
  for (const int64_t floats : kSizes) {
    FloatBuffer first = FloatBuffer::Allocate(floats);
    float* const data = first.data();
    FloatBuffer second = std::move(first);
    EXPECT_EQ(first.data(), nullptr);
    EXPECT_EQ(second.data(), data);
    FloatBuffer third = FloatBuffer::Allocate(floats);
    third = std::move(second);
    EXPECT_EQ(third.data(), data);
  }
}

TEST(FloatBufferTest, IsNothingWhereThereIsNoMemory) {
  EXPECT_EQ(FloatBuffer::Allocate(int64_t{1} << 50).data(), nullptr);
  EXPECT_EQ(FloatBuffer::Allocate(INT64_MAX).data(), nullptr);
  EXPECT_EQ(FloatBuffer::Allocate(-1).data(), nullptr);
  EXPECT_EQ(FloatBuffer().data(), nullptr);
}

}  // namespace
}  // namespace fairdarts
