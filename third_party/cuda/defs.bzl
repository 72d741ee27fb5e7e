"""Code for GPUs: .cu files become one fat binary, embedded in a library.

The packages of the project use fd_cuda_fatbin of //third_party/bazel:defs.bzl.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

# Machine code for Ampere, Hopper and Blackwell; a GPU takes that of the same
# major number and a lower minor one, so 8.0 serves 8.6 and 8.9 as well.
_SASS = [
    "80",
    "90",
    "100",
]

# For all other GPUs (11.x, 12.x and what comes) the driver compiles the latest
# of these that is not newer than the GPU: PTX runs on its own GPU and every
# later one. The lowest is that of the lowest GPU of ours, so that no GPU from
# Ampere on is without code, whatever stands in the list above; the other has
# what Hopper brought.
_PTX = [
    "80",
    "90",
]

# A GPU that has to compile the last of them.
_COMPILES = "120"

def _compile(ctx, source, headers, flags, kind, virtual, real = None):
    """One architecture's code: (the code, its use of registers and memory).

    PTX is a virtual architecture's; machine code is made of one for a real one.
    """
    tools = find_cpp_toolchain(ctx)
    name = "%s.compute_%s" % (ctx.label.name, virtual)
    if real:
        name += "_sm_" + real
    code = ctx.actions.declare_file(name + "." + kind)
    usage = ctx.actions.declare_file(name + ".usage")

    # What the source may include: its dependency file is held against it.
    declared = ctx.actions.declare_file(name + ".declared")
    names = ctx.actions.args().set_param_file_format("multiline")
    names.add_all(headers)
    ctx.actions.write(declared, names)

    args = ctx.actions.args()
    args.add_all([ctx.file._nvcc, declared, usage, code])
    args.add_all([
        "--" + kind,
        "-arch=compute_" + virtual,
        "-ccbin=" + tools.compiler_executable,
        "-std=c++17",
        "-Werror=all-warnings",
        "-Xptxas=-O3,-v",
    ])
    if real:
        args.add("-code=sm_" + real)
    args.add_all(flags)
    args.add(source)
    ctx.actions.run(
        executable = ctx.executable._compile,
        arguments = [args],
        inputs = depset(
            [source, declared],
            transitive = [headers, tools.all_files],
        ),
        tools = depset(
            [ctx.file._nvcc],
            transitive = [ctx.attr._tools[DefaultInfo].files],
        ),
        outputs = [code, usage],
        mnemonic = "CudaCompile",
        progress_message = "Compiling %s for %s" % (ctx.label, code.basename),
        use_default_shell_env = True,
    )
    return code, usage

def _flags(ctx, context):
    """The preprocessor's flags, as for the same headers on the host."""
    flags = ["-D" + define for define in context.defines.to_list()]
    folders = [".", ctx.bin_dir.path]
    for folder in context.quote_includes.to_list() + context.includes.to_list():
        if folder not in folders:
            folders.append(folder)
    flags += ["-I" + folder for folder in folders]
    for folder in context.system_includes.to_list():
        flags += ["-isystem", folder]
    return flags

def _embed(ctx, fatbin):
    """An object file that holds the bytes, and the header that names them."""
    tools = find_cpp_toolchain(ctx)
    path = "%s/%s" % (ctx.label.package, ctx.label.name)
    symbol = "fairdarts_" + "".join([
        c if c.isalnum() else "_"
        for c in path.elems()
    ])
    replaced = {
        "@FATBIN@": fatbin.path,
        "@FUNCTION@": "".join([
            word.capitalize()
            for word in ctx.attr.header_name.split("_")
        ]),
        "@GUARD@": symbol.upper() + "_H_",
        "@LABEL@": str(ctx.label),
        "@SYMBOL@": symbol,
    }
    assembly = ctx.actions.declare_file(ctx.label.name + ".s")
    header = ctx.actions.declare_file(ctx.attr.header_name + ".h")
    ctx.actions.expand_template(
        template = ctx.file._assembly,
        output = assembly,
        substitutions = replaced,
    )
    ctx.actions.expand_template(
        template = ctx.file._header,
        output = header,
        substitutions = replaced,
    )
    object = ctx.actions.declare_file(ctx.label.name + ".pic.o")
    ctx.actions.run(
        executable = tools.compiler_executable,
        arguments = ["-c", assembly.path, "-o", object.path],
        inputs = depset([assembly, fatbin], transitive = [tools.all_files]),
        outputs = [object],
        mnemonic = "CudaEmbed",
        use_default_shell_env = True,
    )
    return header, object

