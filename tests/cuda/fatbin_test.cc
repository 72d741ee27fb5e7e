// What the build made of two .cu files, read from the bytes embedded here.
#include <cuda.h>
#include <cudnn.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cuda/affine.h"
#include "tests/cuda/affine_kernels.h"

namespace fairdarts {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

static_assert(CUDA_VERSION >= 13000 && CUDA_VERSION < 14000, "CUDA 13");
static_assert(CUDNN_MAJOR == 9, "cuDNN 9");

// The layout is published nowhere; it is what nvcc 13 writes and cuobjdump
// reads: a header, then images, each behind a header of its own.
constexpr uint32_t kMagic = 0xBA55ED50;
constexpr int kHeaderBytes = 16;
constexpr int kBodyBytesAt = 8;
constexpr int kImageHeaderBytesAt = 4;
constexpr int kImageBytesAt = 8;
constexpr int kImageArchAt = 28;
constexpr uint16_t kPtx = 1;
constexpr uint16_t kElf = 2;
// e_machine of an ELF file of CUDA, and where it stands.
constexpr uint16_t kElfCuda = 190;
constexpr int kElfMachineAt = 18;

template <typename T>
T At(absl::string_view bytes, size_t offset) {
  T value = 0;
  if (offset + sizeof(T) > bytes.size()) {
    ADD_FAILURE() << "ends at " << bytes.size() << ", before " << offset;
  } else {
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
  }
  return value;
}

struct Image {
  uint16_t kind;
  uint32_t arch;
  absl::string_view bytes;
};

std::vector<Image> Images(absl::string_view fatbin) {
  EXPECT_EQ(At<uint32_t>(fatbin, 0), kMagic);
  EXPECT_EQ(At<uint64_t>(fatbin, kBodyBytesAt), fatbin.size() - kHeaderBytes);
  std::vector<Image> images;
  absl::string_view rest = fatbin.substr(kHeaderBytes);
  while (!rest.empty() && !::testing::Test::HasFailure()) {
    const uint32_t header = At<uint32_t>(rest, kImageHeaderBytesAt);
    const uint64_t size = At<uint64_t>(rest, kImageBytesAt);
    if (header == 0 || header > rest.size() || size > rest.size() - header) {
      ADD_FAILURE() << "an image does not end with the file";
      break;
    }
    images.push_back({At<uint16_t>(rest, 0), At<uint32_t>(rest, kImageArchAt),
                      rest.substr(header, size)});
    rest.remove_prefix(header + size);
  }
  return images;
}

TEST(Fatbin, HasMachineCodeForThreeGpusAndPtxForTheOthers) {
  std::vector<std::pair<uint16_t, uint32_t>> found;
  for (const Image& image : Images(AffineKernels())) {
    found.emplace_back(image.kind, image.arch);
  }
  EXPECT_THAT(found, UnorderedElementsAre(Pair(kElf, 80), Pair(kElf, 90),
                                          Pair(kElf, 100), Pair(kPtx, 80),
                                          Pair(kPtx, 90)));
}

TEST(Fatbin, EachMachineCodeHasTheKernelsOfBothFiles) {
  for (const Image& image : Images(AffineKernels())) {
    if (image.kind != kElf) continue;
    SCOPED_TRACE(image.arch);
    EXPECT_EQ(image.bytes.substr(0, 4),
              "\x7f"
              "ELF");
    EXPECT_EQ(At<uint16_t>(image.bytes, kElfMachineAt), kElfCuda);
    for (absl::string_view kernel :
         {".text.ScaleHalf", ".text.ScaleBfloat", ".text.Shift"}) {
      EXPECT_NE(image.bytes.find(kernel), absl::string_view::npos) << kernel;
    }
  }
}

// The driver reads 64-bit fields of it in place.
TEST(Fatbin, IsAligned) {
  EXPECT_EQ(reinterpret_cast<uintptr_t>(AffineKernels().data()) % 8, 0);
}

TEST(Fatbin, SharesItsHeadersWithTheHost) {
  EXPECT_EQ(Affine(2.0f, 3.0f, 1.0f), 7.0f);
}

}  // namespace
}  // namespace fairdarts
