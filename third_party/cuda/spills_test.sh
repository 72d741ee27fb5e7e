#!/bin/sh
# usage: spills_test.sh USAGE [KERNEL...]
# Fails where a kernel other than those named keeps registers in memory, as
# ptxas says in USAGE: what was written for registers is then slow.
usage=$1
shift
awk -v allowed=" $* " '
  /Compiling entry function/ {
    split($0, quoted, "\047")
    kernel = quoted[2]
    gpu = quoted[4]
    kernels++
  }
  /bytes spill stores/ {
    seen++
    if ($5 + $9 > 0 && index(allowed, " " kernel " ") == 0) {
      print kernel " for " gpu ": " $0
      failed = 1
    }
  }
  END {
    if (kernels == 0 || seen < kernels) {
      print "this is not what ptxas says of kernels: " FILENAME
      failed = 1
    }
    exit failed
  }
' "$usage"
