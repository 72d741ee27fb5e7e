#include "training/profile_command.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"
#include "training/command.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/genotype_argument.h"
#include "training/memory_format.h"
#include "training/network_measurement.h"
#include "training/profile.pb.h"
#include "training/profiling/profile_table.h"

namespace fairdarts {
namespace {

constexpr char kUsage[] =
    "What the networks of genotypes cost, beside what was published.\n"
    "usage: profile [--genotype=WHICH] [flags]\n";

struct Subject {
  std::string name;
  Genotype genotype;
  const CatalogEntry* entry = nullptr;  // null: not a published one
};

// The catalog's entry that a name is the key of.
const CatalogEntry* EntryOf(absl::string_view name) {
  for (const CatalogEntry& entry : Catalog()) {
    if (entry.key() == name) return &entry;
  }
  return nullptr;
}

absl::StatusOr<std::vector<Subject>> SubjectsOf(const ProfileConfig& config,
                                                RunLog& log) {
  std::vector<Subject> subjects;
  if (config.genotype() == "all") {
    if (config.parse_method() != GenotypeOptions::AUTO) {
      return UsageError(
          "--parse_method: the published genotypes are of several rules; it "
          "goes with one --genotype");
    }
    for (const CatalogEntry& entry : Catalog()) {
      subjects.push_back({entry.key(), entry.genotype, &entry});
    }
    return subjects;
  }
  GenotypeArgumentOptions options;
  options.parse_method = config.parse_method();
  options.runs_folder = RunsFolder();
  FD_ASSIGN_OR_RETURN(GenotypeArgument argument,
                      ResolveGenotypeArgument(config.genotype(), options));
  // Where the table is for a program, nothing else is said.
  if (config.format() == ProfileConfig::TEXT && !argument.note.empty()) {
    log.Info(argument.note);
  }
  const CatalogEntry* entry = EntryOf(argument.name);
  subjects.push_back(
      {std::move(argument.name), std::move(argument.genotype), entry});
  return subjects;
}

NetworkConfig NetworkOf(const ProfileConfig& config) {
  NetworkConfig network = config.network() == ProfileConfig::CIFAR
                              ? NetworkConfig::Cifar()
                              : NetworkConfig::ImageNet();
  const auto set = [](int value, int& field) {
    if (value > 0) field = value;
  };
  set(config.init_channels(), network.init_channels);
  set(config.layers(), network.layers);
  set(config.classes(), network.classes);
  set(config.image_size(), network.image_size);
  network.image_channels = config.image_channels();
  return network;
}

// Fills in the measurements. Genotypes of the catalog that are equal are
// measured once.
absl::Status MeasureAll(const std::vector<Subject>& subjects,
                        const ProfileConfig& config, Profile& profile,
                        RunLog& log) {
  MeasurementOptions options;
  options.batch_size = config.batch_size();
  options.threads = config.threads();
  options.channels_last =
      UsesChannelsLast(config.memory_format(), profile.config.init_channels);
  options.seconds = config.measure_seconds();
  std::map<std::string, Measurement> measured;  // by catalog key
  for (size_t i = 0; i < subjects.size(); ++i) {
    const Subject& subject = subjects[i];
    absl::optional<Measurement>& measurement = profile.rows[i].measurement;
    if (subject.entry != nullptr) {
      for (const std::string& key : subject.entry->same_genotype) {
        const auto found = measured.find(key);
        if (found != measured.end()) measurement = found->second;
      }
    }
    if (measurement) continue;
    log.Transient(absl::StrCat("measuring ", i + 1, " of ", subjects.size(),
                               ": ", subject.name));
    absl::StatusOr<NetworkMeasurement> result =
        MeasureNetwork(subject.genotype, profile.config, options);
    FD_RETURN_IF_ERROR(Annotate(result.status(), subject.name));
    measurement = result->measurement;
    profile.threads = result->threads;
    measured[subject.name] = result->measurement;
  }
  return absl::OkStatus();
}

std::string Format(const Profile& profile, ProfileConfig::Format format) {
  switch (format) {
    case ProfileConfig::CSV:
      return ProfileAsCsv(profile);
    case ProfileConfig::JSON:
      return ProfileAsJson(profile);
    case ProfileConfig::TEXT:
      break;
  }
  return ProfileAsText(profile);
}

absl::Status RunProfile(int argc, const char* const* argv, RunLog& log) {
  ProfileConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  FD_ASSIGN_OR_RETURN(const std::vector<Subject> subjects,
                      SubjectsOf(config, log));
  Profile profile;
  profile.config = NetworkOf(config);
  profile.batch_size = config.batch_size();
  for (const Subject& subject : subjects) {
    absl::StatusOr<ProfileRow> row = MakeProfileRow(
        subject.name, subject.genotype, subject.entry, profile.config);
    FD_RETURN_IF_ERROR(Annotate(row.status(), subject.name));
    profile.rows.push_back(*std::move(row));
  }
  if (config.measure()) {
    FD_RETURN_IF_ERROR(MeasureAll(subjects, config, profile, log));
  }
  const std::string text = Format(profile, config.format());
  log.Info(absl::StripSuffix(text, "\n"));  // which Info() puts there
  return absl::OkStatus();
}

}  // namespace

int ProfileCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(absl::StrCat(kUsage, "\n", FlagsHelp(ProfileConfig())));
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(RunProfile(argc, argv, log), "profile", log);
}

}  // namespace fairdarts
