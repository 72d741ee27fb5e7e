#!/bin/sh
# usage: make_package.sh TARBALL VERSION ARCHIVE SHARED CC STRIP TEXT...
# Puts the package together, in the root of the sources; the same input gives
# the same bytes.
set -eu
tarball=$1 version=$2 archive=$3 shared=$4 cc=$5 strip=$6
shift 6
public="fairdarts/inference.h fairdarts/inference_c.h"

if ! grep -q "^#define FAIRDARTS_VERSION \"$version\"\$" \
  fairdarts/inference_c.h; then
  echo "the package's version is $version, but fairdarts/inference_c.h says:" \
    "$(grep '^#define FAIRDARTS_VERSION' fairdarts/inference_c.h)" >&2
  exit 1
fi
major=${version%%.*}
soname=$(readelf -d "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
if [ "$soname" != "libfairdarts_inference.so.$major" ]; then
  echo "the package's version is $version, but its library's soname is" \
    "\"$soname\"" >&2
  exit 1
fi
abseil=$(printf '#include "absl/base/config.h"\nABSL_LTS_RELEASE_VERSION\n' |
  "$cc" -x c++ -std=c++17 -E -P - | tail -n 1)
case $abseil in
  20*) ;;
  *) echo "Abseil's release is not known: $abseil" >&2; exit 1 ;;
esac

stage=$tarball.stage
name=$(basename "$tarball" .tar.gz)
root=$stage/$name
rm -rf "$stage"
trap 'rm -rf "$stage"' EXIT
mkdir -p "$root/lib/pkgconfig" "$root/lib/cmake/fairdarts_inference"

# What a program's #include reaches, and nothing else.
# shellcheck disable=SC2086
"$cc" -x c++ -std=c++17 -MM -I. $public | tr ' \\' '\n\n' | grep '\.h$' |
  sort -u | while read -r header; do
  mkdir -p "$root/include/$(dirname "$header")"
  cp "$header" "$root/include/$header"
done

install -m 644 "$archive" "$root/lib/libfairdarts_inference.a"
"$strip" -o "$root/lib/libfairdarts_inference.so.$version" "$shared"
ln -s "libfairdarts_inference.so.$version" \
  "$root/lib/libfairdarts_inference.so.$major"
ln -s "libfairdarts_inference.so.$major" "$root/lib/libfairdarts_inference.so"

for text; do
  file=$(basename "$text" .in)
  case $file in
    *.pc) to=$root/lib/pkgconfig/$file ;;
    *.cmake) to=$root/lib/cmake/fairdarts_inference/$file ;;
    *) to=$root/$file ;;
  esac
  sed -e "s/@VERSION@/$version/g" -e "s/@MAJOR@/$major/g" \
    -e "s/@ABSEIL@/$abseil/g" "$text" > "$to"
done

tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
  --mode='u+rw,go+r,go-w,a+X' --format=ustar -C "$stage" -cf - "$name" |
  gzip -n -9 > "$tarball"
