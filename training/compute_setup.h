#ifndef TRAINING_COMPUTE_SETUP_H_
#define TRAINING_COMPUTE_SETUP_H_

// How a program uses the machine.

namespace fairdarts {

// Call once, before the first tensor. One pool of `threads` threads for
// everything (0: one a core): operations are too small to run several at once.
//
// Also tells malloc to keep what is freed. A step allocates and frees the same
// activations again and again; giving their pages back to the system each time
// cost a third of a step (the benchmark's median went from 1.89 to 1.18 s with
// --channels=4 --layers=3 --size=28 --image_channels=1 --threads=2).
void SetUpCompute(int threads);

}  // namespace fairdarts

#endif  // TRAINING_COMPUTE_SETUP_H_
