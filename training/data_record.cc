#include "training/data_record.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kData[] = "data";

std::string DataPrint(const Dataset& dataset) {
  const auto print = [](const std::vector<uint8_t>& bytes) {
    return Fnv1a64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  return absl::StrFormat("%016x", RandomStream(kData, {print(dataset.images),
                                                       print(dataset.labels)})
                                      .At(0));
}

}  // namespace

void PutDataRecord(const Dataset& dataset, Snapshot& snapshot) {
  snapshot.PutText(kData, DataPrint(dataset));
}

absl::Status CheckDataRecord(const Snapshot& snapshot, const Dataset& dataset) {
  FD_ASSIGN_OR_RETURN(const std::string recorded, snapshot.Text(kData));
  if (recorded == DataPrint(dataset)) return absl::OkStatus();
  return snapshot.Error(
      absl::StrCat("was made with other images or labels than those of ",
                   dataset.name, " now; give the same --data"));
}

}  // namespace fairdarts
