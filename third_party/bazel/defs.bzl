"""The project's build macros: flags and selects live here alone.

A package ends with fd_package_tests(), which checks the format of its files
and, where asked, that nothing in it reaches LibTorch.
"""

load("//third_party/cuda:defs.bzl", "cuda_fatbin")

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
]

_LIBTORCH = "//third_party/libtorch"

# For what is linked with it.
_LIBTORCH_CUDA_HALF = "//third_party/libtorch:cuda_half"

# Of a test with LibTorch.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}

_CUDA = "//third_party/cuda:headers"

# What is built under --config=cuda alone, and is skipped without it, has this
# tag: a build of no more than that asks for it.
_CUDA_TAG = "cuda"

# The same where LibTorch's CUDA half is linked, which is gigabytes.
_LIBTORCH_CUDA_TAG = "libtorch-cuda"

_ONLY_WITH_CUDA = select({
    "//third_party/cuda:enabled": [],
    "//conditions:default": ["@platforms//:incompatible"],
})

def _header_alone(name, hdrs, srcs, deps, tags, target_compatible_with):
    """Compiles each header alone that no .cc of its own includes first.

    A header with an x.cc beside it is covered by it: fd_package_tests() checks
    that the .cc includes it before anything else.
    """
    for hdr in hdrs:
        if hdr.replace(".h", ".cc") in srcs:
            continue
        alone = hdr.replace(".h", "_alone")
        native.genrule(
            name = alone + "_cc",
            outs = [alone + ".cc"],
            cmd = "echo '#include \"%s/%s\"' > $@" % (
                native.package_name(),
                hdr,
            ),
            visibility = ["//visibility:private"],
        )
        native.cc_test(
            name = alone + "_test",
            size = "small",
            srcs = [alone + ".cc"],
            copts = _COPTS,
            tags = tags,
            target_compatible_with = target_compatible_with,
            deps = [":" + name] + deps + ["@com_google_googletest//:gtest_main"],
        )

def fd_cc_library(
        name,
        srcs = [],
        hdrs = [],
        copts = [],
        deps = [],
        tags = [],
        target_compatible_with = [],
        **kwargs):
    """A library of the project that does not touch LibTorch itself."""
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _COPTS + copts,
        # No shared library beside each static one: nothing links it.
        linkstatic = True,
        tags = tags,
        target_compatible_with = target_compatible_with,
        deps = deps,
        **kwargs
    )
    _header_alone(name, hdrs, srcs, deps, tags, target_compatible_with)

def fd_small_library(name, copts = [], **kwargs):
    """A library that goes into the inference library and has no hot loop.

    Its code is small rather than fast.
    """
    fd_cc_library(name = name, copts = copts + ["-Os"], **kwargs)

def fd_kernel_library(name, copts = [], deps = [], **kwargs):
    """A library of vector kernels, compiled once for each instruction set.

    The sets of x86 are SSE4, AVX2 and AVX-512: those that a CPU of the last
    fifteen years lacks, and those that add nothing for float32, would only
    make the library larger. The one of 64-bit Arm is NEON: vectors of SVE have
    no size at compile time, so that no array of them holds a tile. Highway's
    headers suffice: its own library, which chooses a set at run time, is not
    linked (see //ops/kernels:isa).
    """
    fd_cc_library(
        name = name,
        copts = copts + [
            "-O3",
            "-DHWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_EMU128|HWY_AVX3_DL|" +
            "HWY_SVE|HWY_SVE_256|HWY_SVE2|HWY_SVE2_128)",
            # For encryption only; virtual machines often lack them.
            "-DHWY_DISABLE_PCLMUL_AES",
            # On Arm, GCC would move loads up until tiles leave the registers;
            # on x86 it does not schedule there anyway. Clang lacks the option.
            "-fno-schedule-insns",
            "-Wno-ignored-optimization-argument",
        ],
        deps = deps + ["@com_google_highway//:hwy"],
        **kwargs
    )

def fd_torch_library(name, deps = [], **kwargs):
    """A library that may include LibTorch."""
    fd_cc_library(name = name, deps = deps + [_LIBTORCH], **kwargs)

def fd_cc_binary(name, copts = [], **kwargs):
    native.cc_binary(name = name, copts = _COPTS + copts, **kwargs)

def fd_torch_binary(name, deps = [], **kwargs):
    fd_cc_binary(
        name = name,
        deps = deps + [_LIBTORCH, _LIBTORCH_CUDA_HALF],
        **kwargs
    )

def fd_cc_test(name, size = "small", copts = [], deps = [], **kwargs):
    """A GoogleTest test with GoogleMock; main() comes with it."""
    native.cc_test(
        name = name,
        size = size,
        copts = _COPTS + copts,
        deps = deps + ["@com_google_googletest//:gtest_main"],
        **kwargs
    )

