#ifndef OPS_KERNELS_SELECT_ISA_H_
#define OPS_KERNELS_SELECT_ISA_H_

// FD_RETURN_ISA(isa, Function, Reference); returns Function of the namespace
// that Highway compiled for `isa`, or Reference. Belongs at the end of a
// function in the HWY_ONCE part of a kernel's .cc, in the namespace fairdarts.

#include "fairdarts/base/check.h"
#include "hwy/highway.h"
#include "ops/kernels/isa.h"

#if HWY_TARGETS & HWY_SSE4
#define FD_INTERNAL_SSE4(function) return N_SSE4::function
#else
#define FD_INTERNAL_SSE4(function) break
#endif
#if HWY_TARGETS & HWY_AVX2
#define FD_INTERNAL_AVX2(function) return N_AVX2::function
#else
#define FD_INTERNAL_AVX2(function) break
#endif
#if HWY_TARGETS & HWY_AVX3
#define FD_INTERNAL_AVX512(function) return N_AVX3::function
#else
#define FD_INTERNAL_AVX512(function) break
#endif
#if HWY_TARGETS & HWY_NEON
#define FD_INTERNAL_NEON(function) return N_NEON::function
#else
#define FD_INTERNAL_NEON(function) break
#endif

#define FD_RETURN_ISA(isa, function, reference)                        \
  switch (isa) {                                                       \
    case Isa::kReference:                                              \
      return reference;                                                \
    case Isa::kSse4:                                                   \
      FD_INTERNAL_SSE4(function);                                      \
    case Isa::kAvx2:                                                   \
      FD_INTERNAL_AVX2(function);                                      \
    case Isa::kAvx512:                                                 \
      FD_INTERNAL_AVX512(function);                                    \
    case Isa::kNeon:                                                   \
      FD_INTERNAL_NEON(function);                                      \
  }                                                                    \
  FD_CHECK(false) << IsaName(isa) << " is not built for this machine"; \
  return reference

#endif  // OPS_KERNELS_SELECT_ISA_H_
