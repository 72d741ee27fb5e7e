#include "training/data/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>
#include <vector>

#include "tests/host_reads.h"
#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

// Normalising rounds a product of at most 1 / .3 and an offset of less, each
// of rounded factors, and their sum.
constexpr double kNormalisedTolerance =
    2.5 * std::numeric_limits<float>::epsilon() / .3;

Dataset Noisy(int channels) {
  Dataset dataset;
  dataset.channels = channels;
  dataset.height = 6;
  dataset.width = 5;
  dataset.classes = 4;
  dataset.labels = {3, 1, 0, 2, 2, 1, 0};
  dataset.images = Noise("batch", dataset.size() * dataset.image_bytes());
  dataset.mean.assign(channels, .4);
  dataset.standard_deviation.assign(channels, .3);
  return dataset;
}

BatchOptions TrainOptions() {
  BatchOptions options;
  options.augment.crop_and_flip = true;
  options.augment.cutout = true;
  options.augment.cutout_length = 2;
  options.seed = 2;
  return options;
}

BatchMaker Make(const Dataset& dataset, const BatchOptions& options) {
  auto maker = BatchMaker::Create(&dataset, options);
  EXPECT_TRUE(maker.ok()) << maker.status();
  return *std::move(maker);
}

TEST(BatchTest, PlainBatchesHoldTheSamplesInOrder) {
  for (const int channels : {1, 3}) {
    const Dataset dataset = Noisy(channels);
    for (const bool channels_last : {false, true}) {
      BatchOptions options = TrainOptions();
      options.channels_last = channels_last;
      const Batch batch = Make(dataset, options).Plain(2, 6);
      EXPECT_EQ(batch.images.sizes(),
                (std::vector<int64_t>{4, channels, 6, 5}));
      EXPECT_EQ(batch.images.scalar_type(), torch::kFloat32);
      EXPECT_EQ(batch.labels.scalar_type(), torch::kInt64);
      EXPECT_TRUE(batch.images.is_contiguous(
          channels_last ? torch::MemoryFormat::ChannelsLast
                        : torch::MemoryFormat::Contiguous));
      for (int b = 0; b < 4; ++b) {
        EXPECT_EQ(batch.labels[b].item<int64_t>(), dataset.labels[2 + b]);
        const uint8_t* pixel = dataset.image(2 + b);
        for (int c = 0; c < channels; ++c) {
          for (int y = 0; y < 6; ++y) {
            for (int x = 0; x < 5; ++x) {
              EXPECT_NEAR(batch.images.index({b, c, y, x}).item<float>(),
                          (*pixel++ / 255.0 - .4) / .3, kNormalisedTolerance);
            }
          }
        }
      }
    }
  }
}

// Small images are cut at every border, and a crop may leave nothing of them.
TEST(BatchTest, ADeviceMakesTheSameBitsOfTheHostsPart) {
  for (const int channels : {1, 3}) {
    const Dataset dataset = Noisy(channels);
    const std::vector<int64_t> samples = {4, 0, 6, 1, 5};
    for (int which = 0; which < 16; ++which) {
      BatchOptions options = TrainOptions();
      options.augment.crop_and_flip = (which & 1) != 0;
      options.augment.cutout = (which & 2) != 0;
      options.augment.auto_augment = (which & 4) != 0;
      options.channels_last = (which & 8) != 0;
      const BatchMaker maker = Make(dataset, options);
      const DeviceAugmenter device = maker.AugmenterOn(torch::kCPU);
      for (int64_t round = 0; round < 40; ++round) {
        const Batch expected = maker.Augmented(samples, round);
        const RawBatch raw = maker.Raw(samples, round, /*pinned=*/false);
        const torch::Tensor images = device.Apply(raw.bytes, raw.places);
        ASSERT_TRUE(torch::equal(images, expected.images))
            << which << " " << round;
        ASSERT_TRUE(images.is_contiguous(
            options.channels_last ? torch::MemoryFormat::ChannelsLast
                                  : torch::MemoryFormat::Contiguous));
        ASSERT_TRUE(torch::equal(raw.labels, expected.labels));
      }
    }
  }
}

