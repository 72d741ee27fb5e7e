#ifndef TRAINING_NETWORK_MEASUREMENT_H_
#define TRAINING_NETWORK_MEASUREMENT_H_

// How long a derived network takes for a batch on this machine, and how much
// memory.
//
// Each network is measured in a process of its own, with weights at random,
// in evaluation, without gradients. Batch norm's statistics are those of two
// images of noise: with the ones it starts from, activations would shrink from
// layer to layer into denormal numbers, on which arithmetic is many times
// slower. Then a batch warms everything up, unused pages go back to the
// system, one batch shows its peak memory and more of them their time.

#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "training/profiling/profile_table.h"

namespace fairdarts {

struct MeasurementOptions {
  int batch_size = 1;
  int threads = 0;  // 0: one a core
  bool channels_last = true;
  double seconds = 0.5;  // batches are repeated for at least so long
};

struct NetworkMeasurement {
  Measurement measurement;
  int threads = 0;  // that were used
};

// To be called while this process has one thread and has computed nothing with
// LibTorch. Errors are MakeDerivedNetwork's, and those of the environment:
// memory that runs out, a /proc that says nothing.
absl::StatusOr<NetworkMeasurement> MeasureNetwork(
    const Genotype& genotype, const NetworkConfig& config,
    const MeasurementOptions& options);

}  // namespace fairdarts

#endif  // TRAINING_NETWORK_MEASUREMENT_H_
