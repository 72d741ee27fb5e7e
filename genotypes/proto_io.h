#ifndef GENOTYPES_PROTO_IO_H_
#define GENOTYPES_PROTO_IO_H_

// Genotypes to and from protocol buffers, text and binary.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"
#include "genotypes/genotype.pb.h"

namespace fairdarts {

// No genotype file is larger: the largest valid genotype takes half of it.
inline constexpr int64_t kMaxGenotypeFileBytes = int64_t{1} << 20;

enum class GenotypeFormat { kText, kBinary };

GenotypeProto GenotypeToProto(const Genotype& genotype);

// The genotype of a message; a data error names the field that is missing, not
// known or against the rules of Genotype::Validate().
absl::StatusOr<Genotype> GenotypeFromProto(const GenotypeProto& proto);

// The contents of a genotype file, and back. Strict as strict_proto.h.
std::string SerializeGenotype(const Genotype& genotype, GenotypeFormat format);
absl::StatusOr<Genotype> ParseGenotype(absl::string_view contents,
                                       GenotypeFormat format);

// The same through a file. Errors begin with the path; a genotype that is not
// valid is refused before anything is written.
absl::StatusOr<Genotype> ReadGenotypeFile(const std::string& path,
                                          GenotypeFormat format);
absl::Status WriteGenotypeFile(const std::string& path,
                               const Genotype& genotype, GenotypeFormat format);

}  // namespace fairdarts

#endif  // GENOTYPES_PROTO_IO_H_
