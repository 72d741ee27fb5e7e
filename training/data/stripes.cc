#include "training/data/stripes.h"

#include "fairdarts/base/random.h"

namespace fairdarts {

Dataset Stripes(int samples) {
  Dataset dataset;
  dataset.name = "stripes";
  dataset.channels = 1;
  dataset.height = 8;
  dataset.width = 8;
  dataset.classes = 2;
  dataset.mean = {0.5};
  dataset.standard_deviation = {0.25};
  RandomStream noise("stripes", {});
  for (int i = 0; i < samples; ++i) {
    const int label = static_cast<int>(noise.Below(2));
    dataset.labels.push_back(label);
    for (int pixel = 0; pixel < 64; ++pixel) {
      const int position = label == 0 ? pixel / 8 : pixel % 8;
      dataset.images.push_back(noise.Below(100) + 150 * (position % 2));
    }
  }
  return dataset;
}

}  // namespace fairdarts
