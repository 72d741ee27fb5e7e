#include "fairdarts/runtime/session.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/executor.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// Of the largest logit: what inference promises. Twenty cells of two sums of up
// to 576 terms each round some thousand times, by at most 2^-24 of what is
// summed and in either direction: sqrt(2 * 20 * 576) * 2^-24 is 9e-6.
constexpr double kTolerance = 1e-5;

Session SessionOf(const ModelDescription& description, uint64_t seed,
                  const SessionOptions& options) {
  const FilledTensors filled(description, seed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  EXPECT_THAT(bytes, IsOk());
  absl::StatusOr<Session> session =
      Session::LoadBytes(*std::move(bytes), "filled", options);
  EXPECT_THAT(session, IsOk());
  return *std::move(session);
}

Session SessionOf(const ModelDescription& description, uint64_t seed,
                  absl::optional<Isa> isa = absl::nullopt, int threads = 1) {
  SessionOptions options;
  options.isa = isa;
  options.threads = threads;
  return SessionOf(description, seed, options);
}

std::vector<float> Logits(Session& session, int images, uint64_t seed) {
  const std::vector<float> x =
      GoldenImages("x", images * session.image_floats(), seed);
  std::vector<float> logits(images * session.classes());
  EXPECT_THAT(session.Run(x, absl::MakeSpan(logits)), IsOk());
  return logits;
}

TEST(SessionTest, EveryPublishedCifarNetwork) {
  double worst = 0;
  double worst_step = 0;  // of what it may be
  std::vector<std::string> forgetful;
  for (const bool full : {false, true}) {
    const std::vector<GoldenNetwork> networks = GoldenCifarNetworks(full);
    ASSERT_EQ(networks.size(), 48u);
    for (const GoldenNetwork& network : networks) {
      SCOPED_TRACE(network.name);
      const std::vector<float> expected_step = Step(network.logits);
      const double step_tolerance =
          StepTolerance(Largest(expected_step) / Largest(network.logits),
                        network.description.network.layers, kFloatCellRounding);
      const bool forgets = step_tolerance > 0.5;
      if (forgets) forgetful.push_back(network.name);
      // The slow forms run the small networks alone.
      std::vector<Isa> isas = SupportedIsas();
      if (full) isas = {BestIsa()};
      for (const Isa isa : isas) {
        Session session = SessionOf(network.description, network.seed, isa);
        const std::vector<float> logits =
            Logits(session, network.images(), network.seed);
        const double off = Off(logits, network.logits);
        EXPECT_LT(off, kTolerance) << IsaName(isa);
        worst = std::max(worst, off);
        if (forgets) continue;
        const double step_off = Off(Step(logits), expected_step);
        EXPECT_LT(step_off, step_tolerance) << IsaName(isa);
        worst_step = std::max(worst_step, step_off / step_tolerance);
      }
    }
  }
  // Their images are within what rounding does.
  EXPECT_THAT(forgetful,
              testing::UnorderedElementsAre("darts/DARTS_EXP1_RE1.full",
                                            "darts/DARTS_EXP2_RE1.full"));
  RecordProperty("worst", absl::StrCat(worst));
  RecordProperty("worst_step", absl::StrCat(worst_step));
}

TEST(SessionTest, TheGoldenNetworksAreTheCatalog) {
  std::vector<Genotype> genotypes;
  for (const GoldenNetwork& network : GoldenCifarNetworks(/*full=*/false)) {
    genotypes.push_back(network.description.genotype);
  }
  for (const CatalogEntry& entry : Catalog()) {
    EXPECT_THAT(genotypes, testing::Contains(entry.genotype)) << entry.key();
  }
}

TEST(SessionTest, ImageNetNetworks) {
  const std::vector<GoldenNetwork> networks = GoldenImageNetNetworks();
  ASSERT_EQ(networks.size(), 4u);
  for (const GoldenNetwork& network : networks) {
    SCOPED_TRACE(network.name);
    for (const Isa isa : SupportedIsas()) {
      Session session = SessionOf(network.description, network.seed, isa);
      EXPECT_LT(
          Off(Logits(session, network.images(), network.seed), network.logits),
          kTolerance)
          << IsaName(isa);
    }
  }
}

// A dead node, a sum's term twice, an input in the output, a node that only
// another node's skip reads, odd maps: what no published network has.
constexpr char kOdd[] =
    "Genotype(normal=[('skip_connect', 0), ('skip_connect', 0), "
    "('sep_conv_7x7', 1), ('dil_conv_5x5', 2), ('skip_connect', 3), "
    "('conv_7x1_1x7', 0), ('avg_pool_3x3', 4), ('max_pool_3x3', 1)], "
    "normal_concat=[4, 1, 0], reduce=[('skip_connect', 0), "
    "('conv_7x1_1x7', 1), ('skip_connect', 2), ('dil_conv_3x3', 0)], "
    "reduce_concat=[3, 2])";

TEST(SessionTest, EveryInstructionSetAgreesOnOddNetworks) {
  for (const int image_size : {7, 28, 30, 33}) {
    NetworkConfig config;
    config.init_channels = 6;
    config.layers = 5;
    config.image_size = image_size;
    const ModelDescription description = DescriptionOf(kOdd, config);
    Session reference = SessionOf(description, 3, Isa::kReference);
    const std::vector<float> expected = Logits(reference, 3, 4);
    for (const Isa isa : SupportedIsas()) {
      Session session = SessionOf(description, 3, isa);
      EXPECT_LT(Off(Logits(session, 3, 4), expected), kTolerance)
          << IsaName(isa) << " " << image_size;
    }
  }
}

ModelDescription SmallDescription() {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 16;
  return DescriptionOf(kOdd, config);
}

TEST(SessionTest, ABatchIsItsImagesAndARunLeavesNothingBehind) {
  Session session = SessionOf(SmallDescription(), 3);
  const std::vector<float> batch = Logits(session, 5, 4);
  EXPECT_EQ(Logits(session, 5, 4), batch);
  std::vector<float> one(session.classes());
  const std::vector<float> x = GoldenImages("x", 5 * session.image_floats(), 4);
  for (int i = 4; i >= 0; --i) {
    ASSERT_THAT(
        session.Run(absl::MakeSpan(x).subspan(i * session.image_floats(),
                                              session.image_floats()),
                    absl::MakeSpan(one)),
        IsOk());
    EXPECT_TRUE(std::equal(one.begin(), one.end(),
                           batch.begin() + i * session.classes()));
  }
}

// Runs tasks one after the other, in the order of their numbers or against it.
class OneByOne : public Executor {
 public:
  OneByOne(int threads, bool reversed)
      : threads_(threads), reversed_(reversed) {}

  int threads() const override { return threads_; }

  void Run(int tasks, absl::FunctionRef<void(int task)> work) override {
    EXPECT_GE(tasks, 1);
    EXPECT_LE(tasks, threads_);
    ++calls;
    for (int i = 0; i < tasks; ++i) work(reversed_ ? tasks - 1 - i : i);
  }

  int calls = 0;

 private:
  const int threads_;
  const bool reversed_;
};

TEST(SessionTest, ThreadsAndExecutorsChangeNoBit) {
  for (const int image_size : {7, 16, 28}) {
    ModelDescription description = SmallDescription();
    description.network.init_channels = 14;  // gemm blocks of 5, 5 and 4
    description.network.image_size = image_size;
    Session one = SessionOf(description, 3);
    const std::vector<float> expected = Logits(one, 7, 4);
    const std::vector<float> first(expected.begin(),
                                   expected.begin() + one.classes());
    // By images, by steps, and both.
    for (const int threads : {2, 3, 7, 8}) {
      Session session = SessionOf(description, 3, absl::nullopt, threads);
      EXPECT_EQ(session.threads(), threads);
      EXPECT_EQ(Logits(session, 7, 4), expected) << threads;
      EXPECT_EQ(Logits(session, 1, 4), first) << threads;
    }
    for (const bool reversed : {false, true}) {
      for (const int threads : {1, 2, 5, 8}) {
        OneByOne executor(threads, reversed);
        SessionOptions options;
        options.executor = &executor;
        Session session = SessionOf(description, 3, options);
        EXPECT_EQ(session.threads(), threads);
        EXPECT_EQ(Logits(session, 7, 4), expected) << threads << reversed;
        EXPECT_EQ(Logits(session, 1, 4), first) << threads << reversed;
        EXPECT_GT(executor.calls, 0);
      }
    }
  }
}

TEST(SessionTest, SessionsAreMovedAndSurviveTheirFile) {
  Session first = SessionOf(SmallDescription(), 3);
  const std::vector<float> logits = Logits(first, 1, 4);
  Session second = std::move(first);
  EXPECT_EQ(Logits(second, 1, 4), logits);
}

TEST(SessionTest, RefusesWrongSpans) {
  Session session = SessionOf(SmallDescription(), 3);
  const std::vector<float> x = GoldenImages("x", 2 * session.image_floats(), 4);
  std::vector<float> logits(2 * session.classes());
  const auto run = [&](size_t images, size_t room) {
    return session.Run(absl::MakeSpan(x).subspan(0, images),
                       absl::MakeSpan(logits).subspan(0, room));
  };
  EXPECT_THAT(run(0, 0), StatusIs(absl::StatusCode::kInvalidArgument,
                                  "images: 0 floats; an image has 768"));
  EXPECT_THAT(run(767, 10),
              StatusIs(absl::StatusCode::kInvalidArgument, "767 floats"));
  EXPECT_THAT(run(1536, 10),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "logits: room for 10 floats; 2 images give 20"));
  EXPECT_THAT(session.Run(absl::Span<const float>(nullptr, 768),
                          absl::MakeSpan(logits).subspan(0, 10)),
              StatusIs(absl::StatusCode::kInvalidArgument, "null"));
  EXPECT_THAT(run(1536, 20), IsOk());
}

