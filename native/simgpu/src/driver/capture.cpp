#include "driver/capture.h"

#include "driver/call.h"
#include "driver/graph.h"

#include <algorithm>
#include <set>

namespace simgpu::driver {
namespace {

CUresult spoil(Driver& driver, Capture& capture, CUresult result, const char* reason) {
  capture.invalid = true;
  return driver.refuse(result, reason);
}

void addAll(std::vector<CUgraphNode>& tail, const std::vector<CUgraphNode>& more) {
  for (const CUgraphNode node : more) {
    if (std::find(tail.begin(), tail.end(), node) == tail.end()) tail.push_back(node);
  }
}

/** Adds a node after what the stream did before. */
CUresult append(Driver& driver, Stream& stream, CUgraphNodeType type, std::shared_ptr<const Work> work,
                std::shared_ptr<Graph> child) {
  const Capture& capture = *stream.capture;
  if (capture.invalid) {
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error spoilt this capture");
  }
  const auto node = addNode(driver, capture.graph, stream.captureTail, type, std::move(work));
  node->child = std::move(child);
  stream.captureTail = {node->handle};
  return CUDA_SUCCESS;
}

/** Whether every node of the graph leads to one of `tail`. */
bool joined(const Graph& graph, const std::vector<CUgraphNode>& tail) {
  std::set<CUgraphNode> leaves;
  for (const auto& node : graph.nodes) leaves.insert(node->handle);
  for (const auto& node : graph.nodes) {
    for (const CUgraphNode dependency : node->dependencies) leaves.erase(dependency);
  }
  return std::all_of(leaves.begin(), leaves.end(),
                     [&](CUgraphNode leaf) { return std::find(tail.begin(), tail.end(), leaf) != tail.end(); });
}

} // namespace

CUresult captureWork(Driver& driver, Context&, Stream& stream, Work work) {
  const CUgraphNodeType type = nodeType(work);
  return append(driver, stream, type, std::make_shared<const Work>(std::move(work)), nullptr);
}

CUresult captureGraph(Driver& driver, Context& context, Stream& stream, const GraphExec& exec) {
  const std::shared_ptr<Graph> child = createGraph(driver, context);
  child->nested = true;
  for (const GraphExec::Node& node : exec.nodes) {
    std::vector<CUgraphNode> after;
    for (const std::size_t index : node.after) after.push_back(child->nodes[index]->handle);
    addNode(driver, child, after, node.type, node.work);
  }
  const CUresult result =
      append(driver, stream, CU_GRAPH_NODE_TYPE_GRAPH, std::make_shared<const Work>(EmptyWork{}), child);
  if (result != CUDA_SUCCESS) destroyGraph(driver, child);
  return result;
}

CUresult captureRecord(Driver& driver, Event& event, Stream& stream) {
  if (stream.capture->invalid) {
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error spoilt this capture");
  }
  event.capture = stream.capture;
  event.captureTail = stream.captureTail;
  return CUDA_SUCCESS;
}

CUresult captureWait(Driver& driver, Event& event, Stream& stream) {
  if (event.capture == nullptr) {
    return spoil(driver, *stream.capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                 "a captured stream cannot wait for an event that was recorded outside the capture");
  }
  if (event.capture->ended) {
    return driver.refuse(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a captured stream: it never happens");
  }
  if (event.capture->invalid) {
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error spoilt the event's capture");
  }
  if (stream.legacy) {
    return spoil(driver, *event.capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                 "the legacy default stream cannot become part of a capture");
  }
  if (stream.capture != nullptr && stream.capture != event.capture) {
    stream.capture->invalid = true;
    return spoil(driver, *event.capture, CUDA_ERROR_STREAM_CAPTURE_MERGE, "two captures would become one");
  }
  stream.capture = event.capture;
  addAll(stream.captureTail, event.captureTail);
  return CUDA_SUCCESS;
}

CUresult beginCapture(Driver& driver, Context& context, const std::shared_ptr<Stream>& stream,
                      CUstreamCaptureMode mode) {
  if (stream->legacy) {
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the legacy default stream cannot be captured");
  }
  if (stream->capture != nullptr) {
    return driver.refuse(CUDA_ERROR_ILLEGAL_STATE, "the stream is being captured already");
  }
  auto capture = std::make_shared<Capture>();
  capture->graph = createGraph(driver, context);
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->origin = stream->handle;
  stream->capture = capture;
  stream->captureTail.clear();
  return CUDA_SUCCESS;
}

CUresult endCapture(Driver& driver, Context& context, Stream& stream, CUgraph* graph) {
  if (stream.capture == nullptr) return driver.refuse(CUDA_ERROR_ILLEGAL_STATE, "the stream is not being captured");
  const std::shared_ptr<Capture> capture = stream.capture;
  if (capture->origin != stream.handle) {
    return spoil(driver, *capture, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,
                 "a capture must be ended in the stream in which it began");
  }
  if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id()) {
    return spoil(driver, *capture, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
                 "only the thread that began the capture may end it");
  }
  const bool complete = joined(*capture->graph, stream.captureTail);
  capture->ended = true;
  for (const auto& other : driver.streamsOf(context)) {
    if (other->capture != capture) continue;
    other->capture.reset();
    other->captureTail.clear();
  }
  *graph = nullptr;
  if (!capture->invalid && complete) {
    *graph = capture->graph->handle;
    return CUDA_SUCCESS;
  }
  destroyGraph(driver, capture->graph);
  if (capture->invalid) {
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error spoilt this capture");
  }
  return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
                       "another stream's captured work does not lead back to the stream the capture began in");
}

} // namespace simgpu::driver
