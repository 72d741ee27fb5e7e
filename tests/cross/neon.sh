#!/bin/bash
# By hand: the tests of kernels, sessions and the search engine, compiled for
# 64-bit Arm and run under QEMU, for machines without one.
#
#   apt-get install g++-aarch64-linux-gnu googletest qemu-user
#   tests/cross/neon.sh [--gtest_filter=PATTERN ...]
#
# Arguments go to every test. Abseil for Arm is unpacked into a temporary
# folder; nothing is installed. BAZEL names what is run in place of ./bazelw,
# which only says here what has to be compiled, with which options.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v $tool > /dev/null || {
    echo "neon.sh: $tool is missing; see the packages in this script" >&2
    exit 6
  }
done

query() { ${BAZEL:-./bazelw} query "$@" 2> "$work/query.log" ||
  { cat "$work/query.log" >&2; exit 1; } }
# Of the files among labels of the tree: fairdarts/base/status.cc.
sources() { sed -n 's,^//\([^:]*\):\(.*\.cc\)$,\1/\2,p' "$1" | sort -u; }

echo "What is to be compiled ..."
packages="//ops/kernels/... + //fairdarts/runtime/... +
          //search_space/engine/..."
# Those with protobuf would need it for Arm as well.
tests="(kind(cc_test, $packages) except
        rdeps($packages, @com_google_protobuf//:protobuf))"
query "kind('source file', labels(srcs, $tests))" > "$work/tests"
query "kind('source file', deps($tests))" > "$work/all"
query "labels(srcs, attr(copts, HWY_DISABLED_TARGETS, deps($tests)))" \
  > "$work/kernels"
sources "$work/tests" > "$work/tests.txt"
sources "$work/all" | grep -vxFf "$work/tests.txt" > "$work/libraries.txt"
sources "$work/kernels" > "$work/kernels.txt"
query --output=build //ops/kernels/gemm |
  sed -n 's/^ *copts = \[\(.*\)\],$/\1/p' | sed 's/", "/"\n"/g' \
  > "$work/options"
grep -q HWY_DISABLED_TARGETS "$work/options"

echo "Abseil for Arm ..."
mkdir -p "$work"/apt/{lists,cache/archives}/partial "$work/sysroot"
touch "$work/apt/status"
cat > "$work/apt/conf" << CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
CONF
(
  cd "$work/apt"
  export APT_CONFIG=$work/apt/conf
  apt-get -qq update
  apt-get -qq download libabsl-dev
  dpkg -x libabsl-dev_*.deb "$work/sysroot"
)
absl=$(echo "$work"/sysroot/usr/lib/*/libabsl_*.a)

echo "Compiling ..."
mkdir "$work/objects"
googletest=/usr/src/googletest
export work googletest
# shellcheck disable=SC2016
compile='aarch64-linux-gnu-g++ -std=c++17 -DNDEBUG -I. "$@" -c "$file" \
         -o "$work/objects/$(echo "$file" | tr / _).o"'
each() { xargs -P "$(nproc)" -I{} env file={} sh -c "$compile" - "$@"; }
each "@$work/options" < "$work/kernels.txt"
cat "$work/libraries.txt" "$work/tests.txt" | grep -vxFf "$work/kernels.txt" |
  each -O1 -Wall -Wextra -Werror
for file in googletest/src/gtest-all.cc googlemock/src/gmock-all.cc \
            googlemock/src/gmock_main.cc; do
  file=$googletest/$file sh -c "$compile" - -O1 \
    -I$googletest/googletest/include -I$googletest/googletest \
    -I$googletest/googlemock/include -I$googletest/googlemock
done
(
  cd "$work/objects"
  # shellcheck disable=SC2046
  ar rcs ../libraries.a $(tr / _ < ../libraries.txt | sed 's/$/.o/') \
    _usr_src_googletest_*.o
)

# Where the tests look for golden files.
ln -s "$root" "$work/fairdarts"
export TEST_SRCDIR=$work TEST_WORKSPACE=fairdarts TEST_TMPDIR=$work
failed=0
while read -r file; do
  echo "== $file"
  # shellcheck disable=SC2086
  aarch64-linux-gnu-g++ -o "$work/test" \
    "$work/objects/$(echo "$file" | tr / _).o" "$work/libraries.a" \
    -Wl,--start-group $absl -Wl,--end-group -pthread
  qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/test" --gtest_brief=1 "$@" < /dev/null ||
    failed=$((failed + 1))
done < "$work/tests.txt"
echo "$failed of $(wc -l < "$work/tests.txt") test files failed"
[ "$failed" = 0 ]
