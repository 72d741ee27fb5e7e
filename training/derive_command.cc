#include "training/derive_command.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/decision.h"
#include "fairdarts/discretization.h"
#include "genotypes/python_literal.h"
#include "training/cell_files.h"
#include "training/command.h"
#include "training/derive.pb.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/genotype_choice.h"
#include "training/parse_method.h"
#include "training/run_folder.h"
#include "training/weight_matrix.h"

namespace fairdarts {
namespace {

constexpr char kUsage[] =
    "Turns the relaxed weights of a search into a genotype.\n"
    "usage: derive --run=FOLDER [flags]\n"
    "       derive --normal_weight=FILE --reduce_weight=FILE [flags]\n";

// Where the two matrices are.
struct MatrixPaths {
  std::string normal;
  std::string reduce;
};

absl::StatusOr<MatrixPaths> PathsOf(const DeriveConfig& config) {
  const bool files =
      !config.normal_weight().empty() && !config.reduce_weight().empty();
  const bool any_file =
      !config.normal_weight().empty() || !config.reduce_weight().empty();
  if (!config.run().empty() && any_file) {
    return UsageError(
        "--run names both matrices: give it or --normal_weight and "
        "--reduce_weight, not all");
  }
  if (!config.run().empty()) {
    const std::string run = UserPath(config.run());
    return MatrixPaths{absl::StrCat(run, "/normal_weight.npy"),
                       absl::StrCat(run, "/reduce_weight.npy")};
  }
  if (!files) {
    return UsageError(
        "no weights: give --run=FOLDER, or both --normal_weight=FILE and "
        "--reduce_weight=FILE");
  }
  return MatrixPaths{UserPath(config.normal_weight()),
                     UserPath(config.reduce_weight())};
}

void LogMissing(const GenotypeCell& cell, const char* name, RunLog& log) {
  const std::vector<int> missing = NodesWithoutInput(cell);
  if (missing.empty()) return;
  log.Info(absl::StrCat("note: in the ", name, " cell no edge feeds node ",
                        absl::StrJoin(missing, ", ")));
}

absl::Status Derive(int argc, const char* const* argv, RunLog& log) {
  DeriveConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  FD_RETURN_IF_ERROR(CheckRunName(config.save()));
  const GenotypeChoiceOptions options = ChoiceOptions(config);
  FD_RETURN_IF_ERROR(CheckGenotypeChoice(options));
  FD_ASSIGN_OR_RETURN(const MatrixPaths paths, PathsOf(config));
  FD_ASSIGN_OR_RETURN(const EdgeMatrix normal, ReadWeightMatrix(paths.normal));
  FD_ASSIGN_OR_RETURN(const EdgeMatrix reduce, ReadWeightMatrix(paths.reduce));
  FD_ASSIGN_OR_RETURN(const GenotypeChoice choice,
                      ChooseGenotype(normal, reduce, options));
  const Genotype& genotype = choice.genotype;
  FD_ASSIGN_OR_RETURN(
      const RunFolder folder,
      RunFolder::Create(RunsFolder(), config.save(), absl::Now()));
  FD_RETURN_IF_ERROR(WriteGenotypeFiles(genotype, folder));
  log.Info(absl::StrCat("genotype: ", ToPythonText(genotype)));
  if (!choice.note.empty()) log.Info(choice.note);
  LogMissing(genotype.normal, "normal", log);
  LogMissing(genotype.reduce, "reduction", log);
  log.Info(absl::StrCat("files in ", folder.path(),
                        ": genotype.textproto, genotype.txt, normal.svg, "
                        "reduce.svg"));
  return absl::OkStatus();
}

}  // namespace

int DeriveCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(absl::StrCat(kUsage, "\n", FlagsHelp(DeriveConfig())));
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(Derive(argc, argv, log), "derive", log);
}

}  // namespace fairdarts
