#include "ops/kernels/isa.h"

#include "fairdarts/base/check.h"

namespace fairdarts {

absl::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kReference:
      return "reference";
    case Isa::kSse4:
      return "sse4";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  FD_CHECK(false) << "no ISA has the number " << static_cast<int>(isa);
  return "";
}

// Each asks for everything that Highway lets the compiler use for the set.
std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas = {Isa::kReference};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool sse4 = __builtin_cpu_supports("sse4.1") &&
                    __builtin_cpu_supports("sse4.2") &&
                    __builtin_cpu_supports("popcnt");
  const bool avx2 =
      sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512cd") &&
                      __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (sse4) isas.push_back(Isa::kSse4);
  if (avx2) isas.push_back(Isa::kAvx2);
  if (avx512) isas.push_back(Isa::kAvx512);
#elif defined(__aarch64__)
  isas.push_back(Isa::kNeon);
#endif
  return isas;
}

Isa BestIsa() { return SupportedIsas().back(); }

}  // namespace fairdarts
