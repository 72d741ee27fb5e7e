#ifndef TRAINING_ACCELERATOR_GRAPH_RECORDER_H_
#define TRAINING_ACCELERATOR_GRAPH_RECORDER_H_

#include <functional>
#include <memory>

#include "c10/core/Device.h"

namespace fairdarts {

// Operations of a device, recorded once and done again at the cost of one
// launch. Not thread-safe. Throws what torch throws.
class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;

  // Calls `work`: what it asks of the device is recorded and not done. To be
  // called once. It must ask for the same operations on the same memory each
  // time, and read no value on the host.
  virtual void Record(const std::function<void()>& work) = 0;

  // Asks the device for what was recorded.
  virtual void Replay() = 0;
};

// For a GPU a CUDA graph, on this thread's current stream, which must not be
// the default one; null for other devices and in programs without CUDA.
std::unique_ptr<GraphRecorder> MakeGraphRecorder(c10::Device device);

}  // namespace fairdarts

#endif  // TRAINING_ACCELERATOR_GRAPH_RECORDER_H_
