#ifndef OPS_AUTOCAST_H_
#define OPS_AUTOCAST_H_

#include "c10/core/DeviceType.h"

namespace fairdarts {

// While it lives, torch runs what gains by it (convolutions, linear layers) in
// bfloat16 on devices of this type: parameters stay float32 and are cast where
// they are used. Does nothing where `enabled` is false. Of this thread alone;
// not to be nested. Gradients are computed outside of it, as torch asks.
class Autocast {
 public:
  Autocast(bool enabled, c10::DeviceType device);
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  ~Autocast();

 private:
  const bool enabled_;
  const c10::DeviceType device_;
};

}  // namespace fairdarts

#endif  // OPS_AUTOCAST_H_
