#include "training/program_config.h"

#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "genotypes/strict_proto.h"
#include "google/protobuf/descriptor.h"
#include "training/config_file.h"
#include "training/data/dataset.h"
#include "training/field_value.h"
#include "training/flag_options.pb.h"
#include "training/run_folder.h"

namespace fairdarts {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

const FlagOptions& OptionsOf(const FieldDescriptor& field) {
  return field.options().GetExtension(flag);
}

const FieldDescriptor& Field(const Message& message, const char* name) {
  const FieldDescriptor* const field =
      message.GetDescriptor()->FindFieldByName(name);
  FD_CHECK(field != nullptr)
      << message.GetDescriptor()->full_name() << " has no field " << name;
  return *field;
}

bool Has(const Message& message, const char* name) {
  return message.GetReflection()->HasField(message, &Field(message, name));
}

std::string Text(const Message& message, const char* name) {
  return FieldText(message, Field(message, name));
}

void Set(Message& message, const char* name, const std::string& value) {
  message.GetReflection()->SetString(&message, &Field(message, name), value);
}

void Clear(Message& message, const char* name) {
  message.GetReflection()->ClearField(&message, &Field(message, name));
}

std::vector<std::string> RecipeNames(const ProgramConfig& program) {
  std::vector<std::string> names;
  for (const Recipe& recipe : program.recipes) names.emplace_back(recipe.name);
  return names;
}

// What is wrong with a configuration is the user's to mend, file or not.
absl::Status Parse(absl::string_view text, absl::string_view name,
                   Message& config) {
  const absl::Status parsed = ParseStrictTextproto(text, config);
  if (parsed.ok()) return parsed;
  return UsageError(absl::StrCat(name, ": ", parsed.message()));
}

absl::Status LoadRecipe(const ProgramConfig& program, absl::string_view name,
                        Message& config) {
  for (const Recipe& recipe : program.recipes) {
    if (recipe.name != name) continue;
    FD_RETURN_IF_ERROR(
        Parse(recipe.text, absl::StrCat("recipe ", name), config));
    Set(config, "recipe", std::string(name));
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat("recipe ", name, ": ",
                                 MustBeOneOf(name, RecipeNames(program))));
}

absl::Status LoadFile(const std::string& path, Message& config) {
  FD_ASSIGN_OR_RETURN(const std::string text,
                      ReadFile(UserPath(path), kMaxConfigBytes));
  FD_RETURN_IF_ERROR(Parse(text, path, config));
  for (const char* const name : {"config", "resume", "estimate"}) {
    if (config.GetDescriptor()->FindFieldByName(name) == nullptr ||
        !Has(config, name)) {
      continue;
    }
    return UsageError(absl::StrCat(path, ": ", name, " ", Text(config, name),
                                   ": must not be set in a file; give one --",
                                   name));
  }
  return Annotate(CheckFields(config), path);
}

// Whether `flags` sets a field that the recipe sets, other than its name.
bool Changes(const Message& flags, const Message& recipe) {
  std::vector<const FieldDescriptor*> stated;
  recipe.GetReflection()->ListFields(recipe, &stated);
  for (const FieldDescriptor* const field : stated) {
    if (field->name() != "recipe" &&
        flags.GetReflection()->HasField(flags, field)) {
      return true;
    }
  }
  return false;
}

// Whether a field asks for nothing: false, zero or the first name of its enum.
bool IsOff(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return !reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field) == 0;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, &field) == 0;
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnum(message, &field)->index() == 0;
    default:
      FD_CHECK(false) << field.full_name() << " is no switch";
      return false;
  }
}

// A value that does nothing, since what it belongs to is off, is not passed
// over when a flag gives it; where `without` the flags has the same, the user
// has only been explicit. Files may be records of runs, which state all values.
absl::Status CheckOfUse(const Message& flags, const Message& without,
                        const Message& config) {
  std::vector<const FieldDescriptor*> given;
  flags.GetReflection()->ListFields(flags, &given);
  for (const FieldDescriptor* const field : given) {
    if (!OptionsOf(*field).has_only_with()) continue;
    const std::string& needed = OptionsOf(*field).only_with();
    if (!IsOff(config, Field(config, needed.c_str())) ||
        FieldText(flags, *field) == FieldText(without, *field)) {
      continue;
    }
    return UsageError(absl::StrCat(
        "--", field->name(), " ", FieldText(flags, *field),
        ": means nothing where ", needed, " is ", Text(config, needed.c_str()),
        "; leave it out, or give --", needed));
  }
  return absl::OkStatus();
}

