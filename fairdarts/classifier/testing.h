#ifndef FAIRDARTS_CLASSIFIER_TESTING_H_
#define FAIRDARTS_CLASSIFIER_TESTING_H_

// For tests: small models, and pictures that need no scaling for them.

#include <string>

#include "fairdarts/image/image.h"
#include "fairdarts/runtime/model_file.h"

namespace fairdarts {

inline constexpr int kTestImageSize = 16;

// A CIFAR network of three named classes for images of so many channels, with a
// normalisation of its own for each channel.
ModelDescription TestModel(int channels);

// Its file with the golden filler's weights; aborts where that cannot be
// written.
void WriteTestModel(const std::string& path, const ModelDescription& model);

// Squares of 8x8 pixels, each of one value: exact in JPEG too.
Image GreySquares();
// Every pixel and channel different from its neighbours.
Image ColourPicture();
// The pixels plane after plane.
std::string PlanesOf(const Image& image);

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_TESTING_H_
