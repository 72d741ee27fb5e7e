#ifndef FAIRDARTS_INFERENCE_H_
#define FAIRDARTS_INFERENCE_H_

// Found networks in other people's programs: link //fairdarts:inference. No
// LibTorch, no protobuf, no Python.

#include "fairdarts/runtime/executor.h"  // IWYU pragma: export
#include "fairdarts/runtime/session.h"   // IWYU pragma: export

#endif  // FAIRDARTS_INFERENCE_H_
