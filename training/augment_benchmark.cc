// Times what a training does to its images, on one core, and each operation of
// AutoAugment beside Pillow's:
// ./bazelw run //training:augment_benchmark -- --help

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "training/augment_benchmark.pb.h"
#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/operation.h"
#include "training/command.h"
#include "training/data/augment.h"
#include "training/data/dataset.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/run_log.h"

namespace fairdarts {
namespace {

constexpr char kPillowTimes[] =
#include "training/pillow_times.inc"
    ;

constexpr ImageShape kShape = {3, 32, 32};
constexpr std::array<int, 4> kLevels = {0, 3, 6, 9};

// CPU time of this process: what others do on the machine counts little.
double Seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * now.tv_nsec;
}

// What one operation at one level takes, and the CRC-32 of what it makes.
struct Timing {
  double microseconds = std::numeric_limits<double>::infinity();
  uint64_t crc = 0;

  void Add(const Timing& other) {
    microseconds = std::min(microseconds, other.microseconds);
    crc = other.crc;
  }
};
using Timings =
    std::array<std::array<Timing, kLevels.size()>, kImageOperations.size()>;

// Images a second with crop, flip, normalising and cutout: batches of 96 from
// as many CIFAR images as do not stay in the cache.
double AugmentedImages(const Augmenter& augmenter, const Dataset& dataset) {
  constexpr int kBatch = 96;
  constexpr int kBatches = 50;
  std::vector<float> batch(kBatch * dataset.image_bytes());
  const double start = Seconds();
  for (int64_t n = 0; n < kBatch * kBatches; ++n) {
    const int64_t sample = n % dataset.size();
    augmenter.Apply(dataset.image(sample), AugmentStream("train", 2, 0, sample),
                    batch.data() + n % kBatch * dataset.image_bytes());
  }
  return kBatch * kBatches / (Seconds() - start);
}

Dataset NoiseAsCifar() {
  Dataset dataset;
  dataset.channels = kShape.channels;
  dataset.height = kShape.height;
  dataset.width = kShape.width;
  dataset.mean = {.49139968, .48215827, .44653124};
  dataset.standard_deviation = {.24703233, .24348505, .26158768};
  dataset.labels.resize(4096);
  dataset.images.resize(dataset.size() * dataset.image_bytes());
  RandomStream noise("pixels", {});
  for (uint8_t& pixel : dataset.images) {
    pixel = static_cast<uint8_t>(noise.Below(256));
  }
  return dataset;
}

// The images of pillow_times.py, as [C][H][W].
std::vector<std::vector<uint8_t>> Images() {
  std::vector<std::vector<uint8_t>> images;
  uint32_t state = 1;
  for (int n = 0; n < 3; ++n) {
    std::vector<uint8_t> image(kShape.bytes());
    for (int y = 0; y < kShape.height; ++y) {
      for (int x = 0; x < kShape.width; ++x) {
        for (int c = 0; c < kShape.channels; ++c) {
          state = state * 1664525u + 1013904223u;
          const int noise = static_cast<int>(state >> 24);
          const int slope = (n + c) * x + (2 * n + 1) * y + (noise & 7);
          image[(c * kShape.height + y) * kShape.width + x] =
              static_cast<uint8_t>(n == 0 ? noise : slope);
        }
      }
    }
    images.push_back(std::move(image));
  }
  return images;
}

// Of the pixels as Pillow keeps them, [H][W][C].
uint64_t Crc(const std::vector<uint8_t>& image, uint64_t crc) {
  std::vector<uint8_t> pixels;
  const int plane = kShape.height * kShape.width;
  for (int i = 0; i < plane; ++i) {
    for (int c = 0; c < kShape.channels; ++c) {
      pixels.push_back(image[c * plane + i]);
    }
  }
  return crc32(crc, pixels.data(), static_cast<uInt>(pixels.size()));
}

Timing TimeOperation(ImageOperation operation, int level,
                     const std::vector<std::vector<uint8_t>>& images) {
  constexpr int kRepeats = 3;
  constexpr int kCalls = 400;  // of each image between two looks at the clock
  std::vector<uint8_t> out(kShape.bytes());
  const auto apply = [&](const std::vector<uint8_t>& image) {
    ApplyImageOperation(operation, level, /*negative=*/false, kShape,
                        image.data(), out.data());
  };
  Timing timing;
  for (const std::vector<uint8_t>& image : images) {
    apply(image);
    timing.crc = Crc(out, timing.crc);
  }
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double start = Seconds();
    for (int call = 0; call < kCalls; ++call) {
      for (const std::vector<uint8_t>& image : images) apply(image);
    }
    timing.microseconds =
        std::min(timing.microseconds,
                 (Seconds() - start) / (kCalls * images.size()) * 1e6);
  }
  return timing;
}

