// The machine code that the build made of stage_kernel.cu: whether it has the
// instructions that the kernel is written for. (That it keeps no registers in
// memory is another test, of what the assembler says.)
#include "ops/cuda/stage_fatbin.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {
namespace {

// NVIDIA publishes no encodings; these are what its disassembler shows for 8.0,
// 9.0 and 10.0. An instruction has 16 bytes, and its name the lowest 12 bits.
constexpr int kInstructionBytes = 16;
enum Name : uint64_t {
  kMultiplyTiles = 0x23c,  // HMMA
  kLoadMatrices = 0x83b,   // LDSM
  kCopyAsync = 0xfae,      // LDGSTS
  kLoadFromStack = 0x983,  // LDL
  kStoreToStack = 0x387,   // STL
  kMultiplyAdd = 0x223,    // FFMA
};

// Of one kernel for one GPU: how often each instruction stands in it.
using Counts = std::map<uint64_t, int>;

template <typename T>
T At(absl::string_view bytes, uint64_t offset) {
  T value = 0;
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) {
    ADD_FAILURE() << "ends at " << bytes.size() << ", before " << offset;
  } else {
    memcpy(&value, bytes.data() + offset, sizeof(T));
  }
  return value;
}

// The sections of an ELF file with 64 bits, by name.
std::map<std::string, absl::string_view> Sections(absl::string_view elf) {
  const auto table = At<uint64_t>(elf, 40);
  const auto bytes = At<uint16_t>(elf, 58);
  const auto count = At<uint16_t>(elf, 60);
  const uint64_t names =
      At<uint64_t>(elf, table + uint64_t{bytes} * At<uint16_t>(elf, 62) + 24);
  std::map<std::string, absl::string_view> sections;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t header = table + i * bytes;
    const uint64_t name = names + At<uint32_t>(elf, header);
    const auto offset = At<uint64_t>(elf, header + 24);
    const auto size = At<uint64_t>(elf, header + 32);
    if (name >= elf.size() || offset > elf.size() ||
        size > elf.size() - offset) {
      continue;  // one without bytes of its own
    }
    sections[elf.data() + name] = elf.substr(offset, size);
  }
  return sections;
}

// Each GPU's code of a kernel.
std::vector<Counts> CountsOf(absl::string_view kernel) {
  static constexpr absl::string_view kElf = "\177ELF\2\1";
  const absl::string_view fatbin = StageFatbin();
  std::vector<Counts> counts;
  for (size_t begin = fatbin.find(kElf); begin != absl::string_view::npos;
       begin = fatbin.find(kElf, begin + 1)) {
    for (const auto& [name, code] : Sections(fatbin.substr(begin))) {
      if (name != ".text." + std::string(kernel)) continue;
      counts.emplace_back();
      for (size_t i = 0; i < code.size(); i += kInstructionBytes) {
        ++counts.back()[At<uint64_t>(code, i) & 0xfff];
      }
    }
  }
  return counts;
}

TEST(StageFatbinTest, HalfTypesUseTensorCores) {
  for (const char* kernel :
       {"fairdarts_stage_float16", "fairdarts_stage_bfloat16"}) {
    const std::vector<Counts> gpus = CountsOf(kernel);
    ASSERT_GE(gpus.size(), 3u) << kernel;
    for (Counts counts : gpus) {
      // Twice for each tile, in a loop of its own for each number of tiles.
      EXPECT_GE(counts[kMultiplyTiles], 2 * (1 + 2 + 3 + 4 + 5 + 6));
      EXPECT_GE(counts[kLoadMatrices], 6 + 1 + 2 + 3 + 4 + 5 + 6);
      EXPECT_GE(counts[kCopyAsync], 2);
      EXPECT_EQ(counts[kLoadFromStack] + counts[kStoreToStack], 0);
    }
  }
}

TEST(StageFatbinTest, FloatUsesNone) {
  const std::vector<Counts> gpus = CountsOf("fairdarts_stage_float32");
  ASSERT_GE(gpus.size(), 3u);
  for (Counts counts : gpus) {
    EXPECT_EQ(counts[kMultiplyTiles], 0);
    // Four rows by two columns, four deep, for each number of tiles.
    EXPECT_GE(counts[kMultiplyAdd], 32 * (1 + 2 + 3 + 4 + 5 + 6));
    EXPECT_GE(counts[kCopyAsync], 4);
    EXPECT_EQ(counts[kLoadFromStack] + counts[kStoreToStack], 0);
  }
}

}  // namespace
}  // namespace fairdarts
