#!/usr/bin/env python3
"""Times our inference beside that of others, in turns.

usage: inference_peers.py [--bin bazel-bin] [--genotypes FairDARTS_b,...]
       [--network cifar] [--engines ours,onnxruntime,openvino] [--batch 1]
       [--threads 1] [--rounds 3] [--seconds 1] [--keep FOLDER]
       [--results FILE]

Each round starts a process of each engine for each genotype, so that a drift of
the machine's clock meets all alike. Prints milliseconds an image, the share of
the multiply-adds that the machine was measured to reach (all rounds' best), the
ratio of the fastest call to ours, and how far the logits are from ours relative
to the largest. Engines: ours, onnxruntime, openvino, ncnn, libtorch,
libtorch_channels_last. See README.md for what has to be there.

--results keeps what was measured: another run with the file adds to it and
prints all of it, so that a long measurement can be made in parts.
"""
import argparse
import csv
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from onnx_logits import images  # noqa: E402

ALL = ",".join("FairDARTS_" + letter for letter in "abcdefg")
ENGINES = ("ours", "onnxruntime", "openvino", "ncnn", "libtorch",
           "libtorch_channels_last")
SEED = 47  # of the images, as in //fairdarts:inference_timing


def needs_onnx(engine):
    return engine in ("onnxruntime", "openvino", "ncnn")


def check_binaries(engines, folder):
    """Says what to build where a program is not there."""
    targets = ["fairdarts/runtime/write_filled_model"]
    if "ours" in engines:
        targets.append("fairdarts/inference_benchmark")
    if any(map(needs_onnx, engines)):
        targets.append("training/export_model")
    if any(engine.startswith("libtorch") for engine in engines):
        targets.append("tests/peers/libtorch_inference")
    missing = [target for target in targets if not (folder / target).is_file()]
    if missing:
        labels = ["//" + ":".join(target.rsplit("/", 1)) for target in missing]
        sys.exit(f"{folder} lacks {', '.join(missing)}; "
                 f"./bazelw build {' '.join(labels)}")


def run(command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True,
                          text=True, **options)
    if done.returncode:
        sys.exit(f"{command[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def pnnx(folder, model, shape):
    """ncnn's files of an ONNX file, made once."""
    where = folder / (model.stem + ".ncnn")
    if not (where / "m.ncnn.bin").exists():
        where.mkdir(exist_ok=True)
        (where / "m.onnx").write_bytes(model.read_bytes())
        size = ",".join(map(str, [1] + shape[1:]))
        run([pathlib.Path(sys.executable).parent / "pnnx", "m.onnx",
             f"inputshape=[{size}]", "fp16=0"], cwd=where)
    return where


# Engines of Python: a call of the network for a batch, and the version.


def onnxruntime(arguments, batch):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.log_severity_level = 3
    session = ort.InferenceSession(arguments.onnx, options,
                                   providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"images": batch})[0], ort.__version__


def openvino(arguments, batch):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(arguments.onnx)
    model.reshape({"images": list(batch.shape)})
    request = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": arguments.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }).create_infer_request()
    return lambda: request.infer({0: batch})[0], ov.__version__.split("-")[0]


def ncnn(arguments, batch):
    import ncnn as nn
    net = nn.Net()
    net.opt.num_threads = arguments.threads
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic",
                 "bf16_storage"):
        setattr(net.opt, "use_" + half, False)
    where = pathlib.Path(arguments.ncnn)
    net.load_param(str(where / "m.ncnn.param"))
    net.load_model(str(where / "m.ncnn.bin"))

    def call():  # it takes an image at a time
        logits = []
        for image in batch:
            extractor = net.create_extractor()
            extractor.input("in0", nn.Mat(image))
            logits.append(np.array(extractor.extract("out0")[1]))
        return np.stack(logits)

    return call, nn.__version__


def one(arguments):
    """What a process of a Python engine does."""
    shape = json.loads(arguments.shape)
    batch = images("x", shape, SEED)
    call, version = globals()[arguments.one](arguments, batch)
    logits = np.asarray(call(), np.float32)
    logits.tofile(arguments.logits)
    times, end = [], time.perf_counter() + arguments.seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    print(json.dumps({
        "version": version,
        "min_ms": 1e3 * min(times) / shape[0],
        "median_ms": 1e3 * statistics.median(times) / shape[0],
        "calls": len(times),
    }))


def measure(engine, name, shape, arguments, folder):
    """One process; its figures and logits."""
    model = folder / f"{name}.safetensors"
    onnx = folder / f"{name}.onnx"
    logits = folder / "logits"
    common = [f"--batch={arguments.batch}", f"--threads={arguments.threads}",
              f"--seconds={arguments.seconds}", f"--logits={logits}"]
    threads = str(arguments.threads)
    environment = dict(os.environ, OMP_NUM_THREADS=threads,
                       MKL_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)
    if engine == "ours":
        table = folder / "ours.csv"
        run([arguments.bin / "fairdarts/inference_benchmark",
             f"--model={model}", f"--csv={table}"] + common, env=environment)
        with open(table, newline="") as lines:
            row = next(csv.DictReader(lines))
        row["version"] = row["isa"]
    elif engine.startswith("libtorch"):
        last = str(engine == "libtorch_channels_last").lower()
        out = run([arguments.bin / "tests/peers/libtorch_inference",
                   f"--model={model}", f"--channels_last={last}"] + common,
                  env=environment)
        row = next(csv.DictReader(out.splitlines()))
    else:
        command = [sys.executable, __file__, "--one", engine, "--onnx", onnx,
                   "--shape", json.dumps(shape)] + common
        if engine == "ncnn":
            command += ["--ncnn", pnnx(folder, onnx, shape)]
        out = run(command, env=environment)
        row = json.loads(out.splitlines()[-1])
    for key in ("min_ms", "median_ms", "gflop", "peak_gflops"):
        if key in row:
            row[key] = float(row[key])
    return row, np.fromfile(logits, np.float32).tolist()


