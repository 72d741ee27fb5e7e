#ifndef TRAINING_GENOTYPE_ARGUMENT_H_
#define TRAINING_GENOTYPE_ARGUMENT_H_

// What --genotype (upstream's --arch) means.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"
#include "training/genotype_options.pb.h"

namespace fairdarts {

struct GenotypeArgument {
  Genotype genotype;  // valid, and a network can be built from it
  // Where it came from, for messages: "fairdarts/FairDARTS_a", a path, "the
  // given text".
  std::string name;
  // What stands for it in the record of a run, without the files of the moment:
  // a catalog key, or the genotype's text. Reads back to the same genotype.
  std::string record;
  // A line for the user, or empty: what else the name could have meant, which
  // of several genotypes of a file was taken.
  std::string note;
};

struct GenotypeArgumentOptions {
  GenotypeOptions::ParseMethod parse_method = GenotypeOptions::AUTO;
  // Where an empty argument looks for the newest search.
  std::string runs_folder = "runs";
};

// `text` is the first of these that it can be:
//   empty              the genotype of the newest search that came to its end,
//                      or FairDARTS_a where there is none; the note says which;
//   a published name   bare or "folder/NAME" (genotypes/catalog.h);
//   a run folder       with a genotype.textproto or genotype.txt in it;
//   a file             a textproto, or any text with Genotype(...) in it, such
//                      as a log or a Python source, whose last one counts;
//   the text itself    Genotype(...), perhaps behind "genotype =" or
//                      "genotype:", or a textproto.
// Paths begin where the user typed (fairdarts/base/user_path.h); "./NAME" is
// always one. Usage errors: an unknown name, with the nearest ones; text that
// is no genotype; a parse method that is not the one of the tuples. Data errors
// begin with the path: a file that cannot be read or holds no genotype. A
// genotype with an empty cell, which no network can be built from, is a data
// error.
absl::StatusOr<GenotypeArgument> ResolveGenotypeArgument(
    absl::string_view text, const GenotypeArgumentOptions& options);

// A usage error unless the rule can have chosen the genotype: pairs, with
// weights or without, are of `darts`, the others of either threshold rule.
// threshold_sparse leaves a node two edges of one operation each,
// threshold_edge an edge two operations.
absl::Status CheckParseMethod(const Genotype& genotype, absl::string_view name,
                              GenotypeOptions::ParseMethod method);

}  // namespace fairdarts

#endif  // TRAINING_GENOTYPE_ARGUMENT_H_
