#!/bin/sh
# usage: compile.sh NVCC DECLARED USAGE OUTPUT FLAG...
# Runs nvcc. USAGE gets what ptxas says of each kernel's registers and memory,
# without the times. Fails where a file of the workspace is included that is not
# listed in DECLARED: a change of it would not be seen.
nvcc=$1
declared=$2
usage=$3
output=$4
shift 4
log="$output.log"
if ! "$nvcc" -MD -MF "$output.d" -o "$output" "$@" 2>"$log"; then
  cat "$log" >&2
  exit 1
fi
grep -v 'Compile time' "$log" >"$usage"
# One name a line; those outside and in external repositories are none of ours.
included=$(sed -e 's/^.* : *//' -e 's/\\$//' "$output.d" | tr -s ' ' '\n' |
  sed -e 's|^\./||' -e '/^$/d' -e '/^\//d' -e '/^external\//d')
undeclared=$(echo "$included" | grep -v -x -F -f "$declared" | tail -n +2)
rm -f "$log" "$output.d"
if [ -n "$undeclared" ]; then
  echo "$output: no dependency declares" $undeclared >&2
  exit 1
fi
