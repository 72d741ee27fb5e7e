// usage: write_expected FOLDER
// A small model, images for it and their logits as the library in the tree
// computes them: model.safetensors, images and expected, the last two floats.

#include <fstream>
#include <string>
#include <vector>

#include "tests/capi/make_model.h"

namespace {

void Write(const std::string& path, const std::vector<float>& floats) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(floats.data()),
             static_cast<std::streamsize>(sizeof(float) * floats.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  constexpr size_t kBatch = 5;
  std::vector<float> images(kBatch * 3 * 16 * 16);
  std::vector<float> logits(kBatch * 3);
  const std::string model = folder + "/model.safetensors";
  if (!make_model(model.c_str(), images.data(), kBatch, logits.data())) {
    return 1;
  }
  Write(folder + "/images", images);
  Write(folder + "/expected", logits);
  return 0;
}
