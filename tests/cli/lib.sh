# What the tests of the programs share. Sourced after `cd "$TEST_TMPDIR"`; what
# was said last lies in the files out and err.
failures=0

fail() {
  echo "FAILED: $*"
  cat out err
  failures=$((failures + 1))
}

# expect CODE TEXT COMMAND...: the exit code, and text in what was said.
expect() {
  local code=$1 text=$2
  shift 2
  "$@" >out 2>err
  local got=$?
  [ "$got" -eq "$code" ] || fail "exit code $got in place of $code: $*"
  grep -qF -- "$text" out err || fail "'$text' was not said: $*"
}

# cut_mnist FROM TO NAME HEADER_BYTES HEADER BYTES: the first BYTES behind the
# header of an idx file, plain, under a header of their own.
cut_mnist() {
  { printf "$5"; zcat "$1/$3.gz" | tail -c "+$(($4 + 1))" | head -c "$6"; } \
    >"$2/$3"
}

# small_mnist FROM TO: the first 400 training images and 100 test images of
# Fashion-MNIST.
small_mnist() {
  mkdir "$2"
  cut_mnist "$1" "$2" train-images-idx3-ubyte 16 \
    '\0\0\010\003\0\0\001\220\0\0\0\034\0\0\0\034' $((400 * 784))
  cut_mnist "$1" "$2" train-labels-idx1-ubyte 8 '\0\0\010\001\0\0\001\220' 400
  cut_mnist "$1" "$2" t10k-images-idx3-ubyte 16 \
    '\0\0\010\003\0\0\0\144\0\0\0\034\0\0\0\034' $((100 * 784))
  cut_mnist "$1" "$2" t10k-labels-idx1-ubyte 8 '\0\0\010\001\0\0\0\144' 100
}