def fd_torch_test(name, deps = [], **kwargs):
    """A test with LibTorch, on one thread unless it asks for more.

    Bazel runs as many tests at a time as there are cores: threads of several
    tests that wait for each other in a busy loop would starve them all.
    """
    fd_cc_test(
        name = name,
        deps = deps + [_LIBTORCH, _LIBTORCH_CUDA_HALF],
        env = _ONE_THREAD,
        **kwargs
    )

def fd_torch_gpu_test(name, deps, size = "medium", tags = [], **kwargs):
    """A test with LibTorch whose TestDevice() (//tests:test_device) is a GPU."""
    native.cc_test(
        name = name,
        size = size,
        env = dict(_ONE_THREAD, FAIRDARTS_TEST_DEVICE = "cuda"),
        tags = tags + [
            _LIBTORCH_CUDA_TAG,
            "exclusive",
            "requires-gpu-nvidia",
        ],
        target_compatible_with = _ONLY_WITH_CUDA,
        deps = deps + [
            _LIBTORCH,
            _LIBTORCH_CUDA_HALF,
            "@com_google_googletest//:gtest_main",
        ],
        **kwargs
    )

def fd_torch_device_test(
        name,
        srcs,
        deps = [],
        data = [],
        size = "small",
        gpu_filter = "*",
        **kwargs):
    """fd_torch_test, and the same tests on a GPU as NAME_on_gpu.

    They are compiled once, for both. Their tensors go to TestDevice().

    Args:
      gpu_filter: which of them a GPU has a part in, as for --gtest_filter.
    """
    tests = name + "_tests"
    native.cc_library(
        name = tests,
        testonly = True,
        srcs = srcs,
        copts = _COPTS,
        # Nothing asks for tests by name.
        alwayslink = True,
        deps = deps + [_LIBTORCH, "@com_google_googletest//:gtest_main"],
    )
    fd_torch_test(
        name = name,
        size = size,
        data = data,
        deps = [":" + tests],
        **kwargs
    )
    fd_torch_gpu_test(
        name = name + "_on_gpu",
        args = ["--gtest_filter=" + gpu_filter],
        data = data,
        deps = [":" + tests],
    )

