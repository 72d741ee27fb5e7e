#ifndef TRAINING_CONFIG_FILE_H_
#define TRAINING_CONFIG_FILE_H_

#include <cstdint>

namespace fairdarts {

// The record of a run's configuration, in its folder.
inline constexpr char kConfigFile[] = "config.textproto";

// A configuration has some dozens of short lines.
inline constexpr int64_t kMaxConfigBytes = 1 << 20;

}  // namespace fairdarts

#endif  // TRAINING_CONFIG_FILE_H_
