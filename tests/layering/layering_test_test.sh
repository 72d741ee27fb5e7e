#!/bin/sh
# usage: layering_test_test.sh LAYERING_TEST
# Shows that LAYERING_TEST fails where it should, and only there.
check=$PWD/$1
cd "$TEST_TMPDIR" || exit 1
failed=0

# expect RESULT PACKAGE LINE...: RESULT is 0 for a package that needs LINEs.
expect() {
  result=$1
  package=$2
  shift 2
  mkdir -p "$package"
  printf '%s\n' "$@" > "$package/needs"
  "$check" "$package/needs"
  if [ $? -ne "$result" ]; then
    echo "$package that needs $*: expected $result"
    failed=1
  fi
}

expect 0 ops //ops:pool //genotypes:primitive //fairdarts/base:check \
  @libtorch//:torch
expect 0 fairdarts //fairdarts:relaxation //search_space:supernet
expect 1 genotypes //genotypes:cost //ops:pool
expect 1 ops //ops:pool //fairdarts:relaxation
expect 1 search_space //search_space:supernet //training/data:batch
expect 1 fairdarts/base //fairdarts/base:file //fairdarts:relaxation
expect 1 training //training:search //tests:status_matchers
expect 1 genotypes //genotypes:cost @libtorch//:torch
expect 1 fairdarts/base //third_party/libtorch:libtorch
expect 1 unknown //unknown:thing
: > ops/needs
if "$check" ops/needs; then
  echo "an empty list passed"
  failed=1
fi
exit $failed
