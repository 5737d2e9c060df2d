// Turns the operations of captured streams into graph nodes.
#pragma once

#include "driver/driver.h"

namespace simgpu::driver {

/** Adds `work` to the graph `stream` is captured into, after what the stream did before. */
CUresult captureWork(Driver& driver, Context& context, Stream& stream, Work work);

/** The same for the launch of a graph, which becomes a child graph. */
CUresult captureGraph(Driver& driver, Context& context, Stream& stream, const GraphExec& exec);

/** Records an event in a captured stream: it stands for what the stream has done so far. */
CUresult captureRecord(Driver& driver, Event& event, Stream& stream);

/** Makes a stream wait for an event; either or both may belong to a capture. */
CUresult captureWait(Driver& driver, Event& event, Stream& stream);

CUresult beginCapture(Driver& driver, Context& context, const std::shared_ptr<Stream>& stream,
                      CUstreamCaptureMode mode);
CUresult endCapture(Driver& driver, Context& context, Stream& stream, CUgraph* graph);

} // namespace simgpu::driver
