#include "training/memory_format.h"

#include "torch/torch.h"

namespace fairdarts {
namespace {

// From this many channels on channels_last is the faster layout of a step.
constexpr int kChannelsLastFrom = 8;

}  // namespace

bool UsesChannelsLast(Machine::MemoryFormat format, int channels) {
  switch (format) {
    case Machine::CONTIGUOUS:
      return false;
    case Machine::CHANNELS_LAST:
      return true;
    case Machine::AUTO:
      break;
  }
  return channels >= kChannelsLastFrom;
}

void ToChannelsLast(torch::nn::Module& module) {
  const torch::NoGradGuard no_gradients;
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(
          parameter.contiguous(torch::MemoryFormat::ChannelsLast));
    }
  }
}

}  // namespace fairdarts
