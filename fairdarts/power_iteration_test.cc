#include "fairdarts/power_iteration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// A random symmetric matrix with these eigenvalues: the diagonal one between
// reflections I - 2 u u'.
class SymmetricMatrix {
 public:
  explicit SymmetricMatrix(Vector eigenvalues)
      : eigenvalues_(std::move(eigenvalues)) {
    RandomStream stream("test/reflections", {eigenvalues_.size()});
    for (int i = 0; i < 5; ++i) {
      Vector u(eigenvalues_.size());
      double square = 0;
      for (double& value : u) {
        value = stream.Normal();
        square += value * value;
      }
      for (double& value : u) value /= std::sqrt(square);
      reflections_.push_back(u);
    }
  }
  Vector Times(Vector v) const {
    for (size_t i = 0; i < reflections_.size(); ++i) Reflect(i, v);
    for (size_t i = 0; i < v.size(); ++i) v[i] *= eigenvalues_[i];
    for (size_t i = reflections_.size(); i > 0; --i) Reflect(i - 1, v);
    return v;
  }
  absl::StatusOr<LargestEigenvalue> Find(
      const PowerIterationOptions& options) const {
    return FindLargestEigenvalue(
        static_cast<int>(eigenvalues_.size()), options,
        [&](const Vector& v) -> absl::StatusOr<Vector> { return Times(v); });
  }

 private:
  void Reflect(size_t number, Vector& v) const {
    const Vector& u = reflections_[number];
    double dot = 0;
    for (size_t i = 0; i < v.size(); ++i) dot += u[i] * v[i];
    for (size_t i = 0; i < v.size(); ++i) v[i] -= 2 * dot * u[i];
  }

  const Vector eigenvalues_;
  std::vector<Vector> reflections_;
};

PowerIterationOptions Exact() {
  PowerIterationOptions options;
  options.max_products = 10000;
  options.tolerance = 1e-12;
  return options;
}

// While the length of products moves by 1e-12 of itself, a part e of another
// eigenvector in v, of which the length is off by less than e^2, is below 1e-5
// where the eigenvalues differ by a tenth.
constexpr double kTolerance = 1e-9;

TEST(PowerIterationTest, FindsTheLargestWithItsSign) {
  const struct {
    Vector eigenvalues;
    double largest;
  } cases[] = {
      {{3}, 3},
      {{-3}, -3},
      {{0, 0, 0}, 0},
      {{5, 1, -2, 0.5}, 5},
      {{5, 1, -9, 0.5}, 5},         // the dominant one is negative
      {{-5, -1, -9, -0.5}, -0.5},   // all are
      {{4, -4, 1, 2}, 4},           // twins: plain powers never settle on one
      {{2, 2, 1, -2.5, 0, 0.1}, 2}  // a plane of eigenvectors
  };
  for (const auto& c : cases) {
    const auto found = SymmetricMatrix(c.eigenvalues).Find(Exact());
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_TRUE(found->converged);
    EXPECT_NEAR(found->value, c.largest, kTolerance)
        << testing::PrintToString(c.eigenvalues);
  }
}

TEST(PowerIterationTest, SaysWhereItHasNotSettled) {
  PowerIterationOptions options = Exact();
  options.max_products = 3;
  const auto found = SymmetricMatrix({1, 0.999, 0.998, -0.9}).Find(options);
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->converged);
  EXPECT_EQ(found->products, 3);
  EXPECT_LE(found->value, 1);
}

TEST(PowerIterationTest, ALateRestartLosesNothing) {
  // Powers settle on -9 first; whatever the number of products, the value is
  // that of no worse a vector than with fewer.
  const SymmetricMatrix matrix({5, 1, -9, 0.5});
  double best = -10;
  for (int products = 1; products < 150; ++products) {
    PowerIterationOptions options = Exact();
    options.max_products = products;
    const auto found = matrix.Find(options);
    ASSERT_TRUE(found.ok());
    EXPECT_GE(found->value, best) << products;
    best = found->value;
  }
  EXPECT_NEAR(best, 5, kTolerance);
}

TEST(PowerIterationTest, PassesOnWhatFails) {
  const auto with = [](double value) {
    return FindLargestEigenvalue(2, {},
                                 [&](const Vector&) -> absl::StatusOr<Vector> {
                                   return Vector{value, 1};
                                 });
  };
  EXPECT_EQ(ExitCodeOf(with(std::numeric_limits<double>::quiet_NaN()).status()),
            ExitCode::kNumbers);
  const auto failed =
      FindLargestEigenvalue(2, {}, [](const Vector&) -> absl::StatusOr<Vector> {
        return UsageError("no product");
      });
  EXPECT_EQ(failed.status().message(), "no product");
}

}  // namespace
}  // namespace fairdarts
