"""The CUDA half of LibTorch 2.11.0, beside the CPU's (repository.bzl).

Headers and libtorch_cpu.so are the same with and without CUDA, so that nothing
is compiled anew: this repository holds the other libraries of the same wheel
and those of NVIDIA that they need. Each is taken from where it is found first:

  1. the LibTorch that FAIRDARTS_LIBTORCH names, which must be one with CUDA
  2. the machine's CUDA (FAIRDARTS_CUDA, $CUDA_HOME, $CUDA_PATH,
     /usr/local/cuda; FAIRDARTS_CUDA=pypi: none)
  3. Python's package index

Targets name @libtorch_cuda. Without --config=cuda it is empty: whatever walks
over all dependencies, as genquery does, then asks for no CUDA.
"""

# What each package of the index holds; its version and SHA-256 for Linux
# x86-64. torch 2.11.0 asks for these.
_PACKAGES = {
    "nvidia-cublas": struct(
        version = "13.1.0.3",
        sha256 = "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
        libraries = ["libcublas.so.13", "libcublasLt.so.13"],
    ),
    "nvidia-cuda-nvrtc": struct(
        version = "13.0.88",
        sha256 = "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        libraries = ["libnvrtc.so.13", "libnvrtc-builtins.so.13.0"],
    ),
    # The CPU half asks for it too; an unpacked LibTorch may lack it.
    "nvidia-cuda-runtime": struct(
        version = "13.0.96",
        sha256 = "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        libraries = ["libcudart.so.13"],
    ),
    "nvidia-cudnn-cu13": struct(
        version = "9.19.0.56",
        sha256 = "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
        libraries = [
            "libcudnn.so.9",
            "libcudnn_adv.so.9",
            "libcudnn_cnn.so.9",
            "libcudnn_engines_precompiled.so.9",
            "libcudnn_engines_runtime_compiled.so.9",
            "libcudnn_graph.so.9",
            "libcudnn_heuristic.so.9",
            "libcudnn_ops.so.9",
        ],
    ),
    "nvidia-cufft": struct(
        version = "12.0.0.61",
        sha256 = "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        libraries = ["libcufft.so.12"],
    ),
    "nvidia-cufile": struct(
        version = "1.15.1.6",
        sha256 = "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
        libraries = ["libcufile.so.0"],
    ),
    "nvidia-curand": struct(
        version = "10.4.0.35",
        sha256 = "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        libraries = ["libcurand.so.10"],
    ),
    "nvidia-cusparse": struct(
        version = "12.6.3.3",
        sha256 = "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
        libraries = ["libcusparse.so.12"],
    ),
    "nvidia-cusparselt-cu13": struct(
        version = "0.8.0",
        sha256 = "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
        libraries = ["libcusparseLt.so.0"],
    ),
    "nvidia-nccl-cu13": struct(
        version = "2.28.9",
        sha256 = "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
        libraries = ["libnccl.so.2"],
    ),
    "nvidia-nvjitlink": struct(
        version = "13.0.88",
        sha256 = "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
        libraries = ["libnvJitLink.so.13"],
    ),
    "nvidia-nvshmem-cu13": struct(
        version = "3.4.5",
        sha256 = "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
        libraries = ["libnvshmem_host.so.3"],
    ),
    "torch": struct(
        version = "2.11.0",
        sha256 = "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        libraries = [
            "libc10_cuda.so",
            "libtorch_cuda.so",
            "libtorch_nvshmem.so",
        ],
    ),
}

_PLATFORMS = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
]

# The CUDA half registers itself as it is loaded: no symbol of it is asked for
# by name, and a linker that drops what nobody needs would drop it.
_BUILD = """\
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "libraries",
    srcs = glob(["lib/*.so", "lib/*.so.*"]),
    linkopts = ["-Wl,--no-as-needed"],
)
"""

def _toolkits(ctx):
    """The folders of CUDA's libraries on this machine."""
    named = ctx.os.environ.get("FAIRDARTS_CUDA", "")
    if named == "pypi":
        return []
    roots = [named] if named else [
        ctx.os.environ.get(name, "")
        for name in ["CUDA_HOME", "CUDA_PATH"]
    ] + ["/usr/local/cuda"]
    folders = []
    for root in roots:
        if root.startswith("/"):
            folders.append(ctx.path(root).get_child("lib64"))
            folders.append(ctx.path(root).get_child("lib"))
    return folders

