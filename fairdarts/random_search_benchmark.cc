// How many random genotypes a second: those that fit, and draws.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "fairdarts/base/check.h"
#include "fairdarts/random_search.h"

namespace fairdarts {
namespace {

// Arguments: skips in the normal cell, the least MFLOPs.
void BM_RandomGenotypes(benchmark::State& state) {
  RandomSearchOptions options;
  options.num_arch = 1000;
  options.num_identity = static_cast<int>(state.range(0));
  options.min_mega_macs = static_cast<double>(state.range(1));
  int64_t draws = 0;
  for (auto _ : state) {
    const auto list = RandomGenotypes(options);
    FD_CHECK(list.ok()) << list.status();
    for (const RandomGenotype& found : *list) draws += found.draw + 1;
  }
  state.counters["genotypes/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * options.num_arch),
      benchmark::Counter::kIsRate);
  state.counters["draws/s"] = benchmark::Counter(static_cast<double>(draws),
                                                 benchmark::Counter::kIsRate);
}
BENCHMARK(BM_RandomGenotypes)
    ->Args({2, 0})
    ->Args({2, 500})
    ->Args({4, 400})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fairdarts
