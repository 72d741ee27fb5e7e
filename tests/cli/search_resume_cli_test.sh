#!/bin/bash
# usage: search_resume_cli_test.sh SEARCH FASHION_MNIST_FILE
# Signals to the real program: it leaves with a checkpoint and the right exit
# code, and goes on to the same bytes as a run that was left alone.
set -u
search=$PWD/$1
mnist=$(dirname "$(readlink -f "$2")")
lib=$PWD/tests/cli/lib.sh
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
export OMP_NUM_THREADS=1
cd "$TEST_TMPDIR" || exit 1
. "$lib"

# The first 100 training images of Fashion-MNIST, plain.
small=$TEST_TMPDIR/small
mkdir "$small"
cut_mnist "$mnist" "$small" train-images-idx3-ubyte 16 \
  '\0\0\010\003\0\0\0\144\0\0\0\034\0\0\0\034' $((100 * 784))
cut_mnist "$mnist" "$small" train-labels-idx1-ubyte 8 \
  '\0\0\010\001\0\0\0\144' 100
cp "$small/train-images-idx3-ubyte" "$small/t10k-images-idx3-ubyte"
cp "$small/train-labels-idx1-ubyte" "$small/t10k-labels-idx1-ubyte"

# 50 images for the weights: batches of 7, and a last one of a single image.
tiny=(--data=small --train_portion=0.5 --epochs=3 --steps_per_epoch=0
  --batch_size=7 --init_channels=2 --layers=3 --threads=1 --report_freq=1)

# run SIGNAL EXPECTED_CODE FLAGS...: the signal comes after two more steps.
run() {
  local signal=$1 code=$2
  shift 2
  : >out  # what an earlier run said must not be taken for this one
  "$search" "$@" >out 2>err &
  local pid=$!
  while [ "$(grep -c '^epoch ' out)" -lt 2 ] && kill -0 $pid 2>/dev/null; do
    sleep 0.05
  done
  kill -"$signal" $pid
  wait $pid
  local got=$?
  [ "$got" -eq "$code" ] || fail "exit code $got in place of $code: $*"
}

same() {  # same RUN: but for timing.csv what the undisturbed run left
  local file
  for file in metrics.csv history.csv normal_weight.npy reduce_weight.npy \
    weights.safetensors genotype.txt genotype.textproto; do
    cmp "$alone/$file" "$1/$file" || fail "$1/$file differs"
  done
}

"$search" "${tiny[@]}" --save=alone >out 2>err || fail "the undisturbed run"
alone=$(echo runs/alone-*)

# A finished run is not taken up again: auto begins a new one. SIGTERM there,
# SIGINT later; SIGUSR1 only asks for a checkpoint.
run TERM 143 "${tiny[@]}" --save=stopped --resume=auto
grep -q 'found no unfinished search' out || fail "auto did not say so"
grep -q 'stopped by SIGTERM before epoch' err || fail "SIGTERM was not named"
stopped=$(echo runs/stopped-*)
[ -e "$stopped/weights.safetensors" ] && fail "it looks finished"
ls "$stopped"/checkpoints/step-*.safetensors >/dev/null || fail "no checkpoint"

# Its configuration comes from the checkpoint; contradictions are named.
"$search" --resume=auto --layers=4 >out 2>err
[ $? -eq 2 ] || fail "exit code of a contradiction"
grep -q 'layers 4: the run that is resumed has 3' err || fail "not named"

run INT 130 --resume=auto
grep -q 'stopped by SIGINT' err || fail "SIGINT was not named"
run USR1 0 --resume="$stopped" --report_freq=1 --checkpoint_steps=4
grep -q 'checkpoint written before' out || fail "SIGUSR1 wrote nothing"
same "$stopped"
[ "$(ls -d runs/* | wc -l)" -eq 2 ] || fail "a resumed run has a new folder"
[ "$(ls "$stopped/checkpoints" | wc -l)" -eq 3 ] || fail "more than three"
[ "$(grep -c '^resumed from' "$stopped/log.txt")" -eq 2 ] ||
  fail "the log does not say where it was resumed"

# From a checkpoint; other kinds of paths are refused.
latest=$(ls "$stopped"/checkpoints/step-*.safetensors | head -n 1)
"$search" --resume="$latest" >out 2>err || fail "from a checkpoint"
same "$stopped"
refuse() {  # refuse CODE TEXT PATH
  "$search" --resume="$3" >out 2>err
  local got=$?
  [ "$got" -eq "$1" ] || fail "exit code $got in place of $1: $3"
  grep -qF -- "$2" err || fail "'$2' was not said: $3"
}
refuse 2 "is not there" nowhere
refuse 2 "has no checkpoint" small
refuse 4 "has no check sum" "$stopped/weights.safetensors"
printf 'PK\003\004 and more' >upstream.tar
refuse 4 "lacks the network's weights" upstream.tar
head -c 1000 "$latest" >"$stopped/checkpoints/cut.safetensors"
refuse 4 "not whole" "$stopped/checkpoints/cut.safetensors"

[ "$failures" -eq 0 ] && echo "all as expected"
exit "$failures"
