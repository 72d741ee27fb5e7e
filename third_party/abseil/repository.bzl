"""Debian's Abseil (20220623) under upstream's labels.

Headers come from the system's include path. Each target names its own shared
library; Debian's libraries carry their dependencies themselves.
"""

# Package -> target -> libraries to link; header-only targets link none.
_TARGETS = {
    "absl/algorithm": {"container": []},
    "absl/base": {
        "config": [],
        "core_headers": [],
    },
    "absl/cleanup": {"cleanup": []},
    "absl/container": {
        "btree": [],
        "fixed_array": [],
        "flat_hash_map": ["raw_hash_set", "hash"],
        "flat_hash_set": ["raw_hash_set", "hash"],
        "inlined_vector": [],
    },
    "absl/debugging": {"leak_check": ["leak_check"]},
    "absl/flags": {
        "flag": [
            "flags_internal",
            "flags_marshalling",
            "flags_reflection",
            "flags_commandlineflag",
            "flags_commandlineflag_internal",
            "flags_config",
        ],
        "parse": ["flags_parse"],
        "usage": ["flags_usage"],
    },
    "absl/functional": {
        "any_invocable": [],
        "function_ref": [],
    },
    "absl/memory": {"memory": []},
    "absl/meta": {"type_traits": []},
    "absl/numeric": {
        "bits": [],
        "int128": ["int128"],
    },
    "absl/status": {
        "status": ["status"],
        "statusor": ["statusor", "status"],
    },
    "absl/strings": {
        "cord": ["cord", "cordz_info", "cord_internal"],
        "str_format": ["str_format_internal", "strings"],
        "strings": ["strings", "throw_delegate"],
    },
    "absl/synchronization": {"synchronization": ["synchronization"]},
    "absl/time": {"time": ["time", "time_zone"]},
    "absl/types": {
        "optional": [],
        "span": [],
        "variant": [],
    },
}

_TARGET = """
cc_library(
    name = "{name}",
    linkopts = {linkopts},
)
"""

def _abseil_repository_impl(ctx):
    if not ctx.path("/usr/include/absl/status/status.h").exists:
        fail("libabsl-dev is missing: run ./bazelw once, it installs it")
    for package, targets in _TARGETS.items():
        build = 'package(default_visibility = ["//visibility:public"])\n'
        for name, libraries in targets.items():
            build += _TARGET.format(
                name = name,
                linkopts = repr(["-labsl_" + lib for lib in libraries]),
            )
        ctx.file(package + "/BUILD.bazel", build)

abseil_repository = repository_rule(
    implementation = _abseil_repository_impl,
    local = True,
)
