#ifndef FAIRDARTS_RUNTIME_GOLDEN_NETWORKS_H_
#define FAIRDARTS_RUNTIME_GOLDEN_NETWORKS_H_

// The published networks with the golden filler's weights, the reference's
// logits of them, and how far logits may be off, for tests of all backends.

#include <cstdint>
#include <string>
#include <vector>

#include "fairdarts/runtime/model_file.h"

namespace fairdarts {

struct GoldenNetwork {
  std::string name;  // folder/NAME.small
  ModelDescription description;
  uint64_t seed;              // of its weights, and of the images "x"
  std::vector<float> logits;  // of all images

  int images() const {
    return static_cast<int>(logits.size()) / description.network.classes;
  }
};

// Every published genotype as a network for CIFAR, with two images: the size
// that was published, or one of few and narrow cells. Aborts where the golden
// data is not as it should be, as the one below does.
std::vector<GoldenNetwork> GoldenCifarNetworks(bool full);
std::vector<GoldenNetwork> GoldenImageNetNetworks();

// The largest difference as a part of the largest expected value; not a number
// where one of the actual ones is none, which is below no tolerance.
double Off(const std::vector<float>& actual,
           const std::vector<float>& expected);

float Largest(const std::vector<float>& values);

// What the second of two images has more than the first.
std::vector<float> Step(const std::vector<float>& logits);

// How far a step may be off, as a part of its largest; `part` is its largest
// over the largest logit, and `cell_rounding` how far one cell's rounding takes
// its output, as a part of it.
//
// With made-up weights a deep network all but forgets its image: the logits of
// two images may differ by less than logits may be off, so that these would not
// notice another image. A cell keeps part^(1 / cells) of what tells the images
// apart, and as much of what the cells before it rounded. So the last cell's
// rounding counts whole, the one's before it this much, and so on, in each of
// two images and in either direction.
double StepTolerance(double part, int cells, double cell_rounding);

// A cell's rounding in float32: two sums of up to 576 terms, each by at most
// 2^-24 of what is summed and in either direction.
inline constexpr double kFloatCellRounding = 34.0 / (1 << 24);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_GOLDEN_NETWORKS_H_