def _nvidia(root):
    """The folders of libraries in NVIDIA's packages below a path."""
    nvidia = root.get_child("nvidia")
    if not nvidia.exists:
        return []
    return [folder.get_child("lib") for folder in nvidia.readdir()]

def _find(folders, library):
    for folder in folders:
        if folder.get_child(library).exists:
            return folder.get_child(library)
    return None

def _run(ctx, command):
    result = ctx.execute(command, timeout = 3600)
    if result.return_code:
        fail(("Cannot fetch LibTorch's CUDA half: connect to a Python " +
              "package index with 8 GB of disk free and run the command " +
              "again, or set FAIRDARTS_LIBTORCH to an unpacked LibTorch with " +
              "CUDA 13 (%s)") % result.stderr.strip().split("\n")[-1])

def _download(ctx, packages):
    ctx.report_progress("Fetching LibTorch's CUDA half (0.8 to 3 GB, once)")
    ctx.file("requirements.txt", "".join([
        "%s==%s --hash=sha256:%s\n" % (
            name,
            _PACKAGES[name].version,
            _PACKAGES[name].sha256,
        )
        for name in packages
    ]))
    _run(
        ctx,
        ["python3", "-m", "pip", "download", "--quiet", "--no-deps"] +
        ["--only-binary=:all:", "--python-version=3.11"] +
        ["--platform=" + platform for platform in _PLATFORMS] +
        ["--require-hashes", "--requirement=requirements.txt"] +
        ["--dest=wheels"],
    )
    for wheel in ctx.path("wheels").readdir():
        _run(ctx, ["python3", "-m", "zipfile", "-e", str(wheel), "wheel"])
    ctx.delete("wheels")

def _files_repository_impl(ctx):
    local = ctx.os.environ.get("FAIRDARTS_LIBTORCH", "")
    folders = []
    if local:
        root = ctx.path(local)
        folders.append(root.get_child("lib"))
        if not _find(folders, "libtorch_cuda.so"):
            fail(("FAIRDARTS_LIBTORCH=%s holds no lib/libtorch_cuda.so: for " +
                  "--config=cuda name a LibTorch with CUDA 13, or unset it") %
                 local)
        folders += _nvidia(root.dirname)
    folders += _toolkits(ctx)

    found = {}
    missing = []
    for name, package in _PACKAGES.items():
        for library in package.libraries:
            path = _find(folders, library)
            if path:
                found[library] = path
            elif name not in missing:
                missing.append(name)
    if missing:
        _download(ctx, missing)
        wheel = ctx.path("wheel")
        folders = [wheel.get_child("torch").get_child("lib")] + _nvidia(wheel)
        for name in missing:
            for library in _PACKAGES[name].libraries:
                path = _find(folders, library)
                if not path:
                    fail("%s %s holds no %s" % (
                        name,
                        _PACKAGES[name].version,
                        library,
                    ))
                found[library] = path
    for library, path in found.items():
        ctx.symlink(path, "lib/" + library)
    ctx.file("BUILD.bazel", _BUILD)

_files_repository = repository_rule(
    implementation = _files_repository_impl,
    environ = [
        "CUDA_HOME",
        "CUDA_PATH",
        "FAIRDARTS_CUDA",
        "FAIRDARTS_LIBTORCH",
    ],
)

def _switch_repository_impl(ctx):
    enabled = ctx.os.environ.get("FAIRDARTS_WITH_CUDA", "") == "on"
    ctx.file("BUILD.bazel", """\
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "libraries",
    deps = %s,
)
""" % (["@%s_files//:libraries" % ctx.name] if enabled else []))

_switch_repository = repository_rule(
    implementation = _switch_repository_impl,
    environ = ["FAIRDARTS_WITH_CUDA"],
)

def libtorch_cuda_repository(name):
    """The libraries as @name under --config=cuda (see .bazelrc), else none."""
    _switch_repository(name = name)
    _files_repository(name = name + "_files")
