#!/bin/sh
# usage: exported_symbols_test.sh LIBRARY SYMBOLS NEEDED
# The library defines exactly the symbols of one list for others, and needs
# exactly the libraries of the other.
failed=0
nm -D --defined-only "$1" | awk '{print $3}' | sort > "$TEST_TMPDIR/symbols"
if ! diff "$2" "$TEST_TMPDIR/symbols"; then
  echo "exported symbols: < as listed, > as found"
  failed=1
fi
# The loader is named differently on every architecture; sanitizers add theirs.
readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
  grep -v -e '^ld-linux' -e '^lib[a-z]*san\.so' | sort > "$TEST_TMPDIR/needed"
if ! diff "$3" "$TEST_TMPDIR/needed"; then
  echo "needed libraries: < as listed, > as found"
  failed=1
fi
exit $failed
