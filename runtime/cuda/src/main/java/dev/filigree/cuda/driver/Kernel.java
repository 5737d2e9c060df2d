package dev.filigree.cuda.driver;

import dev.filigree.DeviceException;
import dev.filigree.kernels.cuda.KernelEntry;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A kernel of the manifest, compiled for a context's device. Thread-safe. */
public final class Kernel {
  /** Dynamic shared memory a kernel gets without asking, CUDA C++ guide, table of limits. */
  private static final int SHARED_BYTES_WITHOUT_ASKING = 48 << 10;

  private final CudaContext context;
  private final KernelEntry entry;
  private final CUfunction function;

  Kernel(CudaModule module, KernelEntry entry) {
    this.context = module.context();
    this.entry = entry;
    int shared = entry.sharedBytes() + entry.staticSharedBytes();
    if (shared > context.properties().sharedBytesPerBlock()) {
      throw new DeviceException(
          "kernel "
              + entry.entry()
              + " needs "
              + shared
              + " bytes of shared memory but a block on "
              + context
              + " has at most "
              + context.properties().sharedBytesPerBlock(),
          "another kernel must be chosen");
    }
    this.function = module.function(entry.entry());
    if (shared > SHARED_BYTES_WITHOUT_ASKING) {
      context.call(
          "ask for " + entry.sharedBytes() + " bytes of shared memory for " + entry.entry(),
          () ->
              JCudaDriver.cuFuncSetAttribute(
                  function,
                  CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                  entry.sharedBytes()));
    }
  }

  /** What is known of it. */
  public KernelEntry entry() {
    return entry;
  }

  /** Its parameters, to be given values by their names. */
  public Arguments arguments() {
    return new Arguments(entry);
  }

  /** Registers of a thread, as compiled for the device. */
  public int registers() {
    return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS);
  }

  /** Bytes of a thread's registers that were spilled, and its arrays in memory. */
  public int localBytes() {
    return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  }

  /** Blocks that fit on a multiprocessor at a time. */
  public int residentBlocks() {
    int[] blocks = new int[1];
    context.call(
        "ask for the occupancy of " + entry.entry(),
        () ->
            JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                blocks, function, entry.threads(), entry.sharedBytes()));
    return blocks[0];
  }

  private int attribute(int attribute) {
    int[] value = new int[1];
    context.call(
        "ask for attribute " + attribute + " of " + entry.entry(),
        () -> JCudaDriver.cuFuncGetAttribute(value, attribute, function));
    return value[0];
  }

  /**
   * Puts a launch into a stream.
   *
   * @param blocks along x
   * @param arguments all of them; they may be changed or closed as soon as this returns
   * @throws IllegalArgumentException if one of them was left out
   */
  public void launch(Stream stream, int blocks, Arguments arguments) {
    launch(stream, blocks, 1, 1, arguments);
  }

  /** Puts a launch with blocks along three axes into a stream. */
  public void launch(Stream stream, int x, int y, int z, Arguments arguments) {
    launch(stream, x, y, z, entry.sharedBytes(), arguments);
  }

  /**
   * Puts a launch with blocks along three axes into a stream.
   *
   * @param sharedBytes dynamic ones of a block, at most those of the manifest
   */
  public void launch(Stream stream, int x, int y, int z, int sharedBytes, Arguments arguments) {
    Pointer parameters = arguments.parameters(entry);
    context.call(
        "launch " + entry.entry(),
        () ->
            JCudaDriver.cuLaunchKernel(
                function,
                x,
                y,
                z,
                entry.threads(),
                1,
                1,
                sharedBytes,
                stream.handle(),
                parameters,
                null));
  }

  @Override
  public String toString() {
    return entry.entry();
  }
}