def fd_cuda_fatbin(
        name,
        srcs,
        deps = [],
        copts = [],
        may_spill = [],
        testonly = False,
        **kwargs):
    """Code for GPUs, in a library whose header is NAME.h.

    For a name like pool_kernels the header declares PoolKernels(), the bytes
    that cuModuleLoadData takes. A test shows that no kernel spills.

    Args:
      name: the library's.
      srcs: .cu files; they are compiled as one.
      deps: libraries whose headers they include. The same headers may be
        compiled for the host.
      copts: more flags for nvcc.
      may_spill: kernels, as in the machine code, that may keep registers in
        memory.
      testonly: whether it is for tests alone.
      **kwargs: the library's.
    """
    code = name + "_code"
    cuda_fatbin(
        name = code,
        srcs = srcs,
        copts = copts,
        header_name = name,
        testonly = testonly,
        tags = [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        visibility = ["//visibility:private"],
        deps = deps,
    )
    for part in ["header", "object", "usage"]:
        native.filegroup(
            name = "%s_%s" % (code, part),
            srcs = [":" + code],
            output_group = part,
            testonly = testonly,
            tags = [_CUDA_TAG],
            visibility = ["//visibility:private"],
        )
    native.cc_library(
        name = name,
        srcs = [":%s_object" % code],
        hdrs = [":%s_header" % code],
        linkstatic = True,
        testonly = testonly,
        tags = [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        deps = ["@com_google_absl//absl/strings"],
        **kwargs
    )
    native.sh_test(
        name = name + "_spills_test",
        size = "small",
        srcs = ["//third_party/cuda:spills_test.sh"],
        args = ["$(location :%s_usage)" % code] + may_spill,
        data = [":%s_usage" % code],
        tags = [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
    )

def fd_cuda_library(name, deps = [], tags = [], **kwargs):
    """A library that may include CUDA's headers, of --config=cuda alone."""
    fd_cc_library(
        name = name,
        tags = tags + [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        deps = deps + [_CUDA],
        **kwargs
    )

def fd_cuda_binary(name, tags = [], **kwargs):
    """A binary with fd_cuda_library targets."""
    fd_cc_binary(
        name = name,
        tags = tags + [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        **kwargs
    )

def fd_cuda_test(name, deps = [], tags = [], **kwargs):
    """A test of fd_cuda_library targets that needs no GPU."""
    fd_cc_test(
        name = name,
        tags = tags + [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        deps = deps + [_CUDA],
        **kwargs
    )

def fd_torch_cuda_library(name, deps = [], tags = [], **kwargs):
    """A library that may include LibTorch's headers of CUDA."""
    fd_torch_library(
        name = name,
        tags = tags + [_LIBTORCH_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        deps = deps + [_CUDA],
        **kwargs
    )

def fd_torch_cuda_binary(name, tags = [], **kwargs):
    """A binary with LibTorch's CUDA half."""
    fd_torch_binary(
        name = name,
        tags = tags + [_LIBTORCH_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        **kwargs
    )

def fd_cuda_sh_test(name, tags = [], **kwargs):
    """A shell test of what is built with CUDA."""
    native.sh_test(
        name = name,
        tags = tags + [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        **kwargs
    )

def fd_gpu_test(name, tags = [], **kwargs):
    """A test that fails without a GPU of NVIDIA: nothing else runs beside it."""
    fd_cuda_test(
        name = name,
        tags = tags + ["exclusive", "requires-gpu-nvidia"],
        **kwargs
    )

def fd_cuda_benchmark(name, tags = [], **kwargs):
    """A Google Benchmark binary that needs a GPU when it is run."""
    fd_cc_benchmark(
        name = name,
        tags = tags + [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
        **kwargs
    )

def fd_cc_benchmark(name, copts = [], deps = [], **kwargs):
    """A Google Benchmark binary: built by the tests, run by hand."""
    native.cc_binary(
        name = name,
        testonly = True,
        copts = _COPTS + copts,
        deps = deps + ["@com_google_benchmark//:benchmark_main"],
        **kwargs
    )

def _unreached_test(name, query, targets, unwanted, **kwargs):
    """A test that no target reaches `unwanted`."""
    native.genquery(
        name = query,
        testonly = True,
        expression = "somepath(set(%s), %s)" % (" ".join(targets), unwanted),
        scope = targets + [unwanted],
        **kwargs
    )
    native.sh_test(
        name = name,
        size = "small",
        srcs = ["//third_party/bazel:layering_test.sh"],
        args = ["$(location :%s)" % query],
        data = [":" + query],
        **kwargs
    )

_FORMATTED = [
    "*.cc",
    "*.cu",
    "*.h",
    "*.proto",
]

def fd_package_tests(
        torch_free = False,
        torch_free_targets = [],
        protobuf_free = False):
    """The tests that every package has; the last line of a BUILD file.

    Args:
      torch_free: no target of this package may reach LibTorch.
      torch_free_targets: in a package that may use LibTorch, the names of the
        targets that must not reach it.
      protobuf_free: nothing that ships from this package may reach protobuf.
    """
    native.sh_test(
        name = "format_test",
        size = "small",
        srcs = ["//third_party/bazel:format_test.sh"],
        args = ["$(location %s)" % f for f in native.glob(
            _FORMATTED,
            allow_empty = True,
        )],
        data = ["//:.clang-format"] + native.glob(
            _FORMATTED,
            allow_empty = True,
        ),
    )
    rules = native.existing_rules()
    for name in torch_free_targets:
        if name not in rules:
            fail("torch_free_targets names %s, which does not exist" % name)

    # Without CUDA a query over a target that needs it is skipped as well: they
    # are asked on their own.
    with_cuda = {
        name: rule
        for name, rule in rules.items()
        if _CUDA_TAG in rule["tags"] or _LIBTORCH_CUDA_TAG in rule["tags"]
    }
    _layering_tests(
        "",
        {n: r for n, r in rules.items() if n not in with_cuda},
        torch_free,
        torch_free_targets,
        protobuf_free,
    )
    _layering_tests(
        "cuda_",
        with_cuda,
        torch_free,
        torch_free_targets,
        protobuf_free,
        tags = [_CUDA_TAG],
        target_compatible_with = _ONLY_WITH_CUDA,
    )

def _layering_tests(
        prefix,
        rules,
        torch_free,
        torch_free_targets,
        protobuf_free,
        **kwargs):
    """What fd_package_tests() says of dependencies, for some of its rules."""
    targets = [
        "//%s:%s" % (native.package_name(), name)
        for name, rule in rules.items()
        if name in torch_free_targets or
           (torch_free and rule["kind"].startswith("cc_"))
    ]
    if targets:
        _unreached_test(
            name = prefix + "layering_test",
            query = prefix + "libtorch_reached",
            targets = targets,
            unwanted = "@libtorch//:torch",
            **kwargs
        )

    # What ships from here needs, for //tests/layering.
    shipped = [
        "//%s:%s" % (native.package_name(), name)
        for name, rule in rules.items()
        if rule["kind"] in ["cc_binary", "cc_library"] and
           not rule.get("testonly")
    ]
    if shipped and protobuf_free:
        _unreached_test(
            name = prefix + "protobuf_layering_test",
            query = prefix + "protobuf_reached",
            targets = shipped,
            unwanted = "@com_google_protobuf//:protobuf",
            **kwargs
        )
    if shipped:
        native.genquery(
            name = prefix + "needs",
            testonly = True,
            expression = "deps(set(%s))" % " ".join(shipped),
            scope = shipped,
            visibility = ["//tests/layering:__pkg__"],
            **kwargs
        )
