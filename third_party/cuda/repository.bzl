"""CUDA 13: its compiler and headers, and the headers of cuDNN 9.

They come from the machine's toolkit ($CUDA_HOME, $CUDA_PATH, /usr/local/cuda
or the nvcc on PATH, in this order), or else from Python's package index.
FAIRDARTS_CUDA may name a toolkit (the folder that holds bin/nvcc) that is taken
and no other, or be `pypi`: the download, whatever the machine has. No library
is linked: the driver and cuDNN are loaded at run time.

Targets name @cuda. Without --config=cuda it is empty: whatever walks over all
dependencies, as genquery does, then asks for no CUDA. With it, it points at
@cuda_toolkit, which stays fetched when the configuration changes.
"""

# The SHA-256 of each file that Python's package index serves for Linux x86-64.
_TOOLKIT_REQUIREMENTS = """\
nvidia-cuda-cccl==13.0.85 \
--hash=sha256:e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649
nvidia-cuda-crt==13.0.88 \
--hash=sha256:2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4
nvidia-cuda-nvcc==13.0.88 \
--hash=sha256:56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03
nvidia-cuda-runtime==13.0.96 \
--hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-nvvm==13.0.88 \
--hash=sha256:c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0
"""

_CUDNN_REQUIREMENTS = """\
nvidia-cudnn-cu13==9.19.0.56 \
--hash=sha256:d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf
"""

_PLATFORMS = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
]

_CUDA_MAJOR = "13"
_CUDNN_MAJOR = "9"

_BUILD = """\
package(default_visibility = ["//visibility:public"])

# What code for the host includes of CUDA: cuda.h, the types of half precision,
# and what LibTorch's own headers for CUDA need of it. nvcc finds them itself.
cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = [
        "include",
        "include/cccl",
    ],
)

cc_library(
    name = "cudnn_headers",
    hdrs = glob(["cudnn/include/*.h"]),
    includes = ["cudnn/include"],
    deps = [":headers"],
)

filegroup(
    name = "fatbinary",
    srcs = ["bin/fatbinary"],
)

filegroup(
    name = "nvcc",
    srcs = ["bin/nvcc"],
)

# What the programs in bin open.
filegroup(
    name = "tools",
    srcs = glob([
        "bin/**",
        "include/**",
        "nvvm/**",
        "targets/*/include/**",
    ]),
)
"""

def _run(ctx, command, what, advice):
    result = ctx.execute(command, timeout = 3600)
    if result.return_code:
        detail = result.stderr.strip().split("\n")[-1]
        fail("Cannot fetch %s: %s (%s)" % (what, advice, detail))

def _download(ctx, what, size, requirements, prefix, output):
    """Unpacks the folder `prefix` of the wheels into `output`."""
    ctx.report_progress("Fetching %s (about %s, once)" % (what, size))
    ctx.file("requirements.txt", requirements)
    _run(
        ctx,
        ["python3", "-m", "pip", "download", "--quiet", "--no-deps"] +
        ["--only-binary=:all:", "--python-version=3.11"] +
        ["--platform=" + platform for platform in _PLATFORMS] +
        ["--require-hashes", "--requirement=requirements.txt"] +
        ["--dest=wheels"],
        what,
        "connect to a Python package index with 2 GB of disk free and run " +
        "the command again, or set FAIRDARTS_CUDA to a CUDA %s toolkit " %
        _CUDA_MAJOR + "with cuDNN %s" % _CUDNN_MAJOR,
    )
    for wheel in ctx.path("wheels").readdir():
        # By its name Bazel knows a zip file, and unlike Python's own module
        # it keeps what is executable.
        ctx.symlink(wheel, "wheel.zip")
        ctx.extract("wheel.zip", output, stripPrefix = prefix)
        ctx.delete("wheel.zip")
    ctx.delete("wheels")
    ctx.delete("requirements.txt")

def _toolkit_fault(ctx, toolkit):
    """What is wrong with a toolkit, or None."""
    nvcc = toolkit.get_child("bin").get_child("nvcc")
    if not nvcc.exists:
        return "%s holds no bin/nvcc" % toolkit
    result = ctx.execute([nvcc, "--version"])
    _, found, rest = result.stdout.partition("release ")
    if result.return_code or not found:
        return "%s --version does not tell its release" % nvcc
    release = rest.partition(",")[0]
    if release.split(".")[0] != _CUDA_MAJOR:
        return "%s is release %s, not %s" % (nvcc, release, _CUDA_MAJOR)
    for header in ["cuda.h", "cuda_fp16.h"]:
        if not toolkit.get_child("include").get_child(header).exists:
            return "%s lacks include/%s" % (toolkit, header)
    return None

def _cudnn_fault(ctx, folder):
    """What is wrong with a folder of cuDNN's headers, or None."""
    for header in ["cudnn.h", "cudnn_backend.h", "cudnn_version.h"]:
        if not folder.get_child(header).exists:
            return "%s holds no %s" % (folder, header)
    major = None
    for line in ctx.read(folder.get_child("cudnn_version.h")).split("\n"):
        words = line.split(" ")
        if words[:2] == ["#define", "CUDNN_MAJOR"]:
            major = words[-1]
    if major != _CUDNN_MAJOR:
        return "%s/cudnn_version.h is of cuDNN %s, not %s" % (
            folder,
            major,
            _CUDNN_MAJOR,
        )
    return None

