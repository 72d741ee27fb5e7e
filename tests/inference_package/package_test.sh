#!/bin/sh
# usage: package_test.sh TARBALL PROJECT_FILE WRITE_EXPECTED
# The package, used as others use it: with CMake, with pkg-config and a plain
# compiler, by its own README; every program has to find the logits of the
# library in the tree, to the bit.
set -u
tarball=$PWD/$1 project=$PWD/$(dirname "$2") write_expected=$PWD/$3
name=$(basename "$tarball" .tar.gz)
version=${name#fairdarts-inference-}
work=$TEST_TMPDIR/work
failed=0

fail() {
  echo "FAILED: $*"
  failed=1
}

# check WHAT COMMAND...: the command has to succeed.
check() {
  what=$1
  shift
  "$@" > "$work/log" 2>&1 || { cat "$work/log"; fail "$what"; }
}

# refuse WHAT MESSAGE COMMAND...: the command has to fail and to say MESSAGE.
refuse() {
  what=$1 message=$2
  shift 2
  if "$@" > "$work/log" 2>&1; then
    fail "$what was let pass"
  elif ! tr -s ' \n' ' ' < "$work/log" | grep -q "$message"; then
    cat "$work/log"
    fail "$what: does not say \"$message\""
  fi
}

# logits PROGRAM: finds what is expected.
logits() {
  rm -f "$work/logits"
  check "$1 runs" "$1" "$work/model.safetensors" "$work/images" "$work/logits"
  cmp "$work/expected" "$work/logits" || fail "$1: other logits"
}

# Without a folder of ours in any environment variable.
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH CFLAGS CXXFLAGS LDFLAGS
mkdir -p "$work"
cd "$work" || exit 1
"$write_expected" "$work" || exit 1

# What is in it does not depend on who built it, when and where.
if tar tvzf "$tarball" | grep -v ' 0/0 .* 1970-01-01 '; then
  fail "these have an owner or a time"
fi
[ "$(tar tzf "$tarball")" = "$(tar tzf "$tarball" | LC_ALL=C sort)" ] ||
  fail "not in order"
tar xzf "$tarball" || exit 1
if grep -rI -e "$PWD" -e bazel-out "$name"; then fail "names a build folder"; fi

# Whose code it contains.
for owner in "Niels Lohmann" "Florian Loitsch" "Bjoern Hoehrmann" "Highway" \
  "The Abseil Authors" "this permission notice shall be included"; do
  grep -q "$owner" "$name/NOTICE" || fail "NOTICE does not name $owner"
done
grep -q "Apache License" "$name/LICENSE" || fail "no LICENSE"

# It works wherever it lies.
mkdir "some where"
mv "$name" "some where/"
root="$work/some where/$name"

# The sanitizers of this build, where there are any.
sanitizers=""
symbols=$(nm -D "$root/lib/libfairdarts_inference.so"
  nm "$root/lib/libfairdarts_inference.a" 2>&1)
for sanitizer in address thread undefined; do
  short=$(echo $sanitizer | cut -c1)
  [ $sanitizer = undefined ] && short=ub
  if echo "$symbols" | grep -q " U __${short}san_"; then
    sanitizers="-fsanitize=$sanitizer"
  fi
done

# CMake.
configure() {
  cmake -S "$1" -B build -DCMAKE_PREFIX_PATH="$root" \
    -DCMAKE_C_FLAGS="$sanitizers" -DCMAKE_CXX_FLAGS="$sanitizers"
}
check "CMake configures" configure "$project"
check "CMake builds" cmake --build build
logits build/logits_c
logits build/logits_cpp

# asks LANGUAGE ARGUMENTS: configures a project that asks find_package for these.
asks() {
  mkdir -p asks
  printf '%s\n' "cmake_minimum_required(VERSION 3.16)" "project(asks $1)" \
    "find_package(fairdarts_inference $2 REQUIRED)" > asks/CMakeLists.txt
  rm -rf build
  configure asks
}
check "the C interface alone" asks C "$version EXACT COMPONENTS c"
refuse "a newer release" "$name.*version: $version" asks NONE 1.999
refuse "a newer major version" "version: $version" asks NONE 2
refuse "an older major version" "version: $version" asks NONE 0.9
refuse "a component of another name" \
  "there is no component cuda; c and cpp are there" \
  asks NONE "1 COMPONENTS cuda"

# pkg-config takes no folder with a space in its name.
mv "some where" there
root=$work/there/$name
export PKG_CONFIG_PATH="$root/lib/pkgconfig"
c99="cc -std=c99 -pedantic -Wall -Wextra -Werror $sanitizers"
# Word splitting is meant below: flags.
# shellcheck disable=SC2086,SC2046
{
  check "C99 against the shared library" \
    $c99 "$project/logits.c" -o c_shared \
    $(pkg-config --cflags --libs fairdarts_inference) "-Wl,-rpath,$root/lib"
  logits ./c_shared
  major=${version%%.*}
  readelf -d c_shared |
    grep -q "NEEDED.*libfairdarts_inference\.so\.$major\]" ||
    fail "c_shared does not ask for libfairdarts_inference.so.$major"
  grep -q "IMPORTED_SONAME \"libfairdarts_inference.so.$major\"" \
    "$root"/lib/cmake/*/fairdarts_inference-config.cmake ||
    fail "CMake is told another soname"

  check "C++ against the static library" \
    c++ -std=c++17 $sanitizers "$project/logits.cc" -o cpp_static \
    $(pkg-config --cflags --libs fairdarts_inference_static)
  logits ./cpp_static

  # With nothing shared at all; sanitizers cannot do without.
  check "C99 without linking" \
    $c99 $(pkg-config --cflags fairdarts_inference_static) \
    -c "$project/logits.c" -o c_static.o
  check "C against the static library" \
    c++ ${sanitizers:--static} c_static.o -o c_static \
    $(pkg-config --static --libs fairdarts_inference_static)
  logits ./c_static

  refuse "C++ against the shared library" \
    "undefined reference to .fairdarts::Session::Load" \
    c++ -std=c++17 $sanitizers "$project/logits.cc" -o wrong \
    $(pkg-config --cflags --libs fairdarts_inference) \
    $(pkg-config --libs absl_status)
}
check "pkg-config knows the release" \
  pkg-config --exists "fairdarts_inference = $version"
refuse "a newer release of the shared library" "has version '$version'" \
  pkg-config --print-errors --exists "fairdarts_inference > $version"
refuse "a newer release of the static library" "has version '$version'" \
  pkg-config --print-errors --exists "fairdarts_inference_static > $version"

exit $failed
