#ifndef FAIRDARTS_C_INTERFACE_H_
#define FAIRDARTS_C_INTERFACE_H_

// What the C interfaces have in common: no exception leaves them, and the last
// error of a thread is one, whichever interface gave it.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "fairdarts/inference_c.h"
#include "fairdarts/runtime/model_file.h"

namespace fairdarts {

// Of this thread; "" before the first.
const char* LastCError();

// Sets it and gives the status.
fairdarts_status CError(fairdarts_status status, absl::string_view message);
fairdarts_status CError(const absl::Status& status);
fairdarts_status CErrorOfNull(absl::string_view argument);

// What `function` gives, and no exception.
template <typename Function>
fairdarts_status CGuard(Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return CError(FAIRDARTS_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return CError(FAIRDARTS_INTERNAL, error.what());
  } catch (...) {
    return CError(FAIRDARTS_INTERNAL, "an exception of unknown type");
  }
}

// The caller's options as far as there are any, over the `known` bytes of
// `options`. Both begin with the size; `fields` are where all but the first
// begin, at one of which options of another release may end. A usage error
// where they end elsewhere or set what this release does not know.
absl::Status ReadCOptions(const void* given, size_t known,
                          std::initializer_list<size_t> fields,
                          absl::string_view type, void* options);

// A usage error for a model in memory of more bytes than there are.
absl::Status CheckCSize(size_t size);
// And for a batch of no images or of more than fit in memory.
absl::Status CheckCBatch(size_t batch, int64_t image_floats);

// What sessions tell of their model.
fairdarts_status CImageShape(const ModelDescription& description,
                             int32_t shape[3]);
fairdarts_status CClassName(const ModelDescription& description, int32_t index,
                            const char** name);
fairdarts_status CNormalization(const ModelDescription& description,
                                float* mean, float* deviation, size_t channels);

}  // namespace fairdarts

#endif  // FAIRDARTS_C_INTERFACE_H_