std::string ShellQuoted(absl::string_view word) {
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

// Runs pillow_times.py and adds what it says; its version of Pillow.
absl::StatusOr<std::string> TimePillow(const std::string& python,
                                       Timings& timings) {
  std::string command =
      absl::StrCat(ShellQuoted(python), " -c ", ShellQuoted(kPillowTimes));
  for (const int level : kLevels) absl::StrAppend(&command, " ", level);
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return EnvironmentError("cannot start a shell");
  std::string said;
  std::array<char, 4096> buffer;
  while (const size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) {
    said.append(buffer.data(), got);
  }
  const auto failed = [&](absl::string_view why) {
    return EnvironmentError(absl::StrCat(
        "--python ", python, ": ", why,
        "; give an interpreter that has Pillow (Debian: python3-pil), or an "
        "empty one to leave the comparison out"));
  };
  if (pclose(pipe) != 0) return failed("the comparison did not run");
  const std::vector<std::string> lines = absl::StrSplit(said, '\n');
  size_t line = 1;
  for (size_t l = 0; l < kLevels.size(); ++l) {
    for (size_t o = 0; o < kImageOperations.size(); ++o, ++line) {
      const std::vector<std::string> words =
          line < lines.size() ? absl::StrSplit(lines[line], ' ')
                              : std::vector<std::string>();
      Timing timing;
      if (words.size() != 4 ||
          words[0] != std::string(ImageOperationName(kImageOperations[o])) ||
          words[1] != absl::StrCat(kLevels[l]) ||
          !absl::SimpleAtod(words[2], &timing.microseconds) ||
          !absl::SimpleAtoi(words[3], &timing.crc)) {
        return failed("it said what this program does not understand");
      }
      timings[o][l].Add(timing);
    }
  }
  return lines[0];
}

// Over the levels.
double GeometricMean(const std::array<Timing, kLevels.size()>& timings) {
  double sum = 0;
  for (const Timing& timing : timings) sum += std::log(timing.microseconds);
  return std::exp(sum / timings.size());
}

void Report(const Timings& ours, const Timings& pillow,
            const std::string& version, RunLog& log) {
  log.Info(absl::StrFormat("%-13s %12s %10s %14s %8s %12s", "operation",
                           version.empty() ? "" : "Pillow (us)", "ours (us)",
                           "ours images/s", version.empty() ? "" : "ratio",
                           version.empty() ? "" : "bytes"));
  double ratios = 0;
  size_t equal = 0;
  for (size_t o = 0; o < kImageOperations.size(); ++o) {
    const absl::string_view name = ImageOperationName(kImageOperations[o]);
    const double mine = GeometricMean(ours[o]);
    if (version.empty()) {
      log.Info(absl::StrFormat("%-13s %12s %10.3f %14.0f", name, "", mine,
                               1e6 / mine));
      continue;
    }
    const double theirs = GeometricMean(pillow[o]);
    size_t same = 0;
    for (size_t l = 0; l < kLevels.size(); ++l) {
      if (ours[o][l].crc == pillow[o][l].crc) ++same;
    }
    equal += same;
    ratios += std::log(theirs / mine);
    log.Info(absl::StrFormat("%-13s %12.2f %10.3f %14.0f %8.1f %12s", name,
                             theirs, mine, 1e6 / mine, theirs / mine,
                             same == kLevels.size() ? "the same" : "differ"));
  }
  if (version.empty()) return;
  log.Info(absl::StrFormat(
      "AutoAugment's operations: %.1f times as fast as Pillow %s (geometric "
      "mean over %d operations, each over levels 0, 3, 6, 9); the same bytes "
      "in %d of %d cases",
      std::exp(ratios / kImageOperations.size()), version,
      kImageOperations.size(), equal,
      kImageOperations.size() * kLevels.size()));
}

absl::Status Measure(int argc, const char* const* argv, RunLog& log) {
  AugmentBenchmarkConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));

  const Dataset dataset = NoiseAsCifar();
  AugmentOptions options;
  options.crop_and_flip = true;
  options.cutout = true;
  FD_ASSIGN_OR_RETURN(const Augmenter augmenter,
                      Augmenter::Create(options, dataset));
  const std::vector<std::vector<uint8_t>> images = Images();
  std::vector<double> speeds;
  Timings ours, pillow;
  std::string version;
  for (int round = 0; round < config.rounds(); ++round) {
    for (int i = 0; i < 5; ++i) {
      speeds.push_back(AugmentedImages(augmenter, dataset));
    }
    if (!config.python().empty()) {
      FD_ASSIGN_OR_RETURN(version, TimePillow(config.python(), pillow));
    }
    for (size_t o = 0; o < kImageOperations.size(); ++o) {
      for (size_t l = 0; l < kLevels.size(); ++l) {
        ours[o][l].Add(TimeOperation(kImageOperations[o], kLevels[l], images));
      }
    }
  }
  std::sort(speeds.begin(), speeds.end());
  log.Info(absl::StrFormat(
      "crop, flip, normalise, cutout: %.0f images/s of 3 x 32 x 32 on one core "
      "(median %.0f)",
      speeds.back(), speeds[speeds.size() / 2]));
  log.Info(absl::StrFormat("operations: CPU time, best of %d rounds\n",
                           config.rounds()));
  Report(ours, pillow, version, log);
  return absl::OkStatus();
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  if (fairdarts::HelpRequested(argc, argv)) {
    log.Info(fairdarts::FlagsHelp(fairdarts::AugmentBenchmarkConfig()));
    return 0;
  }
  return fairdarts::EndProgram(fairdarts::Measure(argc, argv, log),
                               "augment_benchmark", log);
}
