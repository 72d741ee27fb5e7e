#!/bin/sh
# usage: exported_symbols_test.sh LIBRARY EXPECTED
# The library defines exactly the symbols of EXPECTED for others, and needs
# neither LibTorch nor protobuf.
nm -D --defined-only "$1" | awk '{print $3}' | sort > "$TEST_TMPDIR/found"
if ! diff "$2" "$TEST_TMPDIR/found"; then
  echo "exported symbols: < as listed, > as found"
  exit 1
fi
if objdump -p "$1" | grep NEEDED | grep -i -e torch -e protobuf; then
  echo "the library must not need these"
  exit 1
fi
