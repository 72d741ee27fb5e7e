// The part of Abseil that a shared library of ours needs and that cannot come
// out of Debian's static libraries, see BUILD.bazel. The declarations are
// Abseil's own, so that a difference does not build.
//
// A status keeps no payload here. The project's only one is the code that a
// program ends with.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "absl/base/internal/throw_delegate.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace absl {
ABSL_NAMESPACE_BEGIN

Status::Status(StatusCode code, string_view message)
    : rep_(CodeToInlinedRep(code)) {
  if (code == StatusCode::kOk || message.empty()) return;
  rep_ = PointerToRep(new status_internal::StatusRep(code, message, nullptr));
}

void Status::UnrefNonInlined(uintptr_t rep) {
  status_internal::StatusRep* const pointer = RepToPointer(rep);
  if (pointer->ref.fetch_sub(1, std::memory_order_acq_rel) == 1) delete pointer;
}

StatusCode Status::code() const {
  return IsInlined(rep_) ? InlinedRepToCode(rep_) : RepToPointer(rep_)->code;
}

void Status::SetPayload(string_view, Cord) {}

void Status::ForEachPayload(FunctionRef<void(string_view, const Cord&)>) const {
}

Status CancelledError(string_view message) {
  return Status(StatusCode::kCancelled, message);
}

Status DataLossError(string_view message) {
  return Status(StatusCode::kDataLoss, message);
}

Status InternalError(string_view message) {
  return Status(StatusCode::kInternal, message);
}

Status InvalidArgumentError(string_view message) {
  return Status(StatusCode::kInvalidArgument, message);
}

bool IsResourceExhausted(const Status& status) {
  return status.code() == StatusCode::kResourceExhausted;
}

bool IsUnimplemented(const Status& status) {
  return status.code() == StatusCode::kUnimplemented;
}

Status NotFoundError(string_view message) {
  return Status(StatusCode::kNotFound, message);
}

Status OutOfRangeError(string_view message) {
  return Status(StatusCode::kOutOfRange, message);
}

Status ResourceExhaustedError(string_view message) {
  return Status(StatusCode::kResourceExhausted, message);
}

Status UnavailableError(string_view message) {
  return Status(StatusCode::kUnavailable, message);
}

Status UnimplementedError(string_view message) {
  return Status(StatusCode::kUnimplemented, message);
}

namespace internal_statusor {

void Helper::HandleInvalidStatusCtorArg(Status* status) {
  *status = InternalError("a StatusOr was made of an OK status");
}

void Helper::Crash(const Status&) { std::abort(); }

}  // namespace internal_statusor

// The only cords are empty payloads on their way into SetPayload.
void Cord::DestroyCordSlow() { std::abort(); }

namespace base_internal {

void ThrowStdOutOfRange(const char* message) {
  throw std::out_of_range(message);
}

}  // namespace base_internal
ABSL_NAMESPACE_END
}  // namespace absl
