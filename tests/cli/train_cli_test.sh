#!/bin/bash
# usage: train_cli_test.sh TRAIN EVALUATE EXPORT FASHION_MNIST_FILE CHECKPOINT
# From a genotype to an evaluated and exported network with the programs as a
# user meets them, stopped and taken up again on the way; and what they say to
# wrong input.
set -u
train=$PWD/$1
evaluate=$PWD/$2
export_model=$PWD/$3
mnist=$(dirname "$(readlink -f "$4")")
checkpoint=$(readlink -f "$5")
lib=$PWD/tests/cli/lib.sh
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
cd "$TEST_TMPDIR" || exit 1
. "$lib"

# refuse CODE TEXT COMMAND...: the same in one line, and nothing is left.
refuse() {
  expect "$@"
  [ "$(wc -l <err)" -eq 1 ] || fail "not one line: $*"
  [ ! -e runs ] || fail "something was written: $*"
}

small=$TEST_TMPDIR/small
small_mnist "$mnist" "$small"

tiny=(--data=small --epochs=2 --steps_per_epoch=3 --batch_size=16
  --init_channels=2 --layers=3 --threads=1)

# What is wrong is named.
refuse 2 "did you mean" "$train" --genotype=FairDARTS_z
refuse 2 "parse_method" "$train" --arch=FairDARTS_a --parse_method=darts
refuse 2 "reweight: the genotype" "$train" --arch=FairDARTS_a --reweight
refuse 3 "nowhere" "$train" --arch=DARTS_EXP1_RE1 --reweight --data=nowhere
refuse 2 "--start-epoch" "$train" --start-epoch=3
refuse 2 "--multi-gpus" "$train" --multi-gpus
refuse 2 "batch_size" "$train" "${tiny[@]}" --batch_size=400
refuse 2 "batch_size 1" "$train" "${tiny[@]}" --auxiliary --batch_size=1
refuse 3 "nowhere" "$train" "${tiny[@]}" --data=nowhere
refuse 6 "use --device=cpu" "$train" "${tiny[@]}" --gpu=0
refuse 2 "engine fused" "$train" "${tiny[@]}" --engine=fused --precision=bf16
refuse 2 "one GPU is used" "$train" "${tiny[@]}" --gpu=1
refuse 2 "no training has left weights" "$evaluate"
refuse 2 "no training has left weights" "$export_model"
refuse 2 "give one" "$evaluate" --run=a --model_path=b --data=nowhere
refuse 2 "no such folder" "$evaluate" --run=nowhere
refuse 2 "--logits nowhere/x" "$evaluate" --run=nowhere --logits=nowhere/x
refuse 3 "nowhere.tar" "$evaluate" --model_path=nowhere.tar --data=nowhere
refuse 2 "only a run knows" "$evaluate" --model_path="$checkpoint" \
  --arch=FairDARTS_b --split=valid --data=nowhere
refuse 2 "nowhere" "$train" --resume=nowhere
expect 5 "epoch 1: step 2: " "$train" "${tiny[@]}" --learning_rate=1e38
rm -rf runs

# A whole run; without a search FairDARTS_a is taken.
expect 0 "FairDARTS_a" "$train" "${tiny[@]}"
run=$(echo runs/train-*)
for file in best.safetensors last.safetensors metrics.csv timing.csv \
  result.json config.textproto genotype.txt normal.svg log.txt checkpoints; do
  [ -e "$run/$file" ] || fail "$file is not there"
done

# Evaluated: the newest run; the same logits twice, byte for byte.
expect 0 "test images of fashion-mnist, 100 of them" \
  "$evaluate" --logits=first.npy --per_class --confusion --threads=1
grep -q "Ankle boot" out || fail "no line of a class"
expect 6 "use --device=cpu" "$evaluate" --device=cuda
[ "$(wc -l <err)" -eq 1 ] || fail "not one line about the GPU"
expect 0 "top-1" "$evaluate" --run="$run" --logits=second.npy --threads=1
cmp first.npy second.npy || fail "the logits differ"
expect 0 '"top5"' "$evaluate" --format=json --weights=last --per_class \
  --confusion --threads=1
python3 -c 'import json; json.load(open("out"))' 2>/dev/null ||
  grep -q '^{' out || fail "not JSON alone"
