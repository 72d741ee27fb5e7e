#ifndef FAIRDARTS_RUNTIME_TESTING_H_
#define FAIRDARTS_RUNTIME_TESTING_H_

// Networks with the golden filler's weights, for tests.

#include <cstdint>
#include <string>
#include <vector>

#include "fairdarts/base/safetensors.h"
#include "fairdarts/runtime/model_file.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// Tensors that own their values.
class FilledTensors {
 public:
  // Every tensor of the network of a description, filled by its name. Aborts
  // where there is no such network.
  FilledTensors(const ModelDescription& description, uint64_t seed);

  const std::vector<TensorToWrite>& tensors() const { return tensors_; }

 private:
  std::vector<std::vector<float>> values_;
  std::vector<TensorToWrite> tensors_;
};

// The model file of a description, filled.
ModelFile FilledModel(const ModelDescription& description, uint64_t seed);

// A description of a genotype, mean 0 and standard deviation 1.
ModelDescription DescriptionOf(const Genotype& genotype,
                               const NetworkConfig& network);
// The same of its text.
ModelDescription DescriptionOf(const std::string& text,
                               const NetworkConfig& network);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_TESTING_H_
