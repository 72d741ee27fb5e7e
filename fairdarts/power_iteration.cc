#include "fairdarts/power_iteration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void Scale(double factor, Vector& v) {
  for (double& value : v) value *= factor;
}

Vector UnitVector(int size, RandomStream& stream) {
  Vector v(size);
  for (double& value : v) value = stream.Normal();
  Scale(1 / std::sqrt(Dot(v, v)), v);
  return v;
}

}  // namespace

absl::StatusOr<LargestEigenvalue> FindLargestEigenvalue(
    int size, const PowerIterationOptions& options,
    absl::FunctionRef<absl::StatusOr<Vector>(const Vector&)> times) {
  FD_CHECK_GE(size, 1);
  FD_CHECK_GE(options.max_products, 1);
  RandomStream stream("power iteration", {options.seed});
  Vector v = UnitVector(size, stream);
  LargestEigenvalue result;
  result.value = -std::numeric_limits<double>::infinity();
  double shift = 0;
  double before = 0;
  while (result.products < options.max_products) {
    FD_ASSIGN_OR_RETURN(Vector next, times(v));
    FD_CHECK_EQ(next.size(), v.size());
    ++result.products;
    // v has length 1: Rayleigh's quotient, and how much H + shift stretches it.
    const double quotient = Dot(v, next);
    // None is above the largest eigenvalue.
    result.value = std::max(result.value, quotient);
    for (int i = 0; i < size; ++i) next[i] += shift * v[i];
    const double length = std::sqrt(Dot(next, next));
    if (!std::isfinite(length)) {
      return NumbersError(
          absl::StrCat("a product with the Hessian has the length ", length));
    }
    if (length == 0) {  // v lies where H + shift is 0
      result.converged = true;
      return result;
    }
    const bool settled =
        before > 0 && std::abs(length - before) <= options.tolerance * length;
    // Rayleigh's quotient falls short of the length while eigenvectors of both
    // signs are mixed; only with a shift it cannot be.
    if (settled) {
      if (shift > 0 || quotient >= (1 - options.tolerance) * length) {
        result.converged = true;
        return result;
      }
      // v has nothing left of the other eigenvectors.
      shift = length;
      before = 0;
      v = UnitVector(size, stream);
      continue;
    }
    before = length;
    Scale(1 / length, next);
    v = std::move(next);
  }
  return result;
}

}  // namespace fairdarts
