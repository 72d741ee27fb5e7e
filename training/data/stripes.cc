#include "training/data/stripes.h"

#include "fairdarts/base/random.h"

namespace fairdarts {

Dataset Stripes(int samples, int size) {
  Dataset dataset;
  dataset.name = "stripes";
  dataset.channels = 1;
  dataset.height = size;
  dataset.width = size;
  dataset.classes = 2;
  dataset.mean = {0.5};
  dataset.standard_deviation = {0.25};
  RandomStream noise("stripes", {});
  for (int i = 0; i < samples; ++i) {
    const int label = static_cast<int>(noise.Below(2));
    dataset.labels.push_back(label);
    for (int pixel = 0; pixel < size * size; ++pixel) {
      const int position = label == 0 ? pixel / size : pixel % size;
      dataset.images.push_back(noise.Below(100) + 150 * (position % 2));
    }
  }
  return dataset;
}

}  // namespace fairdarts
