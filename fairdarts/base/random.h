#ifndef FAIRDARTS_BASE_RANDOM_H_
#define FAIRDARTS_BASE_RANDOM_H_

// Counter-based random streams.
//
// Element i of a stream is a pure function of its key and i, and a key is a
// pure function of a purpose and of numbers such as (seed, epoch, sample):
// neither the number of threads nor a restart changes what a sample sees.
//
// The generator is SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014): element i is
// mix(key + (i + 1) * 0x9E3779B97F4A7C15).

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

// FNV-1a over the bytes, 64 bits.
uint64_t Fnv1a64(absl::string_view bytes);

// Not thread-safe; copying one copies its position.
class RandomStream {
 public:
  explicit RandomStream(uint64_t key) : key_(key) {}

  // The stream of a purpose ("search/shuffle") and the numbers that single it
  // out (seed, epoch, sample). Streams with different arguments are unrelated.
  RandomStream(absl::string_view purpose,
               std::initializer_list<uint64_t> numbers);

  // Element i, independent of the position.
  uint64_t At(uint64_t i) const;

  // The element at the position, which moves on.
  uint64_t Next() { return At(position_++); }

  // Uniform in [0, bound), without bias; bound > 0.
  uint64_t Below(uint64_t bound);

  // Uniform in [0, 1), a multiple of 2^-24.
  float Uniform();

  // Standard normal (Box and Muller; takes two elements).
  float Normal();

  // Puts `items` in uniformly random order (Fisher and Yates).
  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (uint64_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[Below(i)]);
    }
  }

  uint64_t position() const { return position_; }

 private:
  uint64_t key_;
  uint64_t position_ = 0;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_RANDOM_H_
