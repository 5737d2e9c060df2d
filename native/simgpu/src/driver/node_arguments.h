// The arguments of graph nodes, turned into work.
#pragma once

#include "driver/copy.h"
#include "driver/fill.h"
#include "driver/launch.h"

namespace simgpu::driver {

using WorkPointer = std::shared_ptr<const Work>;

/** Each notes why the arguments cannot be used. */
CUresult kernelNode(Driver& driver, const CUDA_KERNEL_NODE_PARAMS* arguments, WorkPointer& work);
CUresult copyNode(Driver& driver, const CUDA_MEMCPY3D* arguments, WorkPointer& work);
CUresult fillNode(Driver& driver, const CUDA_MEMSET_NODE_PARAMS* arguments, WorkPointer& work);
CUresult hostNode(Driver& driver, const CUDA_HOST_NODE_PARAMS* arguments, WorkPointer& work);

/** The arguments a copy of rows could have been made with. */
CUDA_MEMCPY3D asNodeParameters(const CopyWork& copy);

} // namespace simgpu::driver
