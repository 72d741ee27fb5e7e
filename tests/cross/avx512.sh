#!/bin/bash
# By hand: the AVX-512 form of every kernel in an emulated machine that has it
# (Bochs, a hundred times slower than a real one), for machines without.
#
#   apt-get install bochs busybox-static cpio isolinux syslinux-common xorriso
#   tests/cross/avx512.sh
#
# A Linux kernel is unpacked into a temporary folder and boots there with the
# tests that Bazel built; nothing is installed. BAZEL names what is run in place
# of ./bazelw.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
bochs=
trap '[ -z "$bochs" ] || kill "$bochs" || true; rm -rf "$work"' EXIT

for tool in bochs busybox cpio xorriso; do
  command -v $tool > /dev/null || {
    echo "avx512.sh: $tool is missing; see the packages in this script" >&2
    exit 6
  }
done

echo "The tests ..."
bazel() { command ${BAZEL:-./bazelw} "$@" 2> "$work/bazel.log" ||
  { cat "$work/bazel.log" >&2; exit 1; } }
# The cases of AVX-512 have its name.
targets=$(bazel query "kind(cc_test, //ops/kernels/...) except
  filter('alone_test$', //ops/kernels/...)")
# shellcheck disable=SC2086
bazel build $targets
bin=$(bazel info bazel-bin)
root=$work/root
mkdir -p "$root"/{bin,proc,dev,tests,lib64,lib/x86_64-linux-gnu}
for target in $targets; do
  test=$bin/${target#//}
  test=${test/:/\/}
  strip -o "$root/tests/${test##*/}" "$test"
  ldd "$test" | grep -o '/lib[^ ]*' | while read -r library; do
    cp -Lu "$library" "$root$library"
  done
done

echo "The machine ..."
cp /bin/busybox "$root/bin/"
cat > "$root/init" << 'INIT'
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
exec > /dev/ttyS0 2>&1
busybox grep -q avx512bw /proc/cpuinfo || echo "FAILED: no AVX-512"
for test in /tests/*; do
  echo "== $test"
  $test --gtest_color=no '--gtest_filter=*/avx512' ||
    echo "FAILED: $test"
done
echo "That was all."
busybox sleep 1000000
INIT
chmod +x "$root/init"
(
  cd "$work"
  package=$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
  apt-get -qq -o APT::Sandbox::User=root download "$package"
  dpkg -x linux-image-*.deb kernel
  mkdir -p cd/isolinux
  cp /usr/lib/ISOLINUX/isolinux.bin cd/isolinux/
  cp /usr/lib/syslinux/modules/bios/ldlinux.c32 cd/isolinux/
  cp kernel/boot/vmlinuz-* cd/vmlinuz
  (cd root && find . | cpio -o -H newc --quiet) > cd/initrd
  # 321 and 323 are xsavec and xsaves, whose sizes the emulator gets wrong:
  # with them, Linux does without all of AVX.
  cat > cd/isolinux/isolinux.cfg << CONFIG
DEFAULT linux
LABEL linux
 KERNEL /vmlinuz
 INITRD /initrd
 APPEND console=ttyS0 rdinit=/init quiet mitigations=off tsc=reliable lpj=1000000 clearcpuid=321,323
CONFIG
  xorriso -as mkisofs -quiet -o cd.iso -b isolinux/isolinux.bin \
    -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table cd \
    2> xorriso.log
  cat > bochsrc << CONFIG
config_interface: textconfig
display_library: rfb, options="timeout=0"
megs: 512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_skylake_x, ips=50000000, ignore_bad_msrs=1
clock: sync=none
ata0-master: type=cdrom, path=$work/cd.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial.txt
log: $work/bochs.log
panic: action=fatal
plugin_ctrl: parallel=0, gameport=0, speaker=0
CONFIG
)

echo "Running ..."
: > "$work/serial.txt"
echo c > "$work/continue"
bochs-bin -q -f "$work/bochsrc" -rc "$work/continue" > "$work/out.txt" 2>&1 &
bochs=$!
shown=0
until grep -q "^That was all" "$work/serial.txt"; do
  kill -0 $bochs 2> /dev/null || { bochs=; cat "$work/out.txt" >&2; exit 1; }
  sleep 5
  lines=$(wc -l < "$work/serial.txt")
  sed -n "$((shown + 1)),${lines}p" "$work/serial.txt"
  shown=$lines
done
sed -n "$((shown + 1)),\$p" "$work/serial.txt"
! grep -q FAILED "$work/serial.txt"