def _toolkit_on(ctx):
    """The first CUDA 13 of the machine, or None."""
    candidates = [
        ctx.os.environ[name]
        for name in ["CUDA_HOME", "CUDA_PATH"]
        if ctx.os.environ.get(name, "").startswith("/")
    ] + ["/usr/local/cuda"]
    nvcc = ctx.which("nvcc")
    if nvcc:
        # Not the link in /usr/bin, but where the rest of the toolkit lies.
        candidates.append(str(nvcc.realpath.dirname.dirname))
    for candidate in candidates:
        toolkit = ctx.path(candidate)
        if not toolkit.exists:
            continue
        fault = _toolkit_fault(ctx, toolkit)
        if not fault:
            return toolkit

        # buildifier: disable=print
        print("The machine's CUDA is not taken: " + fault)
    return None

def _link_toolkit(ctx, toolkit):
    for folder in ["bin", "nvvm", "targets"]:
        if toolkit.get_child(folder).exists:
            ctx.symlink(toolkit.get_child(folder), folder)

    # A cuDNN that lies among them is chosen on its own.
    for header in toolkit.get_child("include").readdir():
        if not header.basename.startswith("cudnn"):
            ctx.symlink(header, "include/" + header.basename)

def _cudnn_on(ctx, toolkit):
    """The headers of the cuDNN 9 in a toolkit or the system, or None."""
    folders = [
        toolkit.get_child("include"),
        ctx.path("/usr/include"),
        ctx.path("/usr/include/x86_64-linux-gnu"),
    ]
    for folder in folders:
        if not folder.get_child("cudnn.h").exists:
            continue
        fault = _cudnn_fault(ctx, folder)
        if not fault:
            return folder

        # buildifier: disable=print
        print("The machine's cuDNN is not taken: " + fault)
    return None

def _toolkit_repository_impl(ctx):
    named = ctx.os.environ.get("FAIRDARTS_CUDA", "")
    if named and named != "pypi" and not named.startswith("/"):
        fail("FAIRDARTS_CUDA=%s must be an absolute path or `pypi`" % named)
    if named.startswith("/"):
        toolkit = ctx.path(named)
        fault = _toolkit_fault(ctx, toolkit)
        if fault:
            fail("FAIRDARTS_CUDA=%s is no CUDA %s toolkit: %s" % (
                named,
                _CUDA_MAJOR,
                fault,
            ))
    else:
        toolkit = None if named == "pypi" else _toolkit_on(ctx)
    if toolkit:
        _link_toolkit(ctx, toolkit)
    else:
        _download(
            ctx,
            "CUDA's compiler",
            "105 MB",
            _TOOLKIT_REQUIREMENTS,
            "nvidia/cu13",
            ".",
        )
        ctx.delete("lib")

    cudnn = _cudnn_on(ctx, toolkit) if toolkit else None
    if cudnn:
        for header in cudnn.readdir():
            if header.basename.startswith("cudnn"):
                ctx.symlink(header, "cudnn/include/" + header.basename)
    else:
        _download(
            ctx,
            "cuDNN's headers",
            "370 MB",
            _CUDNN_REQUIREMENTS,
            "nvidia/cudnn",
            "cudnn",
        )
        ctx.delete("cudnn/lib")
    ctx.file("BUILD.bazel", _BUILD)

_toolkit_repository = repository_rule(
    implementation = _toolkit_repository_impl,
    environ = [
        "CUDA_HOME",
        "CUDA_PATH",
        "FAIRDARTS_CUDA",
    ],
)

_LIBRARIES = [
    "cudnn_headers",
    "headers",
]

_FILES = [
    "fatbinary",
    "nvcc",
    "tools",
]

def _switch_repository_impl(ctx):
    build = "package(default_visibility = [\"//visibility:public\"])\n"
    if ctx.os.environ.get("FAIRDARTS_WITH_CUDA", "") == "on":
        for name in _LIBRARIES + _FILES:
            build += "\nalias(name = \"%s\", actual = \"@%s_toolkit//:%s\")\n" % (
                name,
                ctx.name,
                name,
            )
    else:
        for name in _LIBRARIES:
            build += "\ncc_library(name = \"%s\")\n" % name
        for name in _FILES:
            build += "\nfilegroup(name = \"%s\", srcs = [\"nothing\"])\n" % name
        ctx.file("nothing")
    ctx.file("BUILD.bazel", build)

_switch_repository = repository_rule(
    implementation = _switch_repository_impl,
    environ = ["FAIRDARTS_WITH_CUDA"],
)

def cuda_repository(name):
    """CUDA as @name under --config=cuda (see .bazelrc), else empty."""
    _switch_repository(name = name)
    _toolkit_repository(name = name + "_toolkit")
