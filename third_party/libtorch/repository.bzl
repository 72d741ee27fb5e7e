"""LibTorch 2.11.0: the C++ half of PyTorch, taken out of its Python wheel.

2.11 is the last line that surely takes C++17. FAIRDARTS_LIBTORCH may name an
unpacked LibTorch (the folder that holds include/ and lib/) to use instead of
the download.
"""

# The SHA-256 of each file that Python's package index serves for Linux x86-64.
_REQUIREMENTS = """\
nvidia-cuda-cupti==13.0.85 \
--hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
nvidia-cuda-runtime==13.0.96 \
--hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
torch==2.11.0 \
--hash=sha256:7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a
"""

_PLATFORMS = [
    "manylinux_2_28_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux2014_x86_64",
]

# The wheel links against CUDA's runtime and profiling library, also on a CPU.
_NVIDIA_LIB = "nvidia/cu13/lib"

_LIBRARIES = [
    "libtorch_cpu.so",
    "libc10.so",
    "libgomp.so.1",
    "libcudart.so.13",
    "libcupti.so.13",
]

_BUILD = """\
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "torch",
    srcs = glob(["lib/*.so", "lib/*.so.*"]),
    hdrs = glob([
        "include/**/*.h",
        "include/**/*.hpp",
        "include/**/*.cuh",
    ]),
    includes = [
        "include",
        "include/torch/csrc/api/include",
    ],
)
"""

def _run(ctx, command, advice):
    result = ctx.execute(command, timeout = 3600)
    if result.return_code:
        detail = result.stderr.strip().split("\n")[-1]
        fail("Cannot fetch LibTorch: %s (%s)" % (advice, detail))

def _download(ctx):
    """Fetches the wheels and unpacks them into torch/ and nvidia/."""
    ctx.report_progress("Fetching LibTorch (about 550 MB, once)")
    ctx.file("requirements.txt", _REQUIREMENTS)
    _run(
        ctx,
        ["python3", "-m", "pip", "download", "--quiet", "--no-deps"] +
        ["--only-binary=:all:", "--python-version=3.11"] +
        ["--platform=" + platform for platform in _PLATFORMS] +
        ["--require-hashes", "--requirement=requirements.txt"] +
        ["--dest=wheels"],
        "connect to a Python package index with 3 GB of disk free and run " +
        "the command again, or set FAIRDARTS_LIBTORCH to an unpacked LibTorch",
    )
    for wheel in ctx.path("wheels").readdir():
        _run(
            ctx,
            ["python3", "-m", "zipfile", "-e", str(wheel), "."],
            "free 3 GB of disk and run the command again",
        )
    ctx.delete("wheels")

    # Only the CPU half is linked; the rest would be 500 MB of dead weight.
    for library in ctx.path("torch/lib").readdir():
        if library.basename not in _LIBRARIES:
            ctx.delete(library)
    return ctx.path("torch")

def _libtorch_repository_impl(ctx):
    local = ctx.os.environ.get("FAIRDARTS_LIBTORCH", "")
    if local and not local.startswith("/"):
        fail("FAIRDARTS_LIBTORCH=%s must be an absolute path" % local)
    root = ctx.path(local) if local else _download(ctx)
    if not root.get_child("lib").get_child("libtorch_cpu.so").exists:
        fail(("FAIRDARTS_LIBTORCH=%s holds no lib/libtorch_cpu.so: name the " +
              "folder of an unpacked LibTorch, or unset it") % local)

    # The wheel's include/google is an old protobuf that would shadow ours.
    for header in root.get_child("include").readdir():
        if header.basename != "google":
            ctx.symlink(header, "include/" + header.basename)
    nvidia = root.dirname
    for part in _NVIDIA_LIB.split("/"):
        nvidia = nvidia.get_child(part)
    for library in _LIBRARIES:
        for folder in [root.get_child("lib"), nvidia]:
            if folder.get_child(library).exists:
                ctx.symlink(folder.get_child(library), "lib/" + library)
    ctx.file("BUILD.bazel", _BUILD)

libtorch_repository = repository_rule(
    implementation = _libtorch_repository_impl,
    environ = ["FAIRDARTS_LIBTORCH"],
)