def _cuda_fatbin_impl(ctx):
    # The files are compiled as one: a fat binary holds one image for a GPU.
    source = ctx.actions.declare_file(ctx.label.name + ".cu")
    ctx.actions.write(source, "".join([
        "#include \"%s\"\n" % file.path
        for file in ctx.files.srcs
    ]))
    context = cc_common.merge_cc_infos(
        cc_infos = [dep[CcInfo] for dep in ctx.attr.deps],
    ).compilation_context
    flags = _flags(ctx, context) + ctx.attr.copts
    headers = depset(ctx.files.srcs, transitive = [context.headers])

    images = []
    usages = []
    for arch in _SASS:
        code, usage = _compile(ctx, source, headers, flags, "cubin", arch, arch)
        images.append(("elf", arch, code))
        usages.append(usage)
    for arch in _PTX:
        code, _ = _compile(ctx, source, headers, flags, "ptx", arch)
        images.append(("ptx", arch, code))

    # Not in the fat binary: what such a GPU's driver makes of the PTX.
    _, usage = _compile(ctx, source, headers, flags, "cubin", _PTX[-1], _COMPILES)
    usages.append(usage)

    fatbin = ctx.actions.declare_file(ctx.label.name + ".fatbin")
    ctx.actions.run(
        executable = ctx.file._fatbinary,
        arguments = ["--create=" + fatbin.path, "-64"] + [
            "--image3=kind=%s,sm=%s,file=%s" % (kind, arch, code.path)
            for kind, arch, code in images
        ],
        inputs = [code for _, _, code in images],
        tools = ctx.attr._tools[DefaultInfo].files,
        outputs = [fatbin],
        mnemonic = "CudaFatbin",
    )
    usage = ctx.actions.declare_file(ctx.label.name + ".usage")
    ctx.actions.run_shell(
        command = "cat \"$@\" >" + usage.path,
        arguments = [file.path for file in usages],
        inputs = usages,
        outputs = [usage],
        mnemonic = "CudaUsage",
    )
    header, object = _embed(ctx, fatbin)
    return [
        DefaultInfo(files = depset([fatbin, usage])),
        OutputGroupInfo(
            fatbin = depset([fatbin]),
            header = depset([header]),
            object = depset([object]),
            usage = depset([usage]),
        ),
    ]

cuda_fatbin = rule(
    doc = """Compiles .cu files to machine code and PTX, for the driver to load.

The output groups are `fatbin`; `usage`, what ptxas says of each kernel's
registers and memory; `object`, the fat binary as an object file to link; and
`header`, HEADER_NAME.h, which declares the function HeaderName() that returns
it. nvcc compiles no code for the host, and nothing needs CUDA's runtime.
""",
    implementation = _cuda_fatbin_impl,
    attrs = {
        "copts": attr.string_list(doc = "More flags for nvcc."),
        "deps": attr.label_list(
            doc = "Libraries whose headers the sources include, of the host.",
            providers = [CcInfo],
        ),
        "header_name": attr.string(mandatory = True),
        "srcs": attr.label_list(
            allow_files = [".cu"],
            mandatory = True,
        ),
        "_assembly": attr.label(
            allow_single_file = True,
            default = "//third_party/cuda:fatbin.s.in",
        ),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
        "_compile": attr.label(
            cfg = "exec",
            default = "//third_party/cuda:compile",
            executable = True,
        ),
        "_fatbinary": attr.label(
            allow_single_file = True,
            default = "@cuda//:fatbinary",
        ),
        "_header": attr.label(
            allow_single_file = True,
            default = "//third_party/cuda:fatbin.h.in",
        ),
        "_nvcc": attr.label(
            allow_single_file = True,
            default = "@cuda//:nvcc",
        ),
        "_tools": attr.label(default = "@cuda//:tools"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
