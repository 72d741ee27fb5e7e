#ifndef TRAINING_PROGRAM_CONFIG_H_
#define TRAINING_PROGRAM_CONFIG_H_

// The configuration of a program that has recipes, as one message whose fields
// carry FlagOptions (see flag_options.proto), `recipe` and `config` among them.
//
// What is more particular counts: the defaults of the message < the recipe <
// the --config file < the flags. The recipe is the one that a flag names, else
// the file's, else the program's default. A run that is taken up again has the
// configuration that it recorded; what is given for it must agree, but for the
// fields that say may_change_on_resume.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "training/flags.h"
#include "training/recipes.h"

namespace fairdarts {

// What a program says about its configuration.
struct ProgramConfig {
  absl::string_view program;  // "search", of //training:search
  absl::string_view summary;  // one line for --help
  absl::Span<const Recipe> recipes;
  absl::string_view default_recipe;
  absl::string_view paper_recipe;
  // The rules between fields, and of values that are names. Every field that
  // has a default or stands in every recipe is set.
  absl::Status (*validate)(const google::protobuf::Message& config);
  // Whether a value given for a run that is taken up again means what its
  // record says; null: where they are equal.
  absl::StatusOr<bool> (*agree)(absl::string_view field,
                                const std::string& given,
                                const std::string& recorded) = nullptr;
};

// Sets `config`, which is empty, from recipe, file and flags: every field that
// this build honours is set and valid, but `config`, whose contents are merged.
// `dataset` is a name of training/data/dataset.h where it is known; `data` is
// an absolute path, or empty for the dataset's default folder. `note` becomes
// a line for the user where flags changed a recipe that nobody named, else "".
//
// Usage errors name the flag, or the file and the field, its value and what
// would be right; a --config file that cannot be read is a data error.
absl::Status ResolveConfig(const ProgramConfig& program, int argc,
                           const char* const* argv,
                           google::protobuf::Message& config,
                           std::string& note);

// The same where a message states what flags would: its `recipe` names the
// recipe, and it sets neither `config` nor `resume`.
absl::Status ResolveGiven(const ProgramConfig& program,
                          const google::protobuf::Message& given,
                          google::protobuf::Message& config);

// Sets in `given`, which is empty, what the --config file and the flags over
// it state, in the forms of ResolveConfig.
absl::Status GivenOnCommandLine(int argc, const char* const* argv,
                                google::protobuf::Message& given);

// The configuration of a run that is taken up again: sets `config`, which is
// empty, to what the text of ConfigText says, under `given`. A given field
// that contradicts the record is a usage error with both values, unless it may
// change on resume; then it counts. A record that is damaged, or that lacks a
// field, is a model file error. Errors about the record begin with its name.
absl::Status ResolveFromRecord(const ProgramConfig& program,
                               const google::protobuf::Message& given,
                               absl::string_view record,
                               absl::string_view record_name,
                               google::protobuf::Message& config);

// The text of --help: the flags with the default recipe's values. `prototype`
// is an empty configuration.
std::string ConfigHelp(const ProgramConfig& program,
                       const google::protobuf::Message& prototype);

// The record of a run, which --config takes: text format with every value but
// `resume` and `estimate`, which are about one call of the program.
std::string ConfigText(const google::protobuf::Message& config);

// What --resume says among the arguments, "" where it does not: a program asks
// this before it knows whether there is a record.
template <typename Config>
absl::StatusOr<std::string> ResumeFlag(int argc, const char* const* argv) {
  Config flags;
  const absl::Status parsed = ParseFlags(argc, argv, flags);
  if (!parsed.ok()) return parsed;
  return flags.resume();
}

// For validate: the dataset is known, the run's name can be a folder's, and the
// learning rate does not rise to its minimum. The message has the fields
// dataset, save, learning_rate and learning_rate_min.
absl::Status CheckCommonRules(const google::protobuf::Message& config);

}  // namespace fairdarts

#endif  // TRAINING_PROGRAM_CONFIG_H_