TEST(SessionTest, RefusesWhatTheMachineOrTheNumbersDoNotGive) {
  const ModelDescription description = SmallDescription();
  SessionOptions options;
#if defined(__x86_64__)
  options.isa = Isa::kNeon;
#else
  options.isa = Isa::kAvx2;
#endif
  const FilledTensors filled(description, 3);
  const absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  ASSERT_THAT(bytes, IsOk());
  EXPECT_THAT(Session::LoadBytes(*bytes, "net.st", options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "isa: this machine does not have"));
  options.isa.reset();
  options.threads = 0;
  EXPECT_THAT(Session::LoadBytes(*bytes, "net.st", options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "threads: is 0; it has to be 1 to 1024"));
  OneByOne executor(2, /*reversed=*/false);
  options.executor = &executor;
  options.threads = 2;
  EXPECT_THAT(Session::LoadBytes(*bytes, "net.st", options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "threads: is 2, but the executor has its own"));
  OneByOne none(0, /*reversed=*/false);
  options.executor = &none;
  options.threads = 1;
  EXPECT_THAT(Session::LoadBytes(*bytes, "net.st", options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "threads: is 0; it has to be 1 to 1024"));
  EXPECT_THAT(Session::Load("/nowhere/net.st"),
              StatusIs(absl::StatusCode::kDataLoss, "/nowhere/net.st"));

  const auto with = [&](const std::string& name, float value) {
    std::vector<TensorToWrite> tensors = filled.tensors();
    std::string changed;
    for (TensorToWrite& tensor : tensors) {
      if (tensor.name != name) continue;
      changed = std::string(tensor.tensor.data);
      std::memcpy(&changed[4], &value, sizeof(value));
      tensor.tensor.data = changed;
    }
    return Session::LoadBytes(*SerializeModelFile(description, tensors),
                              "net.st")
        .status();
  };
  EXPECT_THAT(with("stem.1.running_var", -0.5f),
              StatusIs(absl::StatusCode::kDataLoss,
                       "net.st: tensor stem.1.running_var holds -0.5 at 1"));
  EXPECT_THAT(with("classifier.weight", NAN),
              StatusIs(absl::StatusCode::kDataLoss,
                       "net.st: tensor classifier.weight holds nan at 1"));
}

}  // namespace
}  // namespace fairdarts
