#include "fairdarts/base/random.h"

#include <cmath>

#include "absl/numeric/int128.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr uint64_t kGoldenGamma = 0x9E3779B97F4A7C15;

uint64_t Mix(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9;
  z ^= z >> 27;
  z *= 0x94D049BB133111EB;
  z ^= z >> 31;
  return z;
}

uint64_t KeyOf(absl::string_view purpose,
               std::initializer_list<uint64_t> numbers) {
  uint64_t key = Fnv1a64(purpose);
  for (const uint64_t number : numbers) {
    // Mixed after each number, so that (1, 2) and (2, 1) differ.
    key = Mix(key ^ Mix(number + kGoldenGamma));
  }
  return key;
}

}  // namespace

uint64_t Fnv1a64(absl::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001B3;
  }
  return hash;
}

RandomStream::RandomStream(absl::string_view purpose,
                           std::initializer_list<uint64_t> numbers)
    : key_(KeyOf(purpose, numbers)) {}

uint64_t RandomStream::At(uint64_t i) const {
  return Mix(key_ + (i + 1) * kGoldenGamma);
}

uint64_t RandomStream::Below(uint64_t bound) {
  FD_CHECK_GT(bound, 0u);
  // Lemire: the high word of a 128-bit product is uniform once the low words
  // below 2^64 mod bound are thrown away.
  const uint64_t reject_below = -bound % bound;
  while (true) {
    const absl::uint128 product = absl::uint128(Next()) * bound;
    if (absl::Uint128Low64(product) >= reject_below) {
      return absl::Uint128High64(product);
    }
  }
}

float RandomStream::Uniform() {
  return static_cast<float>(Next() >> 40) * 0x1p-24f;
}

float RandomStream::Normal() {
  // 1 - u is in (0, 1], so the logarithm is finite.
  const double u = static_cast<double>(Next() >> 11) * 0x1p-53;
  const double angle = static_cast<double>(Next() >> 11) * 0x1p-53;
  constexpr double kTwoPi = 6.283185307179586476925;
  return static_cast<float>(std::sqrt(-2 * std::log(1 - u)) *
                            std::cos(kTwoPi * angle));
}

}  // namespace fairdarts
