#ifndef OPS_KERNELS_LANES_H_
#define OPS_KERNELS_LANES_H_

// The layout of training's kernels (the lane_* folders): the lanes of a vector
// are kLanes images.
//
// A tensor is [blocks][height][channels][width][kLanes]: a block is kLanes
// images, the smallest unit of work, and one pixel of one channel is that pixel
// of all of them. No convolution needs a border, a shuffle or a remainder then,
// whatever its size, stride and dilation: a tap outside of the image is left
// out for all lanes at once. An instruction set with shorter vectors takes the
// lanes as several vectors.
//
// A row of the layout, [channels][width][kLanes], is what most kernels work
// on. In buffers that are one row long its channels may lie further apart than
// width * kLanes floats: successive channels would else meet in few sets of the
// first-level cache.
//
// Where a batch is no multiple of kLanes, the lanes without an image hold zeros
// in every tensor. Convolutions and pools keep them so; what adds a constant to
// them is followed by ClearLanes() (lane_norm).

namespace fairdarts {

inline constexpr int kLanes = 16;

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANES_H_
