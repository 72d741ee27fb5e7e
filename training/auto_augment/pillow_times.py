"""Times Pillow on the image operations of AutoAugment's CIFAR-10 policy.

usage: python3 pillow_times.py LEVEL...

Prints Pillow's version, then for each operation and level one line: operation,
level, microseconds of CPU time an image, CRC-32 of the bytes of all images.
//training:augment_benchmark runs this between its own rounds, on the same
images, and holds its bytes to these.
"""

import sys
import time
import zlib

import PIL
from PIL import Image, ImageEnhance, ImageOps

SIDE = 32
GREY = (128, 128, 128)
CALLS = 40  # of each image between two looks at the clock
REPEATS = 3


def images():
    """Noise, and two slopes with a little noise, as augment_benchmark.cc."""
    state = 1
    result = []
    for n in range(3):
        pixels = bytearray()
        for y in range(SIDE):
            for x in range(SIDE):
                for c in range(3):
                    state = (state * 1664525 + 1013904223) % 2**32
                    noise = state >> 24
                    slope = (n + c) * x + (2 * n + 1) * y + (noise & 7)
                    pixels.append((noise if n == 0 else slope) % 256)
        result.append(Image.frombytes("RGB", (SIDE, SIDE), bytes(pixels)))
    return result


def affine(a, b, c, d, e, f, resample):
    return lambda image: image.transform(
        image.size, Image.AFFINE, (a, b, c, d, e, f), resample, fillcolor=GREY)


def rotate(degrees):
    def turned(image):
        layer = image.convert("RGBA").rotate(degrees)
        ground = Image.new("RGBA", image.size, (128,) * 4)
        return Image.composite(layer, ground, layer).convert(image.mode)
    return turned


def operations(level):
    """The operations at a level, with a positive sign, by name."""
    def step(first, last):
        even = first + level * ((last - first) / 9)
        return last if level == 9 else even
    shear = step(0, 0.3)
    move = step(0, 150 / 331) * SIDE
    factor = 1 + step(0, 0.9)
    bits = (8, 8, 7, 7, 6, 6, 5, 5, 4, 4)[level]
    threshold = step(256, 0)
    near, cubic = Image.NEAREST, Image.BICUBIC
    return {
        "shearX": affine(1, shear, 0, 0, 1, 0, cubic),
        "shearY": affine(1, 0, 0, shear, 1, 0, cubic),
        "translateX": affine(1, 0, move, 0, 1, 0, near),
        "translateY": affine(1, 0, 0, 0, 1, move, near),
        "rotate": rotate(step(0, 30)),
        "color": lambda i: ImageEnhance.Color(i).enhance(factor),
        "posterize": lambda i: ImageOps.posterize(i, bits),
        "solarize": lambda i: ImageOps.solarize(i, threshold),
        "contrast": lambda i: ImageEnhance.Contrast(i).enhance(factor),
        "sharpness": lambda i: ImageEnhance.Sharpness(i).enhance(factor),
        "brightness": lambda i: ImageEnhance.Brightness(i).enhance(factor),
        "autocontrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "invert": ImageOps.invert,
    }


def microseconds(operation, batch):
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(CALLS):
            for image in batch:
                operation(image)
        best = min(best, time.process_time() - start)
    return best / (CALLS * len(batch)) * 1e6


def main():
    batch = images()
    print(PIL.__version__)
    for level in map(int, sys.argv[1:]):
        for name, operation in operations(level).items():
            crc = 0
            for image in batch:
                crc = zlib.crc32(operation(image).tobytes(), crc)
            print(name, level, microseconds(operation, batch), crc)


main()
