#include "fairdarts/image/png.h"

#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/orientation.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kSignature("\x89PNG\r\n\x1a\n", 8);

// libpng reports an error by a jump to the last setjmp. Each method that sets
// one holds no object with a destructor, and the caller's are not jumped over.
class PngReader {
 public:
  explicit PngReader(absl::string_view bytes) : rest_(bytes) {
    png_ =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError, OnWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool has_memory() const { return info_ != nullptr; }
  png_uint_32 width() const { return png_get_image_width(png_, info_); }
  png_uint_32 height() const { return png_get_image_height(png_, info_); }
  int channels() const { return png_get_channels(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  // What comes before the pixels. False for an error, like those below.
  bool ReadHeader() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, Read);
    // The caller has limits of its own.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Nothing is unpacked that is not used.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT,
                                reinterpret_cast<png_const_bytep>("eXIf"), 1);
    png_read_info(png_, info_);
    return true;
  }

  // From here on pixels are grey or RGB of eight bits.
  bool AskForBytes() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    if (png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE) {
      png_set_palette_to_rgb(png_);
    } else if (png_get_bit_depth(png_, info_) < 8) {
      png_set_expand_gray_1_2_4_to_8(png_);
    }
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  // The pixels and the rest of the file.
  bool ReadPixels(uint8_t* pixels) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    for (int pass = 0; pass < passes_; ++pass) {
      for (png_uint_32 y = 0; y < height(); ++y) {
        png_read_row(png_, pixels + y * row_bytes(), nullptr);
      }
    }
    png_read_end(png_, info_);
    return true;
  }

  int orientation() const {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &size, &exif) == 0) return kUpright;
    return ExifOrientation(
        absl::string_view(reinterpret_cast<const char*>(exif), size));
  }

  absl::Status Error() const {
    return DataError(absl::StrCat("is no sound PNG: ", error_));
  }

 private:
  static void Read(png_structp png, png_bytep to, size_t count) {
    absl::string_view& rest =
        static_cast<PngReader*>(png_get_io_ptr(png))->rest_;
    if (count > rest.size()) png_error(png, "it ends early");
    std::memcpy(to, rest.data(), count);
    rest.remove_prefix(count);
  }

  [[noreturn]] static void OnError(png_structp png, png_const_charp message) {
    auto* const reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(reader->error_, sizeof(reader->error_), "%s", message);
    png_longjmp(png, 1);
  }

  static void OnWarning(png_structp, png_const_charp) {}

  absl::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  char error_[80] = "";
};

}  // namespace

bool IsPng(absl::string_view bytes) {
  return absl::StartsWith(bytes, kSignature);
}

absl::StatusOr<Image> DecodePng(absl::string_view bytes) {
  PngReader reader(bytes);
  if (!reader.has_memory()) return EnvironmentError("not enough memory");
  if (!reader.ReadHeader()) return reader.Error();
  FD_RETURN_IF_ERROR(CheckImageSize(reader.width(), reader.height()));
  if (!reader.AskForBytes()) return reader.Error();
  Image image;
  image.width = static_cast<int>(reader.width());
  image.height = static_cast<int>(reader.height());
  image.channels = reader.channels();
  FD_CHECK(image.channels == 1 || image.channels == 3) << image.channels;
  FD_CHECK_EQ(reader.row_bytes(), size_t{reader.width()} * image.channels);
  image.pixels.resize(image.height * reader.row_bytes());
  if (!reader.ReadPixels(image.pixels.data())) return reader.Error();
  return Upright(std::move(image), reader.orientation());
}

}  // namespace fairdarts
