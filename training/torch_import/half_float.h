#ifndef TRAINING_TORCH_IMPORT_HALF_FLOAT_H_
#define TRAINING_TORCH_IMPORT_HALF_FLOAT_H_

#include <cstdint>

namespace fairdarts {

// The value of IEEE 754 binary16 bits; every one is exact in float. NaNs keep
// their sign and payload.
float HalfToFloat(uint16_t bits);

// The value of bfloat16 bits, the upper half of a float's.
float Bfloat16ToFloat(uint16_t bits);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_HALF_FLOAT_H_
