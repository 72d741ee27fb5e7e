#include "genotypes/proto_io.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "genotypes/strict_proto.h"

namespace fairdarts {
namespace {

GenotypeProto::Form FormToProto(GenotypeForm form) {
  switch (form) {
    case GenotypeForm::kPairs:
      return GenotypeProto::PAIRS;
    case GenotypeForm::kThreshold:
      return GenotypeProto::THRESHOLD;
    case GenotypeForm::kWeighted:
      return GenotypeProto::WEIGHTED;
  }
  FD_CHECK(false) << "no form has the number " << static_cast<int>(form);
  return GenotypeProto::FORM_UNSPECIFIED;
}

absl::StatusOr<GenotypeForm> FormFromProto(const GenotypeProto& proto) {
  switch (proto.form()) {
    case GenotypeProto::PAIRS:
      return GenotypeForm::kPairs;
    case GenotypeProto::THRESHOLD:
      return GenotypeForm::kThreshold;
    case GenotypeProto::WEIGHTED:
      return GenotypeForm::kWeighted;
    default:
      return DataError(
          absl::StrCat("form: is ", static_cast<int>(proto.form()),
                       "; it has to be PAIRS, THRESHOLD or WEIGHTED"));
  }
}

void CellToProto(const GenotypeCell& cell, GenotypeForm form,
                 GenotypeProto::Cell& proto) {
  for (const GenotypeEdge& edge : cell.edges) {
    GenotypeProto::Edge& out = *proto.add_edge();
    const absl::string_view name = PrimitiveName(edge.op);
    out.set_op(name.data(), name.size());
    out.set_to(edge.to);
    out.set_from(edge.from);
    if (form == GenotypeForm::kWeighted) out.set_weight(edge.weight);
  }
  proto.mutable_concat()->Add(cell.concat.begin(), cell.concat.end());
}

absl::StatusOr<GenotypeEdge> EdgeFromProto(const GenotypeProto::Edge& proto,
                                           GenotypeForm form) {
  const bool weighted = form == GenotypeForm::kWeighted;
  for (const auto& [present, field] :
       {std::pair(proto.has_op(), "op"), std::pair(proto.has_to(), "to"),
        std::pair(proto.has_from(), "from"),
        std::pair(proto.has_weight() || !weighted, "weight")}) {
    if (!present) return DataError(absl::StrCat(field, ": is missing"));
  }
  if (proto.has_weight() && !weighted) {
    return DataError(
        absl::StrCat("weight: ", FormName(form), " have no weights"));
  }
  GenotypeEdge edge;
  const absl::StatusOr<Primitive> op = ParsePrimitive(proto.op());
  if (!op.ok()) return Annotate(op.status(), "op");
  edge.op = *op;
  edge.to = proto.to();
  edge.from = proto.from();
  if (weighted) edge.weight = proto.weight();
  return edge;
}

absl::StatusOr<GenotypeCell> CellFromProto(const GenotypeProto::Cell& proto,
                                           GenotypeForm form) {
  GenotypeCell cell;
  for (int i = 0; i < proto.edge_size(); ++i) {
    const absl::StatusOr<GenotypeEdge> edge =
        EdgeFromProto(proto.edge(i), form);
    if (!edge.ok()) return Annotate(edge.status(), absl::StrCat("edge ", i));
    cell.edges.push_back(*edge);
  }
  cell.concat.assign(proto.concat().begin(), proto.concat().end());
  return cell;
}

}  // namespace

GenotypeProto GenotypeToProto(const Genotype& genotype) {
  GenotypeProto proto;
  proto.set_form(FormToProto(genotype.form));
  CellToProto(genotype.normal, genotype.form, *proto.mutable_normal());
  CellToProto(genotype.reduce, genotype.form, *proto.mutable_reduce());
  return proto;
}

absl::StatusOr<Genotype> GenotypeFromProto(const GenotypeProto& proto) {
  for (const auto& [present, field] :
       {std::pair(proto.has_form(), "form"),
        std::pair(proto.has_normal(), "normal"),
        std::pair(proto.has_reduce(), "reduce")}) {
    if (!present) return DataError(absl::StrCat(field, ": is missing"));
  }
  Genotype genotype;
  FD_ASSIGN_OR_RETURN(genotype.form, FormFromProto(proto));
  absl::StatusOr<GenotypeCell> normal =
      CellFromProto(proto.normal(), genotype.form);
  if (!normal.ok()) return Annotate(normal.status(), "normal");
  absl::StatusOr<GenotypeCell> reduce =
      CellFromProto(proto.reduce(), genotype.form);
  if (!reduce.ok()) return Annotate(reduce.status(), "reduce");
  genotype.normal = *std::move(normal);
  genotype.reduce = *std::move(reduce);
  FD_RETURN_IF_ERROR(genotype.Validate());
  return genotype;
}

std::string SerializeGenotype(const Genotype& genotype, GenotypeFormat format) {
  const GenotypeProto proto = GenotypeToProto(genotype);
  return format == GenotypeFormat::kText ? ToTextproto(proto) : ToBinary(proto);
}

absl::StatusOr<Genotype> ParseGenotype(absl::string_view contents,
                                       GenotypeFormat format) {
  GenotypeProto proto;
  FD_RETURN_IF_ERROR(format == GenotypeFormat::kText
                         ? ParseStrictTextproto(contents, proto)
                         : ParseStrictBinary(contents, proto));
  return GenotypeFromProto(proto);
}

absl::StatusOr<Genotype> ReadGenotypeFile(const std::string& path,
                                          GenotypeFormat format) {
  FD_ASSIGN_OR_RETURN(const std::string contents,
                      ReadFile(path, kMaxGenotypeFileBytes));
  absl::StatusOr<Genotype> genotype = ParseGenotype(contents, format);
  if (!genotype.ok()) return Annotate(genotype.status(), path);
  return genotype;
}

absl::Status WriteGenotypeFile(const std::string& path,
                               const Genotype& genotype,
                               GenotypeFormat format) {
  FD_RETURN_IF_ERROR(Annotate(genotype.Validate(), path));
  return WriteFileAtomic(path, SerializeGenotype(genotype, format));
}

}  // namespace fairdarts
