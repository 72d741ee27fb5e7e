#ifndef TRAINING_DATA_PIXEL_ROWS_H_
#define TRAINING_DATA_PIXEL_ROWS_H_

// Rows of pixel bytes to normalised floats, in one pass:
//   out = (pixel where inside, else 0) * scale + offset, where kept, else 0
// Product and sum are rounded one after the other in every form, so that all
// make the same bits.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

// Narrower rows are for Isa::kReference alone, which reads the pixels inside
// and no others. The other forms read and write whole vectors: all of a row,
// and at its end some of the pixels for a second time.
inline constexpr int kMinVectorWidth = 16;

struct PixelRows {
  const uint8_t* in;  // the first pixel in memory of the first row
  int64_t in_stride;  // from a row to the next, 0 for the same one again
  int rows;
  int width;               // in pixels
  bool mirror;             // out[y][x] is of in[y][width - 1 - x]
  const uint32_t* inside;  // [width]: all ones, or zero for a black column
  const uint32_t* keep;    // [width]: all ones, or zero; null: all are kept
  float scale;
  float offset;
  float* out;  // [rows][width]
};

using PixelRowsFunction = void (*)(const PixelRows&);

PixelRowsFunction PixelRowsFor(Isa isa);

}  // namespace fairdarts

#endif  // TRAINING_DATA_PIXEL_ROWS_H_
