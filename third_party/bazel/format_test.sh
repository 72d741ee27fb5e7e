#!/bin/sh
# usage: format_test.sh FILE...
# Fails where clang-format 14 would change a file, and where x.cc does not
# include its own x.h first (which is what proves that x.h compiles alone).
failed=0
for file in "$@"; do
  if ! clang-format-14 --dry-run -Werror --style=file "$file"; then
    echo "$file: run clang-format-14 -i on it"
    failed=1
  fi
  header="${file%.cc}.h"
  if [ "$header" != "$file" ] && [ -e "$header" ]; then
    first=$(grep -m 1 '^#include' "$file")
    if [ "$first" != "#include \"$header\"" ]; then
      echo "$file: includes $first before \"$header\""
      failed=1
    fi
  fi
done
exit $failed