def prepare(name, onnx_too, arguments, folder):
    """The model of a genotype, for us and, where an engine asks, as ONNX."""
    model = folder / f"{name}.safetensors"
    if not model.exists():
        run([arguments.bin / "fairdarts/runtime/write_filled_model",
             f"--network={arguments.network}", name, model])
    onnx = folder / f"{name}.onnx"
    if onnx_too and not onnx.exists():
        run([arguments.bin / "training/export_model", f"--model_path={model}",
             "--format=onnx", f"--output={onnx}"])


def geometric(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def report(results, arguments):
    """results[name][engine]: (figures, logits) of each round."""
    names = sorted(results)
    engines = list(dict.fromkeys(engine for name in names
                                 for engine in results[name]))
    peak = max((row["peak_gflops"] for by_engine in results.values()
                for row, _ in by_engine.get("ours", [])), default=0)
    print(f"{arguments.network}, batch {arguments.batch}, "
          f"{arguments.threads} thread(s), peak {peak:.1f} GFLOP/s")
    line = "{:15} {:22} {:>12} {:>6} {:>9} {:>10} {:>7} {:>6} {:>8}"
    print(line.format("genotype", "engine", "version", "rounds", "min ms",
                      "median ms", "% peak", "ratio", "off"))
    minima = {engine: {} for engine in engines}
    for name in names:
        by_engine = results[name]
        ours = by_engine.get("ours")
        for engine, rounds in by_engine.items():
            best = min(row["min_ms"] for row, _ in rounds)
            minima[engine][name] = best
            median = statistics.median(row["median_ms"] for row, _ in rounds)
            share = ratio = off = ""
            if ours:
                gflop = ours[0][0]["gflop"]
                share = f"{100 * gflop / (best * 1e-3) / peak:.1f}"
                ratio = f"{best / min(row['min_ms'] for row, _ in ours):.2f}"
                reference = np.array(ours[0][1])
                distance = np.abs(np.array(rounds[0][1]) - reference).max()
                off = f"{distance / np.abs(reference).max():.1e}"
            print(line.format(name, engine, rounds[0][0]["version"],
                              len(rounds), f"{best:.3f}", f"{median:.3f}",
                              share, ratio, off))
    if len(names) > 1:
        for engine in engines:
            if len(minima[engine]) < len(names):
                continue
            mean = geometric(minima[engine].values())
            ratio = ""
            if len(minima.get("ours", [])) == len(names):
                ratio = f"{mean / geometric(minima['ours'].values()):.2f}"
            print(line.format("geometric mean", engine, "", "", f"{mean:.3f}",
                              "", "", ratio, ""))
    ratios = [min(minima[engine][name] for engine in results[name]
                  if engine != "ours") / minima["ours"][name]
              for name in names
              if "ours" in results[name] and len(results[name]) > 1]
    if ratios:
        print("the best of the others, each genotype's own: "
              f"{geometric(ratios):.2f}x ours")


def stored(path, key):
    """What an earlier run kept in the file, if it measured the same."""
    if path is None or not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept["key"] != key:
        sys.exit(f"{path}: holds {kept['key']}, not {key}")
    return kept["results"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default="bazel-bin")
    parser.add_argument("--genotypes", default=ALL)
    parser.add_argument("--network", default="cifar",
                        choices=["cifar", "imagenet"])
    parser.add_argument("--engines", default="ours,onnxruntime,openvino")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--keep", type=pathlib.Path,
                        help="folder for models, to be used again")
    parser.add_argument("--results", type=pathlib.Path)
    for inner in ("one", "onnx", "ncnn", "shape", "logits"):
        parser.add_argument("--" + inner, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return one(arguments)

    key = [arguments.network, arguments.batch, arguments.threads]
    results = stored(arguments.results, key)
    names = arguments.genotypes.split(",")
    engines = arguments.engines.split(",")
    unknown = sorted(set(engines) - set(ENGINES))
    if unknown:
        sys.exit(f"--engines: {', '.join(unknown)} is none of "
                 f"{', '.join(ENGINES)}")
    check_binaries(engines, arguments.bin)
    onnx_too = any(needs_onnx(engine) for engine in engines)
    size = 224 if arguments.network == "imagenet" else 32
    shape = [arguments.batch, 3, size, size]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder = folder.resolve() / arguments.network
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            prepare(name, onnx_too, arguments, folder)
            if "ncnn" in engines:
                pnnx(folder, folder / f"{name}.onnx", shape)
        for number in range(arguments.rounds):
            for name in names:
                # Back and forth, so that none always runs after the same one.
                for engine in engines[::-1] if number % 2 else engines:
                    results.setdefault(name, {}).setdefault(engine, []).append(
                        measure(engine, name, shape, arguments, folder))
    if arguments.results:
        arguments.results.write_text(
            json.dumps({"key": key, "results": results}))
    report(results, arguments)


if __name__ == "__main__":
    main()
