// The arguments of graph nodes, turned into work.
#pragma once

#include "driver/call.h"
#include "driver/copy.h"
#include "driver/fill.h"
#include "driver/launch.h"

namespace simgpu::driver {

using WorkPointer = std::shared_ptr<const Work>;

/** Each notes why the arguments cannot be used. */
CUresult kernelNode(Driver& driver, const CUDA_KERNEL_NODE_PARAMS* arguments, WorkPointer& work);
CUresult copyNode(Driver& driver, const CUDA_MEMCPY3D* arguments, WorkPointer& work);
CUresult fillNode(Driver& driver, const CUDA_MEMSET_NODE_PARAMS* arguments, WorkPointer& work);
template <class Kind> CUresult eventNode(Driver& driver, CUevent handle, WorkPointer& work) {
  const std::shared_ptr<Event> event = driver.events.find(handle);
  if (event == nullptr) return badHandle(driver, "event", handle);
  work = std::make_shared<const Work>(Kind{event, nullptr});
  return CUDA_SUCCESS;
}
CUresult hostNode(Driver& driver, const CUDA_HOST_NODE_PARAMS* arguments, WorkPointer& work);

/** The same launch with these attributes; notes why it cannot be made cooperative. */
CUresult withAttributes(Driver& driver, const KernelWork& kernel, std::map<unsigned, CUlaunchAttributeValue> attributes,
                        WorkPointer& work);

/** Why an executable graph cannot take `now` in the place of `before`; empty when it can. */
std::string changeProblem(const Work& before, const Work& now);

/** The arguments a copy of rows could have been made with. */
CUDA_MEMCPY3D asNodeParameters(const CopyWork& copy);

} // namespace simgpu::driver
