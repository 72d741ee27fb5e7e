"""Makes data/images.safetensors: small PNG and JPEG files and their pixels.

By hand, with Pillow and NumPy: make_images.py OUT. Pixels and resized images
are Pillow's, but for what it cannot read without loss (16 bits a channel) or
reads by another rule (see read): there they are what the file was made of.
"""

import io
import json
import struct
import sys
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

WIDTH, HEIGHT = 19, 13
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
         (1, 0, 2, 2), (0, 1, 1, 2)]  # x, y, step of x, step of y


def picture(width, height, channels, top):
    """Slopes of each channel with a bright corner, from 0 to top."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = x / (width - 1), y / (height - 1)
    planes = [x, y, (x + 1 - y) / 2, (1 - x + y) / 2][:channels]
    pixels = np.stack(planes, axis=-1) * top
    pixels[:height // 3, :width // 3] = [top, top / 3, 0, top / 2][:channels]
    return np.rint(pixels).astype(np.uint16)


def chunk(kind, data):
    body = kind + data
    return struct.pack('>I', len(data)) + body + struct.pack(
        '>I', zlib.crc32(body))


def packed_rows(pixels, bits):
    """Rows of filter 0, `bits` a sample."""
    data = b''
    for row in pixels:
        samples = row.reshape(-1)
        if bits == 16:
            line = samples.astype('>u2').tobytes()
        elif bits == 8:
            line = samples.astype(np.uint8).tobytes()
        else:
            digits = ''.join(format(s, '0%db' % bits) for s in samples)
            digits += '0' * (-len(digits) % 8)
            line = bytes(
                int(digits[i:i + 8], 2) for i in range(0, len(digits), 8))
        data += b'\0' + line
    return data


def png(pixels, kind, bits, interlaced=False, extra=b''):
    height, width = pixels.shape[:2]
    if interlaced:
        data = b''.join(
            packed_rows(pixels[y::dy, x::dx], bits) for x, y, dx, dy in ADAM7
            if pixels[y::dy, x::dx].size)
    else:
        data = packed_rows(pixels, bits)
    header = struct.pack('>IIBBBBB', width, height, bits, kind, 0, 0,
                         int(interlaced))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + extra +
            chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b''))


def exif(orientation):
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, 'JPEG', quality=90, **options)
    return out.getvalue()


def read(file):
    """Pillow's pixels: upright, grey or RGB, transparency ignored."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    grey = image.mode in ('1', 'L', 'LA')
    pixels = np.asarray(image.convert('L' if grey else 'RGB'))
    return pixels.reshape(image.height, image.width, 1 if grey else 3)


