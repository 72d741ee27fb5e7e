"""All external repositories, one folder per dependency beside this file."""

load("//third_party/abseil:repository.bzl", "abseil_repository")
load("//third_party/bazel:system_repository.bzl", "system_repository")
load("//third_party/cuda:repository.bzl", "cuda_repository")
load("//third_party/libtorch:cuda_repository.bzl", "libtorch_cuda_repository")
load("//third_party/libtorch:repository.bzl", "libtorch_repository")

def fairdarts_repositories():
    abseil_repository(name = "com_google_absl")
    system_repository(
        name = "com_google_benchmark",
        build_file = "//third_party/benchmark:benchmark.BUILD",
        header = "/usr/include/benchmark/benchmark.h",
    )
    system_repository(
        name = "com_google_googletest",
        build_file = "//third_party/googletest:googletest.BUILD",
        header = "/usr/include/gmock/gmock.h",
    )
    system_repository(
        name = "com_google_protobuf",
        build_file = "//third_party/protobuf:protobuf.BUILD",
        header = "/usr/include/google/protobuf/message.h",
        links = {
            "/usr/bin/protoc": "protoc_bin",
            "/usr/include/google": "include/google",
        },
    )
    system_repository(
        name = "com_github_nlohmann_json",
        build_file = "//third_party/json:json.BUILD",
        header = "/usr/include/nlohmann/json.hpp",
    )
    system_repository(
        name = "com_github_onnx_onnx",
        build_file = "//third_party/onnx:onnx.BUILD",
        header = "/usr/include/onnx/onnx.proto",
        links = {"/usr/include/onnx/onnx.proto": "onnx/onnx.proto"},
    )
    system_repository(
        name = "com_google_highway",
        build_file = "//third_party/highway:highway.BUILD",
        header = "/usr/include/hwy/highway.h",
    )
    system_repository(
        name = "fashion_mnist",
        build_file = "//third_party/fashion_mnist:fashion_mnist.BUILD",
        header = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
        links = {"/usr/share/datasets/fashion-mnist": "data"},
    )
    system_repository(
        name = "libjpeg_turbo",
        build_file = "//third_party/libjpeg_turbo:libjpeg_turbo.BUILD",
        header = "/usr/include/turbojpeg.h",
    )
    system_repository(
        name = "libpng",
        build_file = "//third_party/libpng:libpng.BUILD",
        header = "/usr/include/png.h",
    )
    system_repository(
        name = "libzip",
        build_file = "//third_party/libzip:libzip.BUILD",
        header = "/usr/include/zip.h",
    )
    system_repository(
        name = "zlib",
        build_file = "//third_party/zlib:zlib.BUILD",
        header = "/usr/include/zlib.h",
    )
    libtorch_repository(name = "libtorch")
    libtorch_cuda_repository(name = "libtorch_cuda")
    cuda_repository(name = "cuda")
