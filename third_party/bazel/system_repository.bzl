"""A library that Debian installed, as an external repository."""

def _system_repository_impl(ctx):
    if not ctx.path(ctx.attr.header).exists:
        fail(("%s is missing: run ./bazelw once, it installs the Debian " +
              "packages that the build needs") % ctx.attr.header)
    for path, name in ctx.attr.links.items():
        ctx.symlink(path, name)
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

system_repository = repository_rule(
    implementation = _system_repository_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "header": attr.string(
            mandatory = True,
            doc = "A file that is there when the Debian package is installed.",
        ),
        "links": attr.string_dict(doc = "System path -> name inside."),
    },
    local = True,
)
