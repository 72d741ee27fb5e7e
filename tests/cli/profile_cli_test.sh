#!/bin/bash
# usage: profile_cli_test.sh PROFILE
# The profile as a user meets it: exit codes, one line that says what is wrong,
# three formats, every kind of --genotype.
set -u
profile=$PWD/$1
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
cd "$TEST_TMPDIR" || exit 1
failures=0

fail() {
  echo "FAILED: $*"
  cat out err
  failures=$((failures + 1))
}

# expect CODE TEXT FLAGS...: the exit code, and text in what was said.
expect() {
  local code=$1 text=$2
  shift 2
  "$profile" "$@" >out 2>err
  local got=$?
  [ "$got" -eq "$code" ] || fail "exit code $got in place of $code: $*"
  grep -qF -- "$text" out err || fail "'$text' was not said: $*"
}

# refuse CODE TEXT FLAGS...: the same, in one line and without a table.
refuse() {
  expect "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "not one line: $*"
  [ ! -s out ] || fail "a table all the same: $*"
}

# Flags and values.
refuse 2 "did you mean --format" --formt=csv
refuse 2 "must be text, csv or json" --format=xml
refuse 2 "unexpected argument 'extra'" extra
refuse 2 "batch_size" --batch_size=0
refuse 2 "batch_size" --batch_size=100000
refuse 2 "threads" --threads=-1
refuse 2 "measure_seconds" --measure_seconds=nan
refuse 2 "must be cifar or imagenet" --network=mnist
refuse 2 "init_channels" --init_channels=35
refuse 2 "image_size: is 9000" --image_size=9000
refuse 2 "image_size: 96" --network=imagenet --image_size=96
refuse 2 "--parse_method" --parse_method=darts

# Genotypes.
refuse 2 "did you mean fairdarts/FairDARTS_a" --genotype=FairDARTS_x
refuse 2 "parse_method" --arch FairDARTS_b --parse_method darts
refuse 2 "nowhere.textproto" --genotype=./nowhere.textproto
echo 'normal {' >broken.textproto
refuse 3 "broken.textproto" --genotype=broken.textproto
echo 'genotype = Genotype(normal=[], normal_concat=range(2, 6),' \
  'reduce=[], reduce_concat=range(2, 6))' >empty.txt
refuse 3 "empty" --genotype=empty.txt

# Upstream's spelling of a name and its rule.
expect 0 "thop-0.0.31" --arch FairDARTS_b --parse_method threshold --nomeasure
grep -q '^fairdarts/FairDARTS_b  *536\.488  *536 ' out || fail "no row"
grep -q 'min ms' out && fail "measured in spite of --nomeasure"

# A bare name that means several says which was taken.
expect 0 "not darts/DARTS" --genotype=DARTS --nomeasure

# A file has no published figures but the same counts.
echo 'INFO genotype = Genotype(normal=[("sep_conv_3x3", 2, 0)],' \
  'normal_concat=range(2, 6), reduce=[("max_pool_3x3", 2, 0)],' \
  'reduce_concat=range(2, 6))' >log.txt
expect 0 "log.txt" --genotype=log.txt --nomeasure
grep -q published out && fail "published figures of a file"

# The whole catalog in each format.
expect 0 "without-head" --nomeasure
[ "$(grep -c '^fairdarts/\|^darts/' out)" -ge 51 ] || fail "not all"
awk '/^genotype /{ exit } length > 80 { exit 1 }' out ||
  fail "a legend wider than 80 columns"

expect 0 "genotype,macs," --nomeasure --format=csv
[ "$(wc -l <out)" -eq 52 ] || fail "csv: not a record a genotype"
[ "$(grep -c $'\r$' out)" -eq 52 ] || fail "csv: not CR LF"
awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' out ||
  fail "csv: records of different lengths"
grep -q '^fairdarts/FairDARTS_a,371455200,2360782,2837208,' out ||
  fail "csv: FairDARTS_a"

expect 0 '"genotypes": [' --nomeasure --format=json
[ "$(head -c 2 out)" = '{' ] && [ "$(tail -n 1 out)" = '}' ] ||
  fail "json: not an object"
[ "$(grep -c '"genotype": ' out)" -eq 51 ] || fail "json: not all"

expect 0 "imagenet network: 48 initial channels, 14 layers, 1000 classes" \
  --network=imagenet --genotype=PDARTS --nomeasure

# Measured on this machine, small.
small=(--init_channels=2 --layers=3 --image_size=8 --batch_size=2 --threads=1
  --measure_seconds=0 --genotype=FairDARTS_b)
expect 0 "a forward pass of 2 images on 1 thread," "${small[@]}"
grep -q 'min ms  median ms  batch MiB  process MiB$' out || fail "no columns"
expect 0 "min_ms,median_ms,repetitions" "${small[@]}" --format=csv
tail -n 1 out | grep -qE ',[0-9.]+,[0-9.]+,5,[0-9]+,[1-9][0-9]+'$'\r$' ||
  fail "csv: no measurement"
expect 0 '"median_ms": ' "${small[@]}" --format=json

expect 0 "--measure_seconds" --help
awk 'length > 80 { exit 1 }' out || fail "--help is wider than 80 columns"

[ "$failures" -eq 0 ] && echo "all as expected"
exit "$failures"
