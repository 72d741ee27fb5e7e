// usage: logits MODEL IMAGES LOGITS
// logits.c through the C++ interface.

#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/inference.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  absl::StatusOr<fairdarts::Session> session =
      fairdarts::Session::Load(argv[1]);
  if (!session.ok()) {
    std::cerr << session.status() << "\n";
    return 1;
  }
  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  const auto* const images = reinterpret_cast<const float*>(bytes.data());
  const size_t floats = bytes.size() / sizeof(float);
  std::vector<float> logits(floats / session->image_floats() *
                            session->classes());
  const absl::Status status =
      session->Run(absl::MakeConstSpan(images, floats), absl::MakeSpan(logits));
  if (!status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  std::ofstream(argv[3], std::ios::binary)
      .write(reinterpret_cast<const char*>(logits.data()),
             static_cast<std::streamsize>(sizeof(float) * logits.size()));
  return 0;
}
