#!/bin/sh
# usage: manifest_test.sh MANIFEST
# Each line of MANIFEST is "SHA-256 bytes file"; the files lie beside it. Every
# file has its line, and every line its file with these bytes.
cd "$(dirname "$1")" || exit 1
failed=0
while read -r sum bytes file; do
  if [ "$(sha256sum < "$file" | cut -d' ' -f1)" != "$sum" ] ||
     [ "$(wc -c < "$file")" != "$bytes" ]; then
    echo "$file is not what MANIFEST says"
    failed=1
  fi
done < MANIFEST
for file in *.*; do
  if ! grep -q " $file\$" MANIFEST; then
    echo "$file has no line in MANIFEST"
    failed=1
  fi
done
exit $failed
