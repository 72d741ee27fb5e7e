#!/bin/sh
# usage: size_test.sh LIBRARY BYTES
# The stripped library, as it ships, takes at most so many bytes.
if readelf -S "$1" | grep -q '\.debug_info'; then
  echo "built for debugging: as large as it likes"
  exit 0
fi
strip -o "$TEST_TMPDIR/stripped" "$1" || exit 1
size=$(wc -c < "$TEST_TMPDIR/stripped")
echo "$size bytes of at most $2"
[ "$size" -le "$2" ]
