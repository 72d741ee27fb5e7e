#include "tests/test_device.h"

#include <cstdlib>
#include <string>

#include "fairdarts/base/check.h"
#include "ops/device.h"

namespace fairdarts {

c10::Device TestDevice() {
  static const c10::Device device = [] {
    // Set by the macro.
    const char* const name = std::getenv("FAIRDARTS_TEST_DEVICE");
    const auto found =
        FindDevice(name != nullptr && std::string(name) == "cuda",
                   /*deterministic=*/true);
    FD_CHECK(found.ok()) << found.status().ToString();
    return *found;
  }();
  return device;
}

}  // namespace fairdarts