// Sets every unset field to the default that the proto gives it.
void MakeDefaultsExplicit(Message& config) {
  const auto* const reflection = config.GetReflection();
  const auto* const descriptor = config.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (!field.has_default_value() || reflection->HasField(config, &field)) {
      continue;
    }
    const absl::Status set =
        ParseField(field.name(), FieldText(config, field), field, config);
    FD_CHECK(set.ok()) << set.ToString();
  }
}

// The form in which a record means the same wherever it is read.
void Canonicalise(Message& config) {
  const std::string data = Text(config, "data");
  if (!data.empty()) {
    Set(config, "data", std::filesystem::absolute(UserPath(data)).string());
  }
  if (!Has(config, "dataset")) return;
  const auto dataset = CanonicalDatasetName(Text(config, "dataset"));
  if (dataset.ok()) Set(config, "dataset", *dataset);
}

// Every run states the fields that have neither a default nor a refusal.
absl::Status CheckComplete(const Message& config) {
  const auto* const descriptor = config.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (config.GetReflection()->HasField(config, &field) ||
        OptionsOf(field).has_refused() || field.name() == "config" ||
        field.name() == "resume") {
      continue;
    }
    return ModelFileError(absl::StrCat(
        field.name(), ": is missing, and nothing but the run can say it"));
  }
  return absl::OkStatus();
}

// Leaves in `given` what may change on resume; the rest must agree.
absl::Status CheckAgainstRecord(const ProgramConfig& program,
                                const Message& recorded,
                                absl::string_view record_name, Message& given) {
  std::vector<const FieldDescriptor*> stated;
  given.GetReflection()->ListFields(given, &stated);
  for (const FieldDescriptor* const field : stated) {
    if (OptionsOf(*field).may_change_on_resume()) continue;
    const std::string value = FieldText(given, *field);
    const std::string before = FieldText(recorded, *field);
    bool agree = value == before;
    if (!agree && program.agree != nullptr) {
      FD_ASSIGN_OR_RETURN(agree, program.agree(field->name(), value, before));
    }
    if (!agree) {
      return UsageError(absl::StrCat(
          field->name(), " ", value, ": the run that is resumed has ", before,
          " (", record_name, "); leave it out, or start a new run"));
    }
    given.GetReflection()->ClearField(&given, field);
  }
  return absl::OkStatus();
}

// Makes the values of recipe and file the whole configuration, under `flags`.
absl::Status MergeFlags(const ProgramConfig& program, const Message& flags,
                        Message& config) {
  const std::unique_ptr<Message> without(config.New());
  without->CopyFrom(config);
  config.MergeFrom(flags);
  Clear(config, "config");
  MakeDefaultsExplicit(config);
  Canonicalise(config);
  FD_RETURN_IF_ERROR(CheckFields(config));
  FD_RETURN_IF_ERROR(CheckOfUse(flags, *without, config));
  return program.validate(config);
}

}  // namespace

absl::Status ResolveConfig(const ProgramConfig& program, int argc,
                           const char* const* argv, Message& config,
                           std::string& note) {
  note.clear();
  const std::unique_ptr<Message> flags(config.New());
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, *flags));
  const std::unique_ptr<Message> file(config.New());
  if (Has(*flags, "config")) {
    FD_RETURN_IF_ERROR(LoadFile(Text(*flags, "config"), *file));
  }
  const bool by_flag = Has(*flags, "recipe");
  const bool named = by_flag || Has(*file, "recipe");
  const absl::Status loaded =
      LoadRecipe(program,
                 named ? Text(by_flag ? *flags : *file, "recipe")
                       : std::string(program.default_recipe),
                 config);
  if (!loaded.ok()) {
    return by_flag ? loaded : Annotate(loaded, Text(*flags, "config"));
  }
  if (!named && Changes(*flags, config)) {
    note = absl::StrCat("The flags change the recipe ", program.default_recipe,
                        "; for the paper's values add --recipe ",
                        program.paper_recipe, ".");
  }
  config.MergeFrom(*file);
  return MergeFlags(program, *flags, config);
}

