#!/bin/sh
# usage: layering_test.sh PACKAGE/needs... PACKAGE/cuda_needs...
# Each file lists the targets that a package needs, one a line. No package may
# need one of a later stage, and only the stages from ops on may need LibTorch.

# The stage of a package, by its first folders; nothing for third parties.
stage() {
  case "$1" in
    fairdarts/base | fairdarts/base/*) echo 0 ;;
    genotypes | genotypes/*) echo 1 ;;
    ops | ops/*) echo 2 ;;
    search_space | search_space/*) echo 3 ;;
    fairdarts | fairdarts/*) echo 4 ;;
    training | training/*) echo 5 ;;
    tests | tests/*) echo 6 ;;
  esac
}

failed=0
for file in "$@"; do
  package=${file%/*}
  own=$(stage "$package")
  if [ -z "$own" ]; then
    echo "$package belongs to no stage: give it one in layering_test.sh"
    failed=1
    continue
  fi
  if ! [ -s "$file" ]; then
    echo "$file is empty: a package needs at least its own targets"
    failed=1
  fi
  for needed in $(sed -n 's|^//\([^:]*\):.*|\1|p' "$file" | sort -u); do
    theirs=$(stage "$needed")
    if [ -n "$theirs" ] && [ "$theirs" -gt "$own" ]; then
      echo "//$package needs //$needed, which is of a later stage"
      failed=1
    fi
  done
  if [ "$own" -lt 2 ] &&
     grep -q -e '^@libtorch//' -e '^//third_party/libtorch' "$file"; then
    echo "//$package needs LibTorch, which belongs to the stages from ops on"
    failed=1
  fi
done
exit $failed
