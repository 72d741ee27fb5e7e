#ifndef TRAINING_PROFILING_PROFILE_TABLE_H_
#define TRAINING_PROFILING_PROFILE_TABLE_H_

// What genotypes cost, as a table to read (text), to load into a spreadsheet
// (csv, RFC 4180) or to compute with (json).

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "genotypes/catalog.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "training/profiling/latency.h"
#include "training/profiling/published_comparison.h"

namespace fairdarts {

// A network on this machine.
struct Measurement {
  Latency latency;  // of a batch
  // What a batch adds to the process at its worst, once everything is warm:
  // activations and the kernels' scratch space, not weights or images.
  int64_t batch_peak_bytes = 0;
  // The most the whole process held: libraries, weights, images and a batch.
  int64_t process_peak_bytes = 0;
};

struct ProfileRow {
  std::string name;
  int64_t macs = 0;                   // convolutions and classifier, one image
  int64_t parameters = 0;             // without the auxiliary head
  absl::optional<int64_t> with_head;  // none where no head fits the maps
  std::vector<int64_t> flops;         // by FlopsConventions()
  std::vector<FigureComparison> published;
  absl::optional<Measurement> measurement;
};

// The row of a genotype but for its measurement. `entry` is its catalog entry
// or null; published figures are taken from it where `config` is the network
// that they are about. Errors are those of ComputeNetworkCost.
absl::StatusOr<ProfileRow> MakeProfileRow(absl::string_view name,
                                          const Genotype& genotype,
                                          const CatalogEntry* entry,
                                          const NetworkConfig& config);

struct Profile {
  NetworkConfig config;
  int batch_size = 1;  // of the measurement, as is the number of threads
  int threads = 1;
  std::vector<ProfileRow> rows;
};

// Lines that end with '\n': how to read the columns, then the table, then what
// is published but not explained. Columns that no row fills are left out.
std::string ProfileAsText(const Profile& profile);

// A header and a record a genotype, each ended by CR LF. Always the same
// columns; what is not there is empty, and "none" is a figure that no
// convention explains.
std::string ProfileAsCsv(const Profile& profile);

// One object, ended by '\n': network, machine, conventions, genotypes. What is
// not there is null.
std::string ProfileAsJson(const Profile& profile);

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_PROFILE_TABLE_H_