expect 0 "held-out images of fashion-mnist, 40 of them" \
  "$evaluate" --split=valid --threads=1
expect 0 "training images of fashion-mnist, 360 of them" \
  "$evaluate" --split=train --threads=1
# A file of the run knows its dataset and what was held out.
expect 0 "test images of fashion-mnist, 100 of them" \
  "$evaluate" --model_path="$run/best.safetensors" --logits=beside.npy \
  --threads=1
cmp first.npy beside.npy || fail "the file has other logits than its run"
expect 2 "parse_method darts" "$evaluate" --parse_method=darts
expect 0 "no auxiliary head" "$evaluate" --auxiliary --threads=1
expect 2 "images of 3 channels" "$evaluate" --model_path="$checkpoint" \
  --arch=FairDARTS_b --dataset=fashion-mnist --data=small
expect 3 "nowhere.tar" "$evaluate" --model_path=nowhere.tar --arch=DARTS_V2 \
  --dataset=fashion-mnist --data=small

# Exported: the best weights are that file.
expect 0 "model.safetensors" "$export_model"
cmp "$run/model.safetensors" "$run/best.safetensors" || fail "exported others"
expect 0 "$run/model.safetensors" \
  "$evaluate" --model_path="$run/model.safetensors" --logits=third.npy \
  --dataset=fashion-mnist --data=small --threads=1
cmp first.npy third.npy || fail "the exported network has other logits"

# Stopped by each signal and taken up again, it ends with the same bytes.
same() {
  for file in best.safetensors last.safetensors metrics.csv result.json; do
    cmp "$run/$file" "$1/$file" || fail "$file differs after a stop"
  done
}
long=("${tiny[@]}" --steps_per_epoch=20 --report_freq=1 --save=long)
expect 0 "top-1" "$train" "${long[@]}"
run=$(echo runs/long-*)
for signal in TERM INT; do
  rm -rf runs/stopped-*
  : >out  # what an earlier run said must not be taken for this one
  "$train" "${long[@]}" --save=stopped >out 2>err &
  pid=$!
  while ! grep -q "epoch 1/2 step" out && kill -0 $pid 2>/dev/null; do
    sleep 0.02
  done
  kill -$signal $pid
  wait $pid
  got=$?
  [ "$got" -eq $([ $signal = TERM ] && echo 143 || echo 130) ] ||
    fail "exit code $got after SIG$signal"
  grep -q "SIG$signal" err || fail "SIG$signal was not named"
  expect 2 "learning_rate 0.5" "$train" --resume=auto --learning_rate=0.5
  expect 0 "resumed from" "$train" --resume=auto --threads=1
  same "$(echo runs/stopped-*)"
done

# Taken up further back a finished run is unfinished again, and ends the same.
cp -r "$run" whole
step=$run/checkpoints/step-00000020.safetensors
[ -e "$step" ] || fail "no checkpoint after the first epoch"
: >out  # what an earlier run said must not be taken for this one
"$train" --resume="$step" --threads=1 >out 2>err &
pid=$!
while ! grep -q "resumed from" out && kill -0 $pid 2>/dev/null; do
  sleep 0.02
done
kill -TERM $pid
wait $pid
[ ! -e "$run/result.json" ] || fail "still counts as finished"
expect 0 "resumed from" "$train" --resume=auto --threads=1
same whole

# Upstream's line, with a file of torch.save relative to where the user is.
mkdir -p best_model here
cp "$checkpoint" best_model/FairDARTS-b.tar
mkdir cifar
for file in data_batch_{1,2,3,4,5} test_batch; do
  for label in 0 1 2 3 4 5 6 7 8 9; do
    printf "\\$(printf '%03o' $label)"
    head -c 3072 /dev/zero | tr '\0' "\\$(printf '%03o' $((label * 20)))"
  done >cifar/$file.bin
done
BUILD_WORKING_DIRECTORY=$TEST_TMPDIR/here expect 0 "10 of them" "$evaluate" \
  --arch FairDARTS_b --model_path ../best_model/FairDARTS-b.tar \
  --parse_method threshold --data ../cifar --threads=1
expect 4 "its tensors are those of fairdarts/FairDARTS_b" "$evaluate" \
  --arch FairDARTS_c --model_path best_model/FairDARTS-b.tar --data cifar

exit $((failures > 0))
