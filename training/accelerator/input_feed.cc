#include "training/accelerator/input_feed.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace fairdarts {

InputFeed::InputFeed(torch::Device device, Source source)
    : device_(device), source_(std::move(source)) {
  if (device_.is_cpu()) return;
  copies_ = c10::impl::VirtualGuardImpl(device_.type())
                .getStreamFromGlobalPool(device_);
}

void InputFeed::Prepare(int64_t step) {
  prepared_.reset();
  std::vector<torch::Tensor> inputs = source_(step);
  if (copies_.has_value()) {
    const c10::StreamGuard on(*copies_);
    for (torch::Tensor& input : inputs) {
      // Torch keeps the pinned memory until the copy is done.
      input = input.to(device_, /*non_blocking=*/true);
    }
    arrived_.emplace(device_.type());
    arrived_->record(*copies_);
  }
  prepared_ = Prepared{step, std::move(inputs)};
}

std::vector<torch::Tensor> InputFeed::Take(int64_t step) {
  if (!prepared_.has_value() || prepared_->step != step) Prepare(step);
  std::vector<torch::Tensor> inputs = std::move(prepared_->inputs);
  prepared_.reset();
  if (copies_.has_value()) {
    const c10::Stream reads =
        c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
    arrived_->block(reads);
    // Their memory must not be written again before these reads.
    for (const torch::Tensor& input : inputs) input.record_stream(reads);
  }
  return inputs;
}

}  // namespace fairdarts
