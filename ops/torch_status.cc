#include "ops/torch_status.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace internal {
namespace {

// The first line: what follows in a torch message is a C++ stack.
absl::string_view FirstLine(absl::string_view message) {
  return message.substr(0, message.find('\n'));
}

}  // namespace

absl::Status StatusOfCurrentException() {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(
        FirstLine(error.what_without_backtrace()));
  } catch (const c10::NotImplementedError& error) {
    return absl::UnimplementedError(FirstLine(error.what_without_backtrace()));
  } catch (const c10::ValueError& error) {
    return absl::InvalidArgumentError(
        FirstLine(error.what_without_backtrace()));
  } catch (const c10::IndexError& error) {
    return absl::InvalidArgumentError(
        FirstLine(error.what_without_backtrace()));
  } catch (const c10::TypeError& error) {
    return absl::InvalidArgumentError(
        FirstLine(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    const absl::string_view message = FirstLine(error.what_without_backtrace());
    // The CPU's allocator throws the general error and says so only in words.
    if (absl::StrContains(message, "DefaultCPUAllocator")) {
      return absl::ResourceExhaustedError(message);
    }
    return absl::InternalError(message);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(FirstLine(error.what()));
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

absl::Status AnnotateUnlessEmpty(const absl::Status& status,
                                 absl::string_view context) {
  return context.empty() ? status : Annotate(status, context);
}

}  // namespace internal
}  // namespace fairdarts
