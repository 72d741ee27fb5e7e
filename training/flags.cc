#include "training/flags.h"

#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"
#include "google/protobuf/descriptor.h"
#include "training/field_value.h"
#include "training/flag_options.pb.h"

namespace fairdarts {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr size_t kColumns = 80;
constexpr size_t kHelpColumn = 24;

bool IsSwitch(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL;
}

// Every name of a flag, with '_' between words, and its field.
std::map<std::string, const FieldDescriptor*> FlagNames(
    const Descriptor& descriptor) {
  std::map<std::string, const FieldDescriptor*> names;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor* const field = descriptor.field(i);
    bool unique = names.emplace(field->name(), field).second;
    for (const std::string& alias :
         field->options().GetExtension(flag).alias()) {
      unique = names.emplace(alias, field).second && unique;
    }
    FD_CHECK(unique) << "a flag's name is taken twice: " << field->full_name();
  }
  return names;
}

absl::Status UnknownFlag(
    absl::string_view name,
    const std::map<std::string, const FieldDescriptor*>& names) {
  std::vector<std::string> known;
  for (const auto& [flag_name, field] : names) {
    known.push_back(absl::StrCat("--", flag_name));
  }
  std::string guess = DidYouMean(absl::StrCat("--", name), known);
  if (guess.empty()) guess = "--help lists the flags";
  return UsageError(absl::StrCat("--", name, ": unknown flag; ", guess));
}

// `text` in lines that begin at `column`, the first one after `margin`.
std::string Wrapped(std::string margin, absl::string_view text,
                    size_t column = kHelpColumn) {
  std::string lines;
  std::string line = std::move(margin);
  line.resize(std::max(column - 1, line.size()), ' ');
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    if (line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, line, "\n");
      line = std::string(column - 1, ' ');
    }
    absl::StrAppend(&line, " ", word);
  }
  return absl::StrCat(lines, line, "\n");
}

std::string HelpOf(const FieldDescriptor& field, const Message& defaults) {
  const FlagOptions& options = field.options().GetExtension(flag);
  std::string text = options.help();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    absl::StrAppend(&text, ": ",
                    absl::StrJoin(EnumSpellings(*field.enum_type()), ", "));
  }
  for (const std::string& alias : options.alias()) {
    absl::StrAppend(&text, " (also --", alias, ")");
  }
  const std::string value = FieldText(defaults, field);
  const bool has_value = field.has_default_value() ||
                         defaults.GetReflection()->HasField(defaults, &field);
  if (has_value && !value.empty()) absl::StrAppend(&text, " [", value, "]");
  return Wrapped(absl::StrCat("  --", field.name()), text);
}

}  // namespace

bool HelpRequested(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return true;
  }
  return false;
}

absl::Status ParseFlags(int argc, const char* const* argv, Message& message) {
  const auto names = FlagNames(*message.GetDescriptor());
  const auto find = [&](absl::string_view name) -> const FieldDescriptor* {
    const auto found = names.find(std::string(name));
    return found == names.end() ? nullptr : found->second;
  };
  std::string last_switch;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (!absl::StartsWith(argument, "--") || argument.size() == 2) {
      return UsageError(absl::StrCat(
          "unexpected argument '", argument, "': ",
          last_switch.empty() ? "arguments are written --name value"
                              : absl::StrCat("a value of ", last_switch,
                                             " is written after '=', as ",
                                             last_switch, "=false")));
    }
    last_switch.clear();
    // Split by hand: a value may hold further '='.
    const size_t equals = argument.find('=');
    const bool has_value = equals != absl::string_view::npos;
    const absl::string_view typed = argument.substr(2, equals - 2);
    absl::string_view value = has_value ? argument.substr(equals + 1) : "";
    const std::string name = absl::StrReplaceAll(typed, {{"-", "_"}});
    const std::string shown = absl::StrCat("--", typed);

    const FieldDescriptor* field = find(name);
    if (field == nullptr && absl::StartsWith(name, "no")) {
      field = find(name.substr(name[2] == '_' ? 3 : 2));
      if (field != nullptr && !IsSwitch(*field)) field = nullptr;
      if (field != nullptr && has_value) {
        return UsageError(absl::StrCat(shown, " ", value,
                                       ": must be written without a value, or "
                                       "as --",
                                       field->name(), "=", value));
      }
      value = "false";
    } else if (field != nullptr && !has_value) {
      if (IsSwitch(*field)) {
        value = "true";
        last_switch = shown;
      } else if (i + 1 == argc || absl::StartsWith(argv[i + 1], "--")) {
        return UsageError(absl::StrCat(shown, ": needs a value, as ", shown,
                                       " VALUE or ", shown, "=VALUE"));
      } else {
        value = argv[++i];
      }
    }
    if (field == nullptr) return UnknownFlag(typed, names);
    FD_RETURN_IF_ERROR(ParseField(shown, value, *field, message));
  }
  return absl::OkStatus();
}

std::string FlagsHelp(const Message& defaults) {
  const Descriptor& descriptor = *defaults.GetDescriptor();
  std::vector<std::string> groups;  // in the order of their first field
  std::map<std::string, std::string> flags_of;
  std::vector<std::string> refused;
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    const FlagOptions& options = field.options().GetExtension(flag);
    if (options.has_refused()) {
      refused.push_back(absl::StrCat("--", field.name()));
      continue;
    }
    const auto [group, is_new] = flags_of.emplace(options.group(), "");
    if (is_new) groups.push_back(options.group());
    group->second += HelpOf(field, defaults);
  }
  std::string help;
  for (const std::string& group : groups) {
    absl::StrAppend(&help, group, "\n", flags_of[group]);
  }
  if (!refused.empty()) {
    absl::StrAppend(
        &help,
        Wrapped("Refused, with a reason:", absl::StrJoin(refused, ", "), 3));
  }
  return help;
}

}  // namespace fairdarts
