#include "training/studies/study_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "genotypes/quote.h"
#include "genotypes/strict_proto.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "training/config.h"
#include "training/config_file.h"
#include "training/recipes.h"
#include "training/run_folder.h"
#include "training/train_config.h"

namespace fairdarts {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr int kLeastSeeds = 3;  // fewer say nothing of the spread
constexpr int kMostSeeds = 1000;
constexpr int kMostVariants = 100;
constexpr size_t kMaxVariantBytes = 40;
constexpr double kMostPercent = 50;

// What the study says of each run, or its command line of all.
constexpr const char* kNotInStudies[] = {
    "seed",         "save",     "config",         "resume",   "estimate",
    "report_freq",  "data",     "threads",        "genotype", "random_search",
    "num_identity", "num_arch", "flops_threshold"};

absl::Status CheckStates(const Message& config) {
  for (const char* const name : kNotInStudies) {
    const FieldDescriptor* const field =
        config.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || !config.GetReflection()->HasField(config, field)) {
      continue;
    }
    return UsageError(
        absl::StrCat(name,
                     ": must not be set here: a study sets it for each run "
                     "itself, or a flag of the program does for all"));
  }
  return absl::OkStatus();
}

absl::Status CheckSeeds(const Study& study) {
  if (study.seed_size() < kLeastSeeds || study.seed_size() > kMostSeeds) {
    return UsageError(absl::StrCat("seed: there are ", study.seed_size(),
                                   "; must be from ", kLeastSeeds, " to ",
                                   kMostSeeds, ", for a mean and a deviation"));
  }
  std::set<uint64_t> seen;
  for (const uint64_t seed : study.seed()) {
    if (seen.insert(seed).second) continue;
    return UsageError(
        absl::StrCat("seed ", seed,
                     ": is there twice; a run that is repeated says nothing"));
  }
  return absl::OkStatus();
}

absl::Status CheckVariantName(absl::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  if (plain && !name.empty() && name.size() <= kMaxVariantBytes) {
    return absl::OkStatus();
  }
  return UsageError(
      absl::StrCat("name ", Quote(name), ": must be 1 to ", kMaxVariantBytes,
                   " letters, digits, '-' and '_': it names a folder"));
}

// Of a random variant; whether `like` is a search is for who knows them all.
absl::Status CheckRandom(const StudyRandom& random) {
  const bool counts = random.has_num_identity() || random.has_flops_threshold();
  if (random.has_like() == counts) {
    return UsageError(
        "random: must say either whose size its genotypes have (like) or how "
        "many skip connections and multiply-accumulates (num_identity, "
        "flops_threshold)");
  }
  if (counts && !(random.has_num_identity() && random.has_flops_threshold())) {
    return UsageError(
        "random: num_identity and flops_threshold must both be there");
  }
  if (random.has_percent() && !random.has_like()) {
    return UsageError("random: percent: means nothing without like");
  }
  if (!(random.percent() > 0 && random.percent() <= kMostPercent)) {
    return UsageError(absl::StrCat("random: percent ", random.percent(),
                                   ": must be above 0 and at most ",
                                   kMostPercent));
  }
  if (counts && (random.num_identity() < 0 || random.num_identity() > 8)) {
    return UsageError(absl::StrCat("random: num_identity ",
                                   random.num_identity(),
                                   ": must be from 0 to 8, a cell's edges"));
  }
  if (counts && !(random.flops_threshold() >= 0 &&
                  std::isfinite(random.flops_threshold()))) {
    return UsageError(absl::StrCat("random: flops_threshold ",
                                   random.flops_threshold(),
                                   ": must be a number from 0 on"));
  }
  return absl::OkStatus();
}

absl::StatusOr<StudyPlan::Variant> ResolveVariant(const StudyVariant& variant,
                                                  const SearchConfig& common) {
  FD_RETURN_IF_ERROR(CheckVariantName(variant.name()));
  StudyPlan::Variant resolved;
  resolved.name = variant.name();
  resolved.description = variant.description();
  if (variant.has_search() == variant.has_random()) {
    return UsageError("must have one of search and random");
  }
  if (variant.has_random()) {
    FD_RETURN_IF_ERROR(CheckRandom(variant.random()));
    resolved.random = variant.random();
    return resolved;
  }
  FD_RETURN_IF_ERROR(Annotate(CheckStates(variant.search()), "search"));
  if (variant.search().has_recipe()) {
    return UsageError(
        "search: recipe: must stand in the study's own search: variants differ "
        "by what they set");
  }
  SearchConfig given = common;
  given.MergeFrom(variant.search());
  absl::StatusOr<SearchConfig> search = SearchFromMessage(given);
  if (!search.ok()) return Annotate(search.status(), "search");
  resolved.search = *std::move(search);
  return resolved;
}

absl::Status CheckLikes(const std::vector<StudyPlan::Variant>& variants) {
  std::vector<std::string> searches;
  for (const StudyPlan::Variant& variant : variants) {
    if (variant.search.has_value()) searches.push_back(variant.name);
  }
  for (const StudyPlan::Variant& variant : variants) {
    if (!variant.random.has_value() || !variant.random->has_like()) continue;
    const std::string& like = variant.random->like();
    if (std::find(searches.begin(), searches.end(), like) != searches.end()) {
      continue;
    }
    return UsageError(absl::StrCat(
        "variant ", variant.name, ": random: like ", Quote(like),
        ": must be a variant with a search",
        searches.empty() ? ", and there is none"
                         : absl::StrCat("; ", MustBeOneOf(like, searches))));
  }
  return absl::OkStatus();
}

