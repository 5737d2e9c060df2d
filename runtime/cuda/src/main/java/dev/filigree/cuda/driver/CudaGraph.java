package dev.filigree.cuda.driver;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;

/** Work recorded by {@link Stream#capture}, put into a stream again with a single call. */
public final class CudaGraph implements AutoCloseable {
  private final CudaContext context;
  private final CUgraphExec handle = new CUgraphExec();
  private boolean closed;

  CudaGraph(CudaContext context, CUgraph graph) {
    this.context = context;
    try {
      context.call("prepare a graph", () -> JCudaDriver.cuGraphInstantiate(handle, graph, 0));
    } finally {
      context.release("free a graph", () -> JCudaDriver.cuGraphDestroy(graph));
    }
  }

  /** Puts the work into a stream of the same context. */
  public void launch(Stream stream) {
    context.call("launch a graph", () -> JCudaDriver.cuGraphLaunch(handle, stream.handle()));
  }

  /** Frees it; it may not be running. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release("free a graph", () -> JCudaDriver.cuGraphExecDestroy(handle));
    }
  }
}