TEST(BatchTest, TheDevicesPartReadsNothingOnTheHost) {
  const Dataset dataset = Noisy(3);
  const BatchMaker maker = Make(dataset, TrainOptions());
  const std::vector<int64_t> samples = {1, 2};
  const RawBatch raw = maker.Raw(samples, 0, /*pinned=*/false);
  const DeviceAugmenter device = maker.AugmenterOn(torch::kCPU);
  const HostReads reads;
  device.Apply(raw.bytes, raw.places);
  EXPECT_EQ(reads.count(), 0);
}

TEST(BatchTest, BytesDependOnTheArgumentsAlone) {
  const Dataset dataset = Noisy(3);
  const BatchMaker maker = Make(dataset, TrainOptions());
  const std::vector<int64_t> samples = {5, 0, 3};
  const Batch first = maker.Augmented(samples, 1);
  const torch::Tensor kept = first.images.clone();
  const Batch other = maker.Augmented(samples, 2);
  const Batch plain = maker.Plain(samples);
  EXPECT_FALSE(torch::equal(other.images, first.images));
  EXPECT_FALSE(torch::equal(plain.images, first.images));
  EXPECT_TRUE(torch::equal(maker.Augmented(samples, 1).images, first.images));
  EXPECT_TRUE(
      torch::equal(Make(dataset, TrainOptions()).Augmented(samples, 1).images,
                   first.images));
  // Later batches are other memory.
  EXPECT_TRUE(torch::equal(first.images, kept));
  EXPECT_NE(first.images.data_ptr(), other.images.data_ptr());
  // A sample looks the same wherever it stands in a batch.
  const Batch turned = maker.Augmented(std::vector<int64_t>{3, 5}, 1);
  EXPECT_TRUE(torch::equal(turned.images[0], first.images[2]));
  EXPECT_TRUE(torch::equal(turned.images[1], first.images[0]));
  EXPECT_EQ(turned.labels[0].item<int64_t>(), dataset.labels[3]);
  EXPECT_EQ(turned.labels[1].item<int64_t>(), dataset.labels[5]);
}

TEST(BatchTest, BothLayoutsHoldTheSameImages) {
  const Dataset dataset = Noisy(3);
  BatchOptions options = TrainOptions();
  const std::vector<int64_t> samples = {6, 1, 4};
  const Batch planar = Make(dataset, options).Augmented(samples, 7);
  options.channels_last = true;
  const Batch interleaved = Make(dataset, options).Augmented(samples, 7);
  EXPECT_TRUE(torch::equal(planar.images, interleaved.images));
  EXPECT_TRUE(
      interleaved.images.is_contiguous(torch::MemoryFormat::ChannelsLast));
}

TEST(BatchTest, SeedAndPurposeChangeTheAugmentation) {
  const Dataset dataset = Noisy(3);
  const std::vector<int64_t> samples = {0, 1, 2, 3};
  const Batch batch = Make(dataset, TrainOptions()).Augmented(samples, 0);
  BatchOptions alpha = TrainOptions();
  alpha.purpose = "alpha";
  EXPECT_FALSE(torch::equal(Make(dataset, alpha).Augmented(samples, 0).images,
                            batch.images));
  BatchOptions seed = TrainOptions();
  seed.seed = 3;
  EXPECT_FALSE(torch::equal(Make(dataset, seed).Augmented(samples, 0).images,
                            batch.images));
}

TEST(BatchTest, AugmentationsOffArePlain) {
  const Dataset dataset = Noisy(1);
  const BatchMaker maker = Make(dataset, BatchOptions());
  EXPECT_TRUE(
      torch::equal(maker.Augmented(std::vector<int64_t>{0, 1}, 4).images,
                   maker.Plain(0, 2).images));
}

TEST(BatchTest, RefusesABadAugmentation) {
  const Dataset dataset = Noisy(1);
  BatchOptions options = TrainOptions();
  options.augment.cutout_length = -3;
  EXPECT_THAT(BatchMaker::Create(&dataset, options),
              IsUsageError(HasSubstr("cutout_length is -3")));
}

TEST(BatchDeathTest, AnIndexOutOfRangeIsABug) {
  const Dataset dataset = Noisy(1);
  const BatchMaker maker = Make(dataset, BatchOptions());
  EXPECT_DEATH(maker.Plain(5, 8), "sample");
  EXPECT_DEATH(maker.Augmented(std::vector<int64_t>{-1}, 0), "sample");
}

}  // namespace
}  // namespace fairdarts
