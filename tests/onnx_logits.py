#!/usr/bin/env python3
"""Runs an exported ONNX file in ONNX Runtime and compares its logits.

usage: onnx_logits.py MODEL.onnx GOLDEN.safetensors TENSOR [--seed 47]

The images are the golden filler's, images("x", [N, C, H, W], seed), as many as
TENSOR has rows. Prints the largest difference relative to the largest logit;
fails above 1e-5. Needs: pip install onnxruntime onnx safetensors numpy
"""
import argparse
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("golden")
    parser.add_argument("tensor")
    parser.add_argument("--seed", type=int, default=47)
    arguments = parser.parse_args()

    model = onnx.load(arguments.model)
    onnx.checker.check_model(model)
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
