#ifndef SEARCH_SPACE_SKIP_NOISE_H_
#define SEARCH_SPACE_SKIP_NOISE_H_

// Noise on skip connections, the experiment of FairDARTS (arXiv 1911.12126) on
// why a search by DARTS collects them: disturbed, they lose their advantage.

#include <cstdint>

#include "absl/status/status.h"

namespace fairdarts {

// In training, skip_connect at stride 1 becomes
//   x + scale * n
// with a fresh n of x's shape in every forward: the gradient passes to x as it
// is, that of the candidate's weight is <g, x + scale * n>. skip_connect at
// stride 2, which has weights, and evaluation stay as they are.
//
// n is a pure function of the key, of how many training forwards there were
// since the noise was set, and of cell, edge, image of the batch, channel, row
// and column: neither the engine nor threads nor a restart change it, as long
// as the caller sets it with a key of its own (of seed and step, say) before
// each step.
struct SkipNoise {
  enum class Kind {
    kNone,
    kNormal,   // standard normal
    kUniform,  // the integers from -3 to 2, each as likely
  };
  Kind kind = Kind::kNone;
  float scale = 0;
  uint64_t key = 0;

  bool on() const { return kind != Kind::kNone && scale != 0; }
};

// OK where the scale is finite and not negative; else a usage error.
absl::Status CheckSkipNoise(const SkipNoise& noise);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_SKIP_NOISE_H_
