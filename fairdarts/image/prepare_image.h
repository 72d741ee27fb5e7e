#ifndef FAIRDARTS_IMAGE_PREPARE_IMAGE_H_
#define FAIRDARTS_IMAGE_PREPARE_IMAGE_H_

// From an image of any size to what a network sees.

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/image/image.h"
#include "fairdarts/runtime/model_file.h"
#include "genotypes/cost.h"

namespace fairdarts {

// The image with the network's channels, at its size.
//
// Channels: a network of three sees a grey image as three equal ones; a network
// of one sees a colour image's luma, .299 R + .587 G + .114 B (Rec. 601). A
// usage error where it has others than the image and these rules do not help.
//
// Size: an image of the network's own stays as it is. For an ImageNet network
// the shorter side becomes size * 256 / 224 and the middle is cut out, as those
// networks are evaluated; for a CIFAR network the whole image is scaled to the
// square, whatever its sides. Scaling is that of resample.h.
absl::StatusOr<Image> FitImage(const Image& image,
                               const NetworkConfig& network);

// FitImage, then input[c, y, x] = (pixel / 255 - mean[c]) / std[c]. `input`
// holds channels * size * size floats.
absl::Status PrepareImage(const Image& image, const ModelDescription& model,
                          absl::Span<float> input);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_PREPARE_IMAGE_H_
