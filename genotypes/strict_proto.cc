#include "genotypes/strict_proto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/unknown_field_set.h>

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/quote.h"

namespace fairdarts {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

constexpr int kMaxDepth = 16;

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!status_.ok()) return;
    // protobuf's messages quote the file, which may hold anything.
    const std::string what = EscapeUnprintable(message);
    status_ = DataError(line < 0 ? what
                                 : absl::StrCat("line ", line + 1, ", column ",
                                                column + 1, ": ", what));
  }
  void AddWarning(int line, int column, const std::string& message) override {
    AddError(line, column, message);
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

absl::Status RefuseUnknownFields(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  if (unknown.field_count() > 0) {
    return DataError(
        absl::StrCat("the field number ", unknown.field(0).number(), " of ",
                     message.GetDescriptor()->full_name(), " is not known"));
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      FD_RETURN_IF_ERROR(
          RefuseUnknownFields(reflection.GetMessage(message, field)));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      FD_RETURN_IF_ERROR(RefuseUnknownFields(
          reflection.GetRepeatedMessage(message, field, i)));
    }
  }
  return absl::OkStatus();
}

// protobuf counts bytes in an int.
absl::Status CheckSize(absl::string_view bytes) {
  if (bytes.size() <= std::numeric_limits<int>::max()) return absl::OkStatus();
  return DataError("has more bytes than a message can have");
}

}  // namespace

absl::Status ParseStrictTextproto(absl::string_view text, Message& message) {
  FD_RETURN_IF_ERROR(CheckSize(text));
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(kMaxDepth);
  google::protobuf::io::ArrayInputStream input(text.data(),
                                               static_cast<int>(text.size()));
  const bool parsed = parser.Parse(&input, &message);
  FD_RETURN_IF_ERROR(errors.status());
  if (!parsed) return DataError("is not a textproto");
  return absl::OkStatus();
}

absl::Status ParseStrictBinary(absl::string_view bytes, Message& message) {
  FD_RETURN_IF_ERROR(CheckSize(bytes));
  google::protobuf::io::CodedInputStream input(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  input.SetRecursionLimit(kMaxDepth);
  if (!message.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage()) {
    return DataError(absl::StrCat("is not a whole ",
                                  message.GetDescriptor()->full_name(),
                                  " in protobuf's wire format"));
  }
  FD_RETURN_IF_ERROR(RefuseUnknownFields(message));
  if (ToBinary(message) != bytes) {
    return DataError(absl::StrCat(
        "is not what protobuf writes for this ",
        message.GetDescriptor()->full_name(),
        ": a field is there twice, or the fields are out of order"));
  }
  return absl::OkStatus();
}

std::string ToTextproto(const Message& message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  FD_CHECK(printer.PrintToString(message, &text));
  return absl::StrCat(
      "# proto-file: ", message.GetDescriptor()->file()->name(),
      "\n# proto-message: ", message.GetDescriptor()->full_name(), "\n", text);
}

std::string ToBinary(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream sink(&bytes);
  google::protobuf::io::CodedOutputStream stream(&sink);
  stream.SetSerializationDeterministic(true);
  FD_CHECK(message.SerializeToCodedStream(&stream));
  stream.Trim();
  return bytes;
}

}  // namespace fairdarts
