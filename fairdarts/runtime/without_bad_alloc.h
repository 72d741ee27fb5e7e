#ifndef FAIRDARTS_RUNTIME_WITHOUT_BAD_ALLOC_H_
#define FAIRDARTS_RUNTIME_WITHOUT_BAD_ALLOC_H_

#include <new>

#include "absl/status/status.h"

namespace fairdarts {

// What `function` gives, a StatusOr; where there is no memory, resource
// exhausted in place of the exception.
template <typename Function>
auto WithoutBadAlloc(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    // The message needs some too.
    try {
      return absl::ResourceExhaustedError("no memory to load the model");
    } catch (const std::bad_alloc&) {
      return absl::Status(absl::StatusCode::kResourceExhausted, "");
    }
  }
}

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_WITHOUT_BAD_ALLOC_H_
