#ifndef GENOTYPES_CATALOG_DATA_H_
#define GENOTYPES_CATALOG_DATA_H_

// The text of genotypes/data/catalog.textproto inside the program, so that no
// binary needs the file at run time. The build makes the definition.

namespace fairdarts {

extern const char kCatalogTextproto[];

}  // namespace fairdarts

#endif  // GENOTYPES_CATALOG_DATA_H_
