#ifndef OPS_TORCH_STATUS_H_
#define OPS_TORCH_STATUS_H_

// The one door through which LibTorch's exceptions become absl::Status. Inside
// a graph exceptions are torch's custom; code that calls into it from outside
// wraps the call:
//
//   FD_ASSIGN_OR_RETURN(torch::Tensor y,
//                       CatchTorch("epoch 12", [&] { return net(x); }));

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {
namespace internal {

// The status of the exception that is being handled; call it in a catch block.
absl::Status StatusOfCurrentException();

absl::Status AnnotateUnlessEmpty(const absl::Status& status,
                                 absl::string_view context);

// What CatchTorch returns for a function that returns T.
template <typename T>
struct CatchResult {
  using type = absl::StatusOr<T>;
};
template <>
struct CatchResult<void> {
  using type = absl::Status;
};
template <>
struct CatchResult<absl::Status> {
  using type = absl::Status;
};
template <typename T>
struct CatchResult<absl::StatusOr<T>> {
  using type = absl::StatusOr<T>;
};

}  // namespace internal

// Runs `function` and returns its value, or the error that it returned or
// threw, after "context: " (an empty context adds nothing). A function that
// returns nothing gives a Status. Out of memory becomes ResourceExhausted; a
// wrong value, index or type InvalidArgument; what is not implemented
// Unimplemented; any other exception Internal.
template <typename Function>
typename internal::CatchResult<std::invoke_result_t<Function>>::type CatchTorch(
    absl::string_view context, Function&& function) {
  using Result = std::invoke_result_t<Function>;
  try {
    if constexpr (std::is_void_v<Result>) {
      std::forward<Function>(function)();
      return absl::OkStatus();
    } else if constexpr (std::is_same_v<Result, absl::Status>) {
      return internal::AnnotateUnlessEmpty(std::forward<Function>(function)(),
                                           context);
    } else {
      typename internal::CatchResult<Result>::type result =
          std::forward<Function>(function)();
      if (result.ok()) return result;
      return internal::AnnotateUnlessEmpty(result.status(), context);
    }
  } catch (...) {
    return internal::AnnotateUnlessEmpty(internal::StatusOfCurrentException(),
                                         context);
  }
}

template <typename Function>
auto CatchTorch(Function&& function) {
  return CatchTorch("", std::forward<Function>(function));
}

}  // namespace fairdarts

#endif  // OPS_TORCH_STATUS_H_
