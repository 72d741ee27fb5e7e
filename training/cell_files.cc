#include "training/cell_files.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "genotypes/proto_io.h"
#include "genotypes/python_literal.h"
#include "genotypes/svg.h"
#include "training/data/npy.h"

namespace fairdarts {
namespace {

absl::Status WriteMatrix(const EdgeMatrix& matrix, const char* name,
                         const RunFolder& folder) {
  NpyMatrix npy;
  npy.rows = matrix.rows;
  npy.columns = matrix.cols;
  npy.values = matrix.values;
  return folder.Write(name, SerializeNpy(npy));
}

}  // namespace

absl::Status WriteGenotypeFiles(const Genotype& genotype,
                                const RunFolder& folder) {
  FD_RETURN_IF_ERROR(genotype.Validate());
  FD_RETURN_IF_ERROR(
      folder.Write("genotype.textproto",
                   SerializeGenotype(genotype, GenotypeFormat::kText)));
  FD_RETURN_IF_ERROR(
      folder.Write("genotype.txt", absl::StrCat(ToPythonText(genotype), "\n")));
  FD_RETURN_IF_ERROR(folder.Write(
      "normal.svg", CellToSvg(genotype.normal, genotype.form, "normal cell")));
  return folder.Write("reduce.svg", CellToSvg(genotype.reduce, genotype.form,
                                              "reduction cell"));
}

absl::Status WriteWeightMatrices(const EdgeMatrix& normal,
                                 const EdgeMatrix& reduce,
                                 const RunFolder& folder) {
  FD_RETURN_IF_ERROR(WriteMatrix(normal, "normal_weight.npy", folder));
  return WriteMatrix(reduce, "reduce_weight.npy", folder);
}

}  // namespace fairdarts
