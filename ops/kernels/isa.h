#ifndef OPS_KERNELS_ISA_H_
#define OPS_KERNELS_ISA_H_

// Which form of a kernel to run. The kernels choose nothing themselves: a plan
// asks once and keeps function pointers.

#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

enum class Isa {
  kReference,  // plain loops, on every machine: what the tests compare with
  kSse4,
  kAvx2,    // with FMA
  kAvx512,  // F, CD, BW, DQ, VL
  kNeon,
};

absl::string_view IsaName(Isa isa);

// Those that this machine can run, slowest first, kReference among them.
std::vector<Isa> SupportedIsas();

// The last of them.
Isa BestIsa();

// Every map is a plane of floats, row after row without gaps; the planes of a
// tensor lie plane_stride floats apart. Kernels may read and write whole
// vectors across the end of a plane and read ones that begin before it, so
// there are kPlaneSlack floats at least between a plane's end and the next one,
// behind the last and in front of the first.
inline constexpr int kPlaneSlack = 16;

}  // namespace fairdarts

#endif  // OPS_KERNELS_ISA_H_
