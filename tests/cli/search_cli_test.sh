#!/bin/bash
# usage: search_cli_test.sh SEARCH DERIVE FASHION_MNIST_FILE
# The programs as a user meets them: exit codes, one line that says what is
# wrong, nothing written over or left behind on bad input.
set -u
search=$PWD/$1
derive=$PWD/$2
mnist=$(dirname "$(readlink -f "$3")")
lib=$PWD/tests/cli/lib.sh
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
cd "$TEST_TMPDIR" || exit 1
. "$lib"

# refuse CODE TEXT FLAGS...: the same for a search that must leave nothing.
refuse() {
  local code=$1 text=$2
  shift 2
  expect "$code" "$text" "$search" "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "not one line: $*"
  [ ! -e runs ] || fail "something was written: $*"
}

small=$TEST_TMPDIR/small
small_mnist "$mnist" "$small"

tiny=(--data=small --train_portion=0.5 --epochs=1 --steps_per_epoch=2
  --init_channels=2 --layers=3 --threads=1)

# Flags and values.
refuse 2 "--learning_rate" --learning_rat=0.1
refuse 2 "batch_size" --batch_size=0
refuse 2 "batch" "${tiny[@]}" --batch_size=300
refuse 2 "op_threshold" --op_threshold=1.5
refuse 2 "op_threshold" --op_threshold=nan
refuse 2 "op_threshold" --op_threshold=0.999999999
refuse 2 "train_portion" --train_portion=1
refuse 2 "quick" --recipe=quik
refuse 2 "cifar10" --dataset=cifar1O
refuse 2 "threshold_sparse" --parse_method=threshold
refuse 2 "runs/x: is not there" --resume=runs/x
refuse 2 "engine" --engine=reference
refuse 6 "use --device=cpu" "${tiny[@]}" --device=cuda
refuse 6 "use --device=cpu" "${tiny[@]}" --gpu=0 --engine=plain
refuse 2 "one GPU is used" "${tiny[@]}" --gpu=1
refuse 2 "engine" "${tiny[@]}" --device=cuda --engine=fused
refuse 2 "deterministic" "${tiny[@]}" --deterministic
refuse 2 "estimate" "${tiny[@]}" --device=cuda --estimate
refuse 2 "unexpected argument 'extra'" extra
refuse 2 "save" "${tiny[@]}" --save=../elsewhere

refuse 2 "unrolled" "${tiny[@]}" --unrolled --single_level
refuse 2 "noise_darts" "${tiny[@]}" --noise_type=U
refuse 2 "max_step" "${tiny[@]}" --noise_darts --max_step=0
refuse 2 "flops_budget" "${tiny[@]}" --flops_budget=1
refuse 2 "reweight" "${tiny[@]}" --reweight
refuse 2 "num_identity" "${tiny[@]}" --num_identity=3
refuse 2 "--estimate: random search" --random_search --estimate
refuse 2 "none of" --random_search --num_identity=8 --flops_threshold=900
refuse 2 "--epochs: random search" --random_search --epochs=3
refuse 2 "--resume: random search" --random_search --resume=auto
printf 'random_search: true\n' >random.textproto
refuse 2 "random_search" "${tiny[@]}" --config=random.textproto

refuse 2 "--resume" "${tiny[@]}" --estimate --resume=auto
refuse 2 "learning_rat" --estimate --learning_rat=0.1
printf 'estimate: true\n' >estimate.textproto
refuse 2 "estimate" "${tiny[@]}" --config=estimate.textproto

