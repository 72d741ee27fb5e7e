"""A tarball with the inference library, for programs that Bazel does not build."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _inference_package_impl(ctx):
    tools = find_cpp_toolchain(ctx)
    merged = cc_common.merge_cc_infos(
        cc_infos = [dep[CcInfo] for dep in ctx.attr.deps],
    )

    # System libraries have no files here: the user links their own.
    objects = []
    for linker_input in merged.linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            objects += library.pic_objects or library.objects
    archive = ctx.actions.declare_file(ctx.label.name + "/libfairdarts_inference.a")
    names = ctx.actions.args().use_param_file("@%s", use_always = True)
    names.add_all(objects)
    ctx.actions.run(
        executable = tools.ar_executable,
        # Names, times and owners that are always the same.
        arguments = ["qcsD", archive.path, names],
        inputs = depset(objects, transitive = [tools.all_files]),
        outputs = [archive],
        mnemonic = "MergeArchives",
    )

    tarball = ctx.actions.declare_file(
        "fairdarts-inference-%s.tar.gz" % ctx.attr.version,
    )
    ctx.actions.run(
        executable = ctx.executable._make_package,
        arguments = [
            tarball.path,
            ctx.attr.version,
            archive.path,
            ctx.file.shared_library.path,
            tools.compiler_executable,
            tools.strip_executable,
        ] + [f.path for f in ctx.files.texts],
        inputs = depset(
            [archive, ctx.file.shared_library] + ctx.files.texts,
            transitive = [
                merged.compilation_context.headers,
                tools.all_files,
            ],
        ),
        outputs = [tarball],
        mnemonic = "PackageInference",
        use_default_shell_env = True,
    )
    return [DefaultInfo(
        files = depset([tarball]),
        runfiles = ctx.runfiles(files = [tarball]),
    )]

inference_package = rule(
    implementation = _inference_package_impl,
    attrs = {
        "deps": attr.label_list(
            doc = "Everything that they reach is in the static library; their " +
                  "headers are looked for in it.",
            mandatory = True,
            providers = [CcInfo],
        ),
        "shared_library": attr.label(
            allow_single_file = True,
            mandatory = True,
        ),
        "texts": attr.label_list(
            doc = "Files of the package; in NAME.in, @VERSION@, @MAJOR@ " +
                  "and @ABSEIL@ are replaced.",
            allow_files = True,
        ),
        "version": attr.string(
            doc = "FAIRDARTS_VERSION of inference_c.h.",
            mandatory = True,
        ),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
        "_make_package": attr.label(
            cfg = "host",
            default = "//fairdarts/package:make_package",
            executable = True,
        ),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
