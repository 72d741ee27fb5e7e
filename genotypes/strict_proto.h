#ifndef GENOTYPES_STRICT_PROTO_H_
#define GENOTYPES_STRICT_PROTO_H_

// Protocol buffers from files that nobody vouches for.

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// Replaces `message` by what a textproto says. Unknown fields and enum values,
// singular fields given twice and messages nested deeper than 16 are refused;
// the data error gives line and column, both from 1.
absl::Status ParseStrictTextproto(absl::string_view text,
                                  google::protobuf::Message& message);

// Replaces `message` by what the wire format says. Refused are unknown fields
// at any depth and bytes other than those that protobuf itself writes for the
// message, such as a field given twice or trailing garbage.
absl::Status ParseStrictBinary(absl::string_view bytes,
                               google::protobuf::Message& message);

// The message as a textproto under two comment lines that name its type.
std::string ToTextproto(const google::protobuf::Message& message);

// The message in the wire format, the same bytes for equal messages.
std::string ToBinary(const google::protobuf::Message& message);

}  // namespace fairdarts

#endif  // GENOTYPES_STRICT_PROTO_H_
