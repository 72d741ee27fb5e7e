#ifndef FAIRDARTS_SGD_H_
#define FAIRDARTS_SGD_H_

// SGD of many small tensors.

#include <torch/optim/sgd.h>

#include <vector>

namespace fairdarts {

// What torch's SGD does behind clip_grad_norm_, in two passes over the memory
// in place of seven and without an operation for each tensor (a search network
// has 1,400). With g the gradient, v the momentum buffer and w the parameter:
//
//   n = 2-norm of all gradients together
//   v = momentum * v + min(1, largest / (n + 1e-6)) * g + weight_decay * w
//   w = w - lr * v
//
// Options and state are the base class's, as checkpoints know them. Parameters
// without a gradient are left alone. Not thread-safe. Throws what torch throws.
class Sgd : public torch::optim::SGD {
 public:
  // Neither dampening nor Nesterov's momentum.
  Sgd(std::vector<torch::Tensor> parameters,
      const torch::optim::SGDOptions& options);

  // n above. Summed in double.
  double GradientNorm() const;

  // A step; `norm` is GradientNorm().
  void ClippedStep(double norm, double largest);

  // The same in a few operations over all tensors at once, none of which reads
  // a value on the host: a graph may record them, and a device is not waited
  // for. `norm` [] double and `rate` [], the learning rate, lie where the
  // parameters do; gradients are those of NormTensor().
  torch::Tensor NormTensor() const;
  void ClippedStep(const torch::Tensor& norm, double largest,
                   const torch::Tensor& rate);

 private:
  // The parameter's momentum, zeros before its first step.
  torch::Tensor MomentumOf(const torch::Tensor& parameter);
};

}  // namespace fairdarts

#endif  // FAIRDARTS_SGD_H_
