#!/bin/bash
# usage: classify_cli_test.sh CLASSIFY MAKE_CLASSIFY_CASE
# The program as a user meets it: what it says to images in every form, exit
# codes, one line on standard error for whatever is wrong.
set -u
classify=$PWD/$1
make_case=$PWD/$2
lib=$PWD/tests/cli/lib.sh
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
cd "$TEST_TMPDIR" || exit 1
. "$lib"
"$make_case" "$TEST_TMPDIR" || exit 1

# refuse CODE TEXT FLAGS...: the same in one line, and nothing is classified.
refuse() {
  local code=$1 text=$2
  shift 2
  expect "$code" "$text" "$classify" "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "not one line: $*"
  [ ! -s out ] || fail "something was said: $*"
}

# probabilities FLAGS...: of one image, without its name.
probabilities() {
  "$classify" --format=json "$@" | sed 's/.*"classes"//'
}

# same FLAGS... -- FLAGS...: both say the same of an image.
same() {
  local first=()
  while [ "$1" != -- ]; do
    first+=("$1")
    shift
  done
  shift
  local a b
  a=$(probabilities "${first[@]}")
  b=$(probabilities "$@")
  [ -n "$a" ] && [ "$a" = "$b" ] || fail "${first[*]} and $*: '$a' and '$b'"
}

grey=--model=grey.safetensors
colour=--model=colour.safetensors
expect 0 "colour.png" "$classify" $colour colour.png
[ "$(grep -c ' %  \(airplane\|bird\|cat\)$' out)" -eq 3 ] || fail "not 3 classes"
[ ! -s err ] || fail "something on standard error"
expect 0 '"classes":[{"index":' "$classify" $colour --format=json colour.png
grep -o '"probability":[^}]*' out | cut -d: -f2 |
  awk '{ sum += $1 } END { exit !(sum > 0.999999 && sum < 1.000001) }' ||
  fail "the probabilities do not add up to 1"

# The same pixels in every form, and another image is another thing.
same $grey grey.png -- $grey grey.jpg
same $grey grey.png -- $grey --raw=chw grey.raw
same $grey grey.png -- $grey --raw hwc grey.raw
same $colour colour.png -- $colour --raw=chw colour.chw
same $colour colour.png -- $colour --raw=hwc colour.hwc
same $colour colour.png -- $colour --threads=2 - <colour.png
[ "$(probabilities $colour colour.png)" != "$(probabilities $colour grey.png)" ] ||
  fail "every image is the same"
expect 0 "colour.jpg" "$classify" $colour colour.jpg
expect 0 "grey.png" "$classify" $colour grey.png
expect 0 "colour.png" "$classify" $grey colour.png

# By content, not by name; a name that looks like a flag.
cp colour.png picture.jpg
same $colour colour.png -- $colour picture.jpg
cp colour.png ./--top
expect 0 "--top" "$classify" $colour -- --top

# Flags.
refuse 2 "no model" colour.png
refuse 2 "no image" $colour
refuse 2 "did you mean --model?" --modle=colour.safetensors colour.png
refuse 2 "--top 0: must be" $colour --top=0 colour.png
refuse 2 "must be text or json" $colour --format=xml colour.png
refuse 2 "must be chw or hwc" $colour --raw=rgb colour.png
refuse 2 "from 1 to 1024" $colour --threads=0 colour.png
refuse 2 "--top: needs a value" $colour colour.png --top
refuse 2 "standard input" $colour - -

# Models.
refuse 4 "nowhere: cannot open" --model=nowhere colour.png
refuse 4 "grey.png: " --model=grey.png colour.png
head -c 2000 colour.safetensors >cut.safetensors
refuse 4 "cut.safetensors: " --model=cut.safetensors colour.png

# Images.
refuse 3 "nowhere.png: cannot open" $colour nowhere.png
refuse 3 "is not a regular file" $colour .
refuse 3 "is neither PNG nor JPEG" $colour colour.chw
refuse 3 "-: is empty" $colour - </dev/null
head -c -20 colour.png >cut.png
refuse 3 "cut.png: is no sound PNG" $colour cut.png
head -c -20 colour.jpg >cut.jpg
refuse 3 "cut.jpg: is no sound JPEG" $colour cut.jpg
refuse 3 "has 256 bytes; a raw image of 3x16x16 has 768" \
  $colour --raw=chw grey.raw

# One bad image among good ones.
expect 3 "colour.png" "$classify" $colour cut.png colour.png nowhere grey.png
[ "$(grep -c ' %  ' out)" -eq 6 ] || fail "the good ones were not classified"
[ "$(wc -l <err)" -eq 2 ] || fail "not one line for each bad one"
expect 3 '{"image":"cut.png","error":' \
  "$classify" $colour --format=json cut.png colour.png
[ "$(wc -l <out)" -eq 2 ] || fail "not one object an image"

# Nowhere to write.
"$classify" $colour colour.png >/dev/full 2>err
[ $? -eq 6 ] || fail "exit code of a full disk"
grep -qF "standard output" err || fail "the full disk was not named"

expect 0 "usage: classify" "$classify" --help
awk 'length > 80 { exit 1 }' out || fail "--help is wider than 80 columns"

[ "$failures" -eq 0 ] && echo "all as expected"
exit "$failures"
