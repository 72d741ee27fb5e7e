#ifndef FAIRDARTS_ALPHA_HESSIAN_H_
#define FAIRDARTS_ALPHA_HESSIAN_H_

// How sharp the validation loss is in the alphas. A search by DARTS that
// collapses runs into sharp minima, where discretising the alphas changes the
// loss much: the largest eigenvalue of the Hessian rises before the accuracy of
// the derived network falls (RobustDARTS, arXiv 1909.09656).

#include <cstdint>

#include "absl/status/statusor.h"
#include "fairdarts/batch.h"
#include "fairdarts/power_iteration.h"
#include "fairdarts/relaxation.h"
#include "search_space/supernet.h"

namespace fairdarts {

// H = d2 L / dalpha2 of the cross-entropy L of a batch in evaluation mode, in
// all alphas together, normal before reduce and row by row.
class AlphaHessian {
 public:
  // The network must outlive it, and is in evaluation mode from here on.
  AlphaHessian(Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
               const Batch& batch);

  int size() const {
    return static_cast<int>(alphas_.normal.numel() + alphas_.reduce.numel());
  }

  // H v, by differentiating the gradient along v: exact but for rounding. On
  // the network's plain modules, kPartImages images at a time, since L is their
  // mean: three passes of each, whose graphs are kept for one part only. Throws
  // what torch throws.
  Vector Times(const Vector& v) const;

  static constexpr int64_t kPartImages = 16;

 private:
  Supernet& supernet_;
  const Alphas alphas_;
  const Relaxation relaxation_;
  const Batch batch_;
};

// Its largest eigenvalue. The network's mode is as it was afterwards, its
// running statistics have not moved. A numbers error where the Hessian is not
// finite; what torch throws comes back as a Status.
absl::StatusOr<LargestEigenvalue> LargestAlphaEigenvalue(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& batch, const PowerIterationOptions& options);

}  // namespace fairdarts

#endif  // FAIRDARTS_ALPHA_HESSIAN_H_