absl::Status ResolveGiven(const ProgramConfig& program, const Message& given,
                          Message& config) {
  FD_CHECK(!Has(given, "config") && !Has(given, "resume"));
  FD_RETURN_IF_ERROR(LoadRecipe(program,
                                Has(given, "recipe")
                                    ? Text(given, "recipe")
                                    : std::string(program.default_recipe),
                                config));
  return MergeFlags(program, given, config);
}

absl::Status GivenOnCommandLine(int argc, const char* const* argv,
                                Message& given) {
  const std::unique_ptr<Message> flags(given.New());
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, *flags));
  if (Has(*flags, "config")) {
    FD_RETURN_IF_ERROR(LoadFile(Text(*flags, "config"), given));
  }
  given.MergeFrom(*flags);
  Clear(given, "config");
  Canonicalise(given);
  return absl::OkStatus();
}

absl::Status ResolveFromRecord(const ProgramConfig& program,
                               const Message& given, absl::string_view record,
                               absl::string_view record_name, Message& config) {
  const absl::Status parsed = ParseStrictTextproto(record, config);
  if (!parsed.ok()) {
    return ModelFileError(absl::StrCat(record_name, ": ", parsed.message()));
  }
  MakeDefaultsExplicit(config);
  FD_RETURN_IF_ERROR(Annotate(CheckComplete(config), record_name));
  absl::Status valid = CheckFields(config);
  if (valid.ok()) valid = program.validate(config);
  if (!valid.ok()) {
    return ModelFileError(absl::StrCat(record_name, ": ", valid.message()));
  }
  const std::unique_ptr<Message> changes(given.New());
  changes->CopyFrom(given);
  FD_RETURN_IF_ERROR(
      CheckAgainstRecord(program, config, record_name, *changes));
  config.MergeFrom(*changes);
  Clear(config, "config");
  // Both are right for themselves: what is wrong now is that they are together.
  return program.validate(config);
}

std::string ConfigHelp(const ProgramConfig& program, const Message& prototype) {
  const std::unique_ptr<Message> defaults(prototype.New());
  const absl::Status loaded =
      LoadRecipe(program, program.default_recipe, *defaults);
  FD_CHECK(loaded.ok()) << loaded.ToString();
  return absl::StrCat(
      program.summary, "\nusage: bazel run //training:", program.program,
      " -- [--flag value]...\n\n",
      "Recipes: ", absl::StrJoin(RecipeNames(program), ", "),
      "\nDatasets: ", absl::StrJoin(DatasetNames(), ", "),
      "\nIn brackets: what holds without the flag.\n\n", FlagsHelp(*defaults));
}

std::string ConfigText(const Message& config) {
  const std::unique_ptr<Message> record(config.New());
  record->CopyFrom(config);
  Clear(*record, "resume");
  if (record->GetDescriptor()->FindFieldByName("estimate") != nullptr) {
    Clear(*record, "estimate");
  }
  return ToTextproto(*record);
}

absl::Status CheckCommonRules(const Message& config) {
  const std::string dataset = Text(config, "dataset");
  if (!CanonicalDatasetName(dataset).ok()) {
    return UsageError(absl::StrCat(
        "dataset '", dataset, "': ", MustBeOneOf(dataset, DatasetNames())));
  }
  const auto rate = [&](const char* name) {
    return config.GetReflection()->GetDouble(config, &Field(config, name));
  };
  if (rate("learning_rate_min") > rate("learning_rate")) {
    return UsageError(absl::StrCat("learning_rate_min ",
                                   Text(config, "learning_rate_min"),
                                   ": must be at most learning_rate, which is ",
                                   Text(config, "learning_rate")));
  }
  return Annotate(CheckRunName(Text(config, "save")), "save");
}

}  // namespace fairdarts
