// The time of one discretisation under a budget that the rule's own genotype
// does not keep, when every candidate is past the threshold.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "fairdarts/budgeted_discretization.h"

namespace fairdarts {
namespace {

EdgeMatrix Random(uint64_t seed) {
  RandomStream stream("budgeted_discretization_benchmark", {seed});
  EdgeMatrix matrix{kS1Edges, static_cast<int>(kS1Candidates.size()), {}};
  for (int i = 0; i < matrix.rows * matrix.cols; ++i) {
    matrix.values.push_back(0.5f + stream.Uniform() / 2);
  }
  return matrix;
}

// Argument: the rule.
void BM_DiscretizeUnderBudget(benchmark::State& state) {
  const DiscretizationRule rule = kAllDiscretizationRules[state.range(0)];
  state.SetLabel(std::string(DiscretizationRuleName(rule)));
  const EdgeMatrix normal = Random(1);
  const EdgeMatrix reduce = Random(2);
  const Budget budget{350000000, 2500000};
  for (auto _ : state) {
    const auto result = DiscretizeUnderBudget(normal, reduce, rule, 0.5f,
                                              budget, NetworkConfig::Cifar());
    FD_CHECK(result.ok() && result->reduced) << result.status();
    benchmark::DoNotOptimize(result->weight);
  }
}
BENCHMARK(BM_DiscretizeUnderBudget)
    ->DenseRange(0, 2)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fairdarts
