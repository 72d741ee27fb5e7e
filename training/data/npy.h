#ifndef TRAINING_DATA_NPY_H_
#define TRAINING_DATA_NPY_H_

// NumPy's .npy format for matrices of float32 or float64:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// The reader takes format versions 1.0, 2.0 and 3.0, little-endian '<f4' and
// '<f8', C or Fortran order and two dimensions of at least 1. The header, a
// Python dict, is parsed and never evaluated; the data must fill the file to
// its last byte. Whether a value is finite is the caller's business.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

struct NpyMatrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;  // row-major

  float at(int64_t row, int64_t column) const {
    return values[row * columns + column];
  }
};

// Data errors begin with `name`. A float64 is rounded to float; a finite one
// beyond float's range is an error.
absl::StatusOr<NpyMatrix> ParseNpy(absl::string_view bytes,
                                   absl::string_view name);
absl::StatusOr<NpyMatrix> ReadNpy(const std::string& path);

// The bytes that numpy.save writes for the matrix as float32: format 1.0, C
// order. Our own bug (FD_CHECK) when the values do not fill the matrix.
std::string SerializeNpy(const NpyMatrix& matrix);
absl::Status WriteNpy(const std::string& path, const NpyMatrix& matrix);

}  // namespace fairdarts

#endif  // TRAINING_DATA_NPY_H_