absl::StatusOr<StudyPlan> Resolve(const Study& study) {
  StudyPlan plan;
  FD_RETURN_IF_ERROR(Annotate(CheckRunName(study.name()), "name"));
  FD_RETURN_IF_ERROR(CheckSeeds(study));
  plan.name = study.name();
  plan.description = study.description();
  plan.seeds.assign(study.seed().begin(), study.seed().end());
  if (study.tested() < 1 || study.tested() > study.seed_size()) {
    return UsageError(absl::StrCat("tested ", study.tested(),
                                   ": must be from 1 to the number of seeds, ",
                                   study.seed_size()));
  }
  plan.tested = study.tested();

  FD_RETURN_IF_ERROR(Annotate(CheckStates(study.train()), "train"));
  absl::StatusOr<TrainConfig> train = TrainFromMessage(study.train());
  if (!train.ok()) return Annotate(train.status(), "train");
  plan.train = *std::move(train);
  if (plan.train.valid_portion() == 0) {
    return UsageError(
        "train: valid_portion 0: must be above 0: networks are ranked by the "
        "images that it holds out");
  }
  plan.dataset = plan.train.dataset();

  FD_RETURN_IF_ERROR(Annotate(CheckStates(study.search()), "search"));
  if (study.variant_size() < 1 || study.variant_size() > kMostVariants) {
    return UsageError(absl::StrCat("variant: there are ", study.variant_size(),
                                   "; must be from 1 to ", kMostVariants));
  }
  std::set<std::string> names;
  for (const StudyVariant& variant : study.variant()) {
    absl::StatusOr<StudyPlan::Variant> resolved =
        ResolveVariant(variant, study.search());
    const std::string context =
        absl::StrCat("variant ", EscapeUnprintable(variant.name()));
    if (!resolved.ok()) return Annotate(resolved.status(), context);
    // Some file systems do not tell 'A' from 'a'.
    if (!names.insert(absl::AsciiStrToLower(variant.name())).second) {
      return UsageError(absl::StrCat(
          context, ": another variant has this name; give each its own"));
    }
    if (resolved->search.has_value() &&
        resolved->search->dataset() != plan.dataset) {
      return UsageError(absl::StrCat(
          context, ": search: dataset ", resolved->search->dataset(),
          ": must be that of train, ", plan.dataset));
    }
    plan.variants.push_back(*std::move(resolved));
  }
  FD_RETURN_IF_ERROR(CheckLikes(plan.variants));
  plan.record = ToTextproto(study);
  return plan;
}

}  // namespace

std::string StudyPlan::Folder(absl::string_view variant, uint64_t seed) {
  return absl::StrCat(variant, "/seed-", seed);
}

std::vector<StudyPlan::Run> StudyPlan::Runs() const {
  std::vector<Run> runs;
  for (const uint64_t seed : seeds) {
    for (const bool searched : {true, false}) {
      for (const Variant& variant : variants) {
        if (variant.search.has_value() == searched) {
          runs.push_back({&variant, seed});
        }
      }
    }
  }
  return runs;
}

SearchConfig StudyPlan::SearchOf(const Run& run,
                                 const StudyMachine& machine) const {
  SearchConfig config = *run.variant->search;
  config.set_seed(run.seed);
  config.set_data(machine.data);
  config.set_threads(machine.threads);
  config.set_report_freq(machine.report_freq);
  return config;
}

TrainConfig StudyPlan::TrainOf(const Run& run,
                               const StudyMachine& machine) const {
  TrainConfig config = train;
  config.set_seed(run.seed);
  config.set_data(machine.data);
  config.set_threads(machine.threads);
  config.set_report_freq(machine.report_freq);
  return config;
}

absl::StatusOr<StudyPlan> ParseStudy(absl::string_view text,
                                     absl::string_view source) {
  Study study;
  const absl::Status parsed = ParseStrictTextproto(text, study);
  if (!parsed.ok()) {
    return UsageError(absl::StrCat(source, ": ", parsed.message()));
  }
  absl::StatusOr<StudyPlan> plan = Resolve(study);
  if (!plan.ok()) return Annotate(plan.status(), source);
  return plan;
}

std::vector<std::string> StudyWarnings(const StudyPlan& plan) {
  std::vector<std::string> warnings;
  for (const StudyPlan::Variant& variant : plan.variants) {
    if (!variant.search.has_value()) continue;
    for (const std::string& warning : SearchWarnings(*variant.search)) {
      warnings.push_back(absl::StrCat("variant ", variant.name, ": ", warning));
    }
  }
  return warnings;
}

absl::StatusOr<StudyText> FindStudy(absl::string_view recipe) {
  std::vector<std::string> names;
  for (const Recipe& shipped : StudyRecipes()) {
    if (shipped.name == recipe) {
      return StudyText{std::string(shipped.text),
                       absl::StrCat("recipe ", recipe)};
    }
    names.emplace_back(shipped.name);
  }
  const std::string path = UserPath(recipe);
  std::error_code error;
  if (recipe.empty() || !std::filesystem::exists(path, error)) {
    return UsageError(absl::StrCat(
        "recipe ", Quote(recipe), ": is no file (", EscapeUnprintable(path),
        ") and no study that comes with the program: ",
        absl::StrJoin(names, ", "),
        DidYouMean(recipe, names).empty() ? "" : "; ",
        DidYouMean(recipe, names)));
  }
  FD_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxConfigBytes));
  return StudyText{std::move(text), path};
}

}  // namespace fairdarts
