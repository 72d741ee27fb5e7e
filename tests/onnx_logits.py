#!/usr/bin/env python3
"""Runs an exported ONNX file in ONNX Runtime and compares its logits.

usage: onnx_logits.py MODEL.onnx GOLDEN.safetensors TENSOR [--seed 47]
       [--model_file MODEL.safetensors]

The images are the golden filler's, images("x", [N, C, H, W], seed), as many as
TENSOR has rows. Prints the largest difference relative to the largest logit;
fails above 1e-5. --model_file: Python's safetensors opens that export of the
same network, and its tensors are the ONNX file's bit by bit. Needs: pip install onnxruntime onnx safetensors numpy
"""
import argparse
import sys

import numpy as np

LIMIT = 1e-5


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def images(name, shape, seed):
    count = int(np.prod(shape))
    step = np.uint64(0x9E3779B97F4A7C15)
    start = np.uint64(fnv1a64(name) ^ seed)
    with np.errstate(over="ignore"):
        z = start + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * step
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1
    return (unit.astype(np.float32) * np.float32(1.5)).reshape(shape)


def model_file_differs(path, model):
    """Why a model file does not hold the tensors of an ONNX model, if so."""
    from onnx import numpy_helper
    from safetensors import safe_open
    # The other initializers are numbers that ONNX's own layers take as tensors.
    found = {tensor.name: numpy_helper.to_array(tensor)
             for tensor in model.graph.initializer
             if tensor.data_type == tensor.FLOAT}
    with safe_open(path, "np") as file:
        names = set(file.keys())
        version = file.metadata()["format_version"]
        alone = sorted(names ^ set(found))
        if alone:
            return f"{len(alone)} tensors are in one file only: {alone[0]}, ..."
        for name in sorted(names):
            if not np.array_equal(file.get_tensor(name), found[name]):
                return f"{name} differs"
    print(f"safetensors: {len(names)} tensors equal, format {version}")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("golden")
    parser.add_argument("tensor")
    parser.add_argument("--seed", type=int, default=47)
    parser.add_argument("--model_file")
    arguments = parser.parse_args()

    # Here, as other scripts import `images` without having these.
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file
    model = onnx.load(arguments.model)
    onnx.checker.check_model(model)
    if arguments.model_file:
        differs = model_file_differs(arguments.model_file, model)
        if differs:
            sys.exit(f"{arguments.model_file}: {differs}")
    expected = load_file(arguments.golden)[arguments.tensor]
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    shape = [len(expected)] + [size.dim_value for size in sizes][1:]
    session = onnxruntime.InferenceSession(
        arguments.model, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"],
                         {"images": images("x", shape, arguments.seed)})[0]
    off = np.abs(logits - expected).max() / np.abs(expected).max()
    print(f"onnxruntime {onnxruntime.__version__}: {off:.2e} off")
    sys.exit(0 if off <= LIMIT else 1)


if __name__ == "__main__":
    main()
