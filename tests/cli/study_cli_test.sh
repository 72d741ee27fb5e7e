#!/bin/bash
# usage: study_cli_test.sh STUDY EVALUATE DERIVE FASHION_MNIST_FILE
# The real program on a small study: its refusals, a signal in the middle, and
# that it goes on to the same tables as one that was left alone.
set -u
study=$PWD/$1
evaluate=$PWD/$2
derive=$PWD/$3
mnist=$(dirname "$(readlink -f "$4")")
lib=$PWD/tests/cli/lib.sh
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
export OMP_NUM_THREADS=1
cd "$TEST_TMPDIR" || exit 1
. "$lib"
small_mnist "$mnist" "$TEST_TMPDIR/small"

cat >tiny.textproto <<'EOF'
name: "tiny"
seed: [ 1, 2, 3 ]
search {
  epochs: 2 steps_per_epoch: 3 batch_size: 8 init_channels: 2 op_threshold: 0.1
}
train { epochs: 2 steps_per_epoch: 3 batch_size: 8 init_channels: 2 layers: 3 }
variant { name: "l2" search { noise_darts: true max_step: 9 } }
variant { name: "chance" random { like: "l2" percent: 20 } }
EOF

expect 0 "usage: bazel run //training:study" "$study" --help
expect 2 "which study is it?" "$study"
expect 2 "did you mean collapse?" "$study" --recipe=colapse
expect 2 "--ressume: unknown flag" "$study" --ressume=auto
expect 0 "in all 3 searches and 6 trainings" "$study" --recipe=tiny.textproto \
  --list
expect 0 "fairdarts-no-zero-one" "$study" --recipe=collapse --list
expect 0 "variant l2: warning: noise to the end" "$study" \
  --recipe=tiny.textproto --list
[ -e runs ] && fail "--list has made a folder"
sed 's/3 ]/2 ]/' tiny.textproto >twice.textproto
expect 2 "twice.textproto: seed 2: is there twice" "$study" \
  --recipe=twice.textproto
expect 3 "nowhere" "$study" --recipe=tiny.textproto --data=nowhere

run=("$study" --data=small --threads=1 --report_freq=1)
expect 0 "test images: top-1" "${run[@]}" --recipe=tiny.textproto --save=alone
alone=$(echo runs/alone-*)
[ "$(grep -c 'variant l2: warning: noise to the end' "$alone/log.txt")" -eq 1 ] ||
  fail "its search's warning is not told once"

# SIGTERM in the second search.
: >out
"${run[@]}" --recipe=tiny.textproto >out 2>err &
pid=$!
while ! grep -q '^run 3 of 6' out && kill -0 $pid 2>/dev/null; do
  sleep 0.05
done
kill -TERM $pid
wait $pid
[ $? -eq 143 ] || fail "exit code of SIGTERM"
grep -q 'stopped by SIGTERM' err || fail "SIGTERM was not named"
tiny=$(echo runs/tiny-*)
[ -e "$tiny/ranked.md" ] && fail "it looks finished"
expect 0 "(done)" "$study" --resume="$tiny" --list
sed 's/epochs: 2/epochs: 3/' tiny.textproto >other.textproto
expect 2 "has another" "${run[@]}" --resume=auto --recipe=other.textproto
expect 2 "leave it out" "${run[@]}" --resume=auto --save=new
expect 0 "taken up again" "${run[@]}" --resume=auto
for file in runs.csv table.csv table.md ranked.csv ranked.md alphas.svg; do
  cmp "$alone/$file" "$tiny/$file" || fail "$file differs"
done
[ "$(ls -d runs/* | wc -l)" -eq 2 ] || fail "a resumed study has a new folder"
expect 2 "found no unfinished study" "${run[@]}" --resume=auto
expect 2 "holds no study.textproto" "${run[@]}" --resume=small

# What lies below it are ordinary runs.
expect 0 "top-1" "$evaluate" --run="$tiny/l2/seed-2/train" --data=small \
  --threads=1
expect 0 "Genotype(" "$derive" --run="$tiny/l2/seed-2/search" \
  --parse_method=darts

[ "$failures" -eq 0 ] && echo "all as expected"
exit "$failures"
