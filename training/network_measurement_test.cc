#include "training/network_measurement.h"

#include <gtest/gtest.h>

#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

const Genotype& Published(absl::string_view name) {
  return FindInCatalog(name)->entry->genotype;
}

NetworkConfig Small() {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 8;
  config.layers = 3;
  return config;
}

NetworkMeasurement Measure(const NetworkConfig& config, int batch_size) {
  MeasurementOptions options;
  options.batch_size = batch_size;
  options.threads = 1;
  options.seconds = 0;
  const absl::StatusOr<NetworkMeasurement> measured =
      MeasureNetwork(Published("FairDARTS_b"), config, options);
  EXPECT_THAT(measured, IsOk());
  return measured.value_or(NetworkMeasurement());
}

TEST(MeasureNetworkTest, ABatchHoldsAtLeastTheStemsMaps) {
  const NetworkConfig config = Small();
  const NetworkMeasurement one = Measure(config, 1);
  const NetworkMeasurement many = Measure(config, 64);
  EXPECT_EQ(one.threads, 1);
  EXPECT_GT(one.measurement.latency.min_seconds, 0);
  EXPECT_GE(one.measurement.latency.median_seconds,
            one.measurement.latency.min_seconds);
  EXPECT_EQ(one.measurement.latency.repetitions, 5);
  // 3 * 8 channels of 32x32 floats leave the stem, and its batch norm makes
  // them anew from the convolution's.
  constexpr int64_t kStem = 3 * 8 * 32 * 32 * 4;
  EXPECT_GE(many.measurement.batch_peak_bytes, 64 * 2 * kStem);
  // All maps of all cells at once would be more than a hundred times as much.
  EXPECT_LE(many.measurement.batch_peak_bytes, 64 * 100 * kStem);
  EXPECT_LT(one.measurement.batch_peak_bytes,
            many.measurement.batch_peak_bytes);
  EXPECT_GT(many.measurement.process_peak_bytes,
            many.measurement.batch_peak_bytes);
}

TEST(MeasureNetworkTest, SmallMapsAndTheHeadDoNotMatter) {
  NetworkConfig config = Small();
  config.image_size = 4;  // last maps of 1x1
  config.auxiliary = true;
  EXPECT_GT(Measure(config, 1).measurement.latency.min_seconds, 0);
}

TEST(MeasureNetworkTest, ErrorsComeFromTheMeasuringProcess) {
  NetworkConfig config = Small();
  config.layers = 0;
  EXPECT_THAT(MeasureNetwork(Published("FairDARTS_b"), config, {}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "layers: is 0"));
  MeasurementOptions options;
  options.batch_size = 1 << 30;  // 12 TiB of images
  EXPECT_THAT(
      MeasureNetwork(Published("FairDARTS_b"), Small(), options).status(),
      ExitCodeIs(ExitCode::kEnvironment));
}

}  // namespace
}  // namespace fairdarts
