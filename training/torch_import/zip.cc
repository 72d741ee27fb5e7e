#include "training/torch_import/zip.h"

#include <zip.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "training/torch_import/shown.h"

namespace fairdarts {
namespace {

std::string EntryNamed(absl::string_view name) {
  return absl::StrCat("entry \"", Shown(name), "\"");
}

// Nothing is ever written to these paths, but a name that points elsewhere has
// no honest reason.
bool StaysInside(absl::string_view name) {
  if (name.empty() || name[0] == '/' || absl::StrContains(name, '\\')) {
    return false;
  }
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

void ZipArchive::Closer::operator()(zip* archive) const {
  zip_discard(archive);
}

ZipArchive::ZipArchive(std::unique_ptr<zip, Closer> archive)
    : archive_(std::move(archive)) {}

absl::StatusOr<ZipArchive> ZipArchive::Open(absl::string_view bytes) {
  zip_error_t error;
  zip_error_init(&error);
  const auto finish = absl::MakeCleanup([&error] { zip_error_fini(&error); });
  zip_source_t* source =
      zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) {
    return absl::ResourceExhaustedError(zip_error_strerror(&error));
  }
  zip_t* opened =
      zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (opened == nullptr) {
    zip_source_free(source);
    return absl::DataLossError(
        absl::StrCat("is no whole zip archive: ", zip_error_strerror(&error)));
  }
  ZipArchive archive{std::unique_ptr<zip, Closer>(opened)};
  uint64_t claimed = 0;
  const zip_int64_t entries = zip_get_num_entries(opened, 0);
  // libzip takes no bytes at all for an archive of no entries.
  if (entries == 0) {
    return absl::DataLossError("is no whole zip archive: it has no entries");
  }
  for (zip_int64_t i = 0; i < entries; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    constexpr zip_uint64_t kWanted = ZIP_STAT_NAME | ZIP_STAT_SIZE |
                                     ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                     ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(opened, i, ZIP_FL_ENC_RAW, &stat) != 0 ||
        (stat.valid & kWanted) != kWanted) {
      return absl::DataLossError(absl::StrCat(
          "has an entry ", i, " that cannot be read: ", zip_strerror(opened)));
    }
    const std::string name = stat.name;
    if (!StaysInside(name)) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " lies outside of the archive"));
    }
    if (stat.comp_method != ZIP_CM_STORE || stat.size != stat.comp_size) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " is compressed, should be stored"));
    }
    if (stat.encryption_method != ZIP_EM_NONE) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " is encrypted"));
    }
    if (stat.size > bytes.size() - claimed) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " claims ", stat.size,
                       " bytes, more than the archive has left"));
    }
    claimed += stat.size;
    const Entry entry{static_cast<uint64_t>(i), stat.size};
    if (!archive.entries_.try_emplace(name, entry).second) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " comes twice"));
    }
    archive.names_.push_back(name);
  }
  return archive;
}

absl::StatusOr<std::string> ZipArchive::Read(absl::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return absl::DataLossError(absl::StrCat(EntryNamed(name), " is missing"));
  }
  zip_file_t* file = zip_fopen_index(archive_.get(), found->second.index, 0);
  if (file == nullptr) {
    return absl::DataLossError(absl::StrCat(
        EntryNamed(name), " cannot be read: ", zip_strerror(archive_.get())));
  }
  const auto closer = absl::MakeCleanup([file] { zip_fclose(file); });
  std::string contents(found->second.size, '\0');
  size_t filled = 0;
  while (true) {
    // One byte more than there should be, since only a read that meets the end
    // checks the sum.
    char surplus;
    const bool full = filled == contents.size();
    const zip_int64_t got = zip_fread(file, full ? &surplus : &contents[filled],
                                      full ? 1 : contents.size() - filled);
    if (got < 0) {
      return absl::DataLossError(absl::StrCat(
          EntryNamed(name), " cannot be read: ", zip_file_strerror(file)));
    }
    if (got == 0) break;
    if (full) {
      return absl::DataLossError(
          absl::StrCat(EntryNamed(name), " is longer than the ",
                       contents.size(), " bytes it claims"));
    }
    filled += got;
  }
  if (filled != contents.size()) {
    return absl::DataLossError(absl::StrCat(EntryNamed(name), " has ", filled,
                                            " bytes where it claims ",
                                            contents.size()));
  }
  return contents;
}

}  // namespace fairdarts