# Data.
refuse 3 "nowhere" "${tiny[@]}" --data=nowhere
mkdir broken
cp "$small"/* broken
head -c 1000 "$small/train-images-idx3-ubyte" >broken/train-images-idx3-ubyte
refuse 3 "broken/train-images-idx3-ubyte" "${tiny[@]}" --data=broken
printf 'PK\003\004' >broken/train-images-idx3-ubyte
refuse 3 "broken/train-images-idx3-ubyte" "${tiny[@]}" --data=broken

# The environment: runs/ cannot be made where a file has its name.
touch runs
expect 6 "runs" "$search" "${tiny[@]}"
[ -f runs ] && [ ! -s runs ] || fail "a file was written over"
rm runs

# An estimate writes nothing, with either engine and whatever the batch.
for flags in "" --engine=plain --single_level --batch_size=150; do
  expect 0 "time: about" "$search" "${tiny[@]}" --estimate $flags
  for text in "memory: about" "batch: " "nothing is written"; do
    grep -qF "$text" out || fail "an estimate without '$text': $flags"
  done
  [ ! -e runs ] || fail "an estimate wrote something: $flags"
done
refuse 2 "batch" "${tiny[@]}" --estimate --batch_size=300
refuse 3 "nowhere" "${tiny[@]}" --estimate --data=nowhere

# Numbers.
expect 5 "epoch 1: step 2" "$search" "${tiny[@]}" --learning_rate=1e38
rm -r runs

# Upstream's own line, but for the size of the data.
expect 0 "fairdarts-cifar10" "$search" --aux_loss_weight 10 \
  --learning_rate 0.005 --batch_size 128 --parse_method threshold_sparse \
  --save 'EXP-lr_0005_alw_10' "${tiny[@]}"
run=$(echo runs/EXP-lr_0005_alw_10-*)
for file in config.textproto genotype.textproto genotype.txt history.csv \
  history.svg log.txt metrics.csv timing.csv normal.svg normal_weight.npy \
  reduce.svg reduce_weight.npy weights.safetensors normal/history_weight.json \
  reduce/history_weight.json; do
  [ -s "$run/$file" ] || fail "$run/$file is missing"
done

# The record of a run is a configuration, and gives the same run again.
mkdir elsewhere
BUILD_WORKING_DIRECTORY=$PWD/elsewhere expect 0 "top-1" "$search" \
  --config="../$run/config.textproto" --save=again
cmp "$run/normal_weight.npy" elsewhere/runs/again-*/normal_weight.npy ||
  fail "another seed of the same run"

# Upstream's flags of DARTS, and what it warns of.
expect 0 "second order" "$search" --recipe darts-cifar10 \
  --dataset=fashion-mnist "${tiny[@]}" --batch_size=16 --unrolled \
  --noise_darts --noise_type U --max_step 50 --reweight --eigenvalue \
  --aux_loss_weight=10 --save=darts
for text in "softmax" "noise U" "warning: zero-one loss with softmax" \
  "warning: noise to the end"; do
  grep -qF "$text" out || fail "DARTS without '$text'"
done
grep -q "Genotype(normal=\[('[a-z0-9_]*', [01], 0\.[0-9]*)" \
  runs/darts-*/genotype.txt || fail "no weights in the genotype"

# Random genotypes are Python text, the same for the same seed.
random=(--random_search --num_identity 2 --num_arch 3 --flops_threshold 500)
expect 0 "arch_2 = Genotype(normal=" "$search" "${random[@]}"
[ "$(grep -c "^arch_[012] = Genotype(" out)" -eq 3 ] || fail "not three of them"
cp out random_first
expect 0 "arch_2" "$search" "${random[@]}"
cmp out random_first || fail "other genotypes from the same seed"
expect 0 "arch_2" "$search" "${random[@]}" --seed=3
cmp -s out random_first && fail "the same genotypes from another seed"

# What derive makes of it.
expect 0 "Genotype(" "$derive" --run="$run" --parse_method=darts
expect 2 "--op_threshold" "$derive" --run="$run" --op_threshold=0
expect 3 "normal_weight.npy" "$derive" --run=nowhere

expect 0 "--arch_learning_rate" "$search" --help
awk 'length > 80 { exit 1 }' out || fail "--help is wider than 80 columns"

[ "$failures" -eq 0 ] && echo "all as expected"
exit "$failures"