def expanded(pixels, bits):
    """Samples of `bits` as eight bits, rounded half up."""
    top = (1 << bits) - 1
    return ((pixels.astype(np.int64) * 255 + top // 2) // top).astype(np.uint8)


def png_files():
    files = {}

    def add(name, pixels, kind, bits, want, **options):
        file = png(pixels, kind, bits, **options)
        if bits < 16:
            assert np.array_equal(read(file), want), name
        files[name] = file, want

    for bits in (1, 2, 4, 8, 16):
        grey = picture(WIDTH, HEIGHT, 1, (1 << bits) - 1)
        for interlaced in (False, True):
            suffix = '_interlaced' if interlaced else ''
            add('grey%d%s.png' % (bits, suffix), grey, 0, bits,
                expanded(grey, bits), interlaced=interlaced)
            if bits == 16:
                continue
            indices = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1)
            indices = (indices * 7 % (1 << min(bits, 6))).astype(np.uint16)
            palette = (np.arange(3 << min(bits, 6)) * 37 % 256).astype(
                np.uint8)
            if bits < 8:
                extra = chunk(b'PLTE', palette.tobytes())
                add('palette%d%s.png' % (bits, suffix), indices, 3, bits,
                    palette.reshape(-1, 3)[indices[..., 0]],
                    interlaced=interlaced, extra=extra)
            else:
                extra = chunk(b'PLTE', palette.tobytes()) + chunk(
                    b'tRNS', bytes([0, 128, 255]))
                add('palette8_transparent%s.png' % suffix, indices, 3, bits,
                    palette.reshape(-1, 3)[indices[..., 0]],
                    interlaced=interlaced, extra=extra)
    for bits in (8, 16):
        top = (1 << bits) - 1
        four = picture(WIDTH, HEIGHT, 4, top)
        two = four[..., :2]
        for interlaced in (False, True):
            suffix = '_interlaced' if interlaced else ''
            add('rgb%d%s.png' % (bits, suffix), four[..., :3], 2, bits,
                expanded(four[..., :3], bits), interlaced=interlaced)
            add('rgba%d%s.png' % (bits, suffix), four, 6, bits,
                expanded(four[..., :3], bits), interlaced=interlaced)
            add('grey_alpha%d%s.png' % (bits, suffix), two, 4, bits,
                expanded(two[..., :1], bits), interlaced=interlaced)
    rgb = picture(WIDTH, HEIGHT, 3, 255)
    add('rgb8_transparent_colour.png', rgb, 2, 8, expanded(rgb, 8),
        extra=chunk(b'tRNS', struct.pack('>HHH', *rgb[0, 0])))
    # Pixels are taken as they are, as by Pillow.
    add('rgb8_gamma.png', rgb, 2, 8, expanded(rgb, 8),
        extra=chunk(b'gAMA', struct.pack('>I', 100000)))
    add('rgb8_turned.png', rgb, 2, 8, np.rot90(expanded(rgb, 8), -1),
        extra=chunk(b'eXIf', exif(6)[6:]))
    return files


def jpeg_files():
    image = Image.fromarray(picture(WIDTH, HEIGHT, 3, 255).astype(np.uint8))
    made = {
        'baseline_420.jpg': jpeg(image, subsampling='4:2:0'),
        'baseline_422.jpg': jpeg(image, subsampling='4:2:2'),
        'baseline_444.jpg': jpeg(image, subsampling='4:4:4'),
        'progressive.jpg': jpeg(image, progressive=True),
        'restarts.jpg': jpeg(image, restart_marker_blocks=1),
        'rgb.jpg': jpeg(image, keep_rgb=True),
        'grey.jpg': jpeg(image.convert('L')),
        'grey_progressive.jpg': jpeg(image.convert('L'), progressive=True),
        'cmyk.jpg': jpeg(Image.fromarray(
            picture(WIDTH, HEIGHT, 4, 255).astype(np.uint8), 'CMYK')),
    }
    for orientation in range(1, 9):
        made['orientation%d.jpg' % orientation] = jpeg(
            image, exif=exif(orientation))
    return {name: (file, read(file)) for name, file in made.items()}


def main():
    tensors = {}
    files = {**png_files(), **jpeg_files()}
    for name, (file, pixels) in files.items():
        tensors['files/' + name] = np.frombuffer(file, np.uint8)
        tensors['pixels/' + name] = pixels

    noise = np.random.default_rng(1).integers(
        0, 256, (23, 31, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    tensors['source'] = noise
    tensors['luma'] = np.asarray(image.convert('L'))[..., None]
    for width, height in [(31, 10), (8, 23), (8, 8), (32, 32), (1, 1),
                          (30, 24), (100, 61)]:
        tensors['resized/%dx%d' % (width, height)] = np.asarray(
            image.resize((width, height), Image.BILINEAR))
    # Here Pillow 13 goes along the columns first.
    for width, height in [(64, 5), (32, 22)]:
        tensors['columns_first/%dx%d' % (width, height)] = np.asarray(
            image.resize((width, height), Image.BILINEAR))
    # The shorter side to size * 256 / 224, then the middle.
    for size in (7, 14, 16, 28, 37):
        for name, source in [('wide', image),
                             ('tall', image.transpose(Image.TRANSPOSE))]:
            width, height = source.size
            short = size * 256 // 224
            if width > height:
                width, height = int(short * width / height), short
            else:
                width, height = short, int(short * height / width)
            left = int(round((width - size) / 2))
            top = int(round((height - size) / 2))
            scaled = source.resize((width, height), Image.BILINEAR)
            tensors['centre/%s/%d' % (name, size)] = np.asarray(
                scaled.crop((left, top, left + size, top + size)))

    header, data = {}, b''
    header['__metadata__'] = {'made_with': 'Pillow ' + PIL.__version__}
    for name, values in sorted(tensors.items()):
        values = np.ascontiguousarray(values, np.uint8)
        header[name] = {
            'dtype': 'U8', 'shape': list(values.shape),
            'data_offsets': [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(sys.argv[1], 'wb') as out:
        out.write(struct.pack('<Q', len(text)) + text + data)


if __name__ == '__main__':
    main()
