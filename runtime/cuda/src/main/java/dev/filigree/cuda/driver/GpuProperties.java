package dev.filigree.cuda.driver;

import static jcuda.driver.CUdevice_attribute.*;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;

/**
 * What a GPU is.
 *
 * @param ordinal number of the device, from 0
 * @param name as the driver gives it
 * @param major compute capability
 * @param minor compute capability
 * @param multiprocessors number of them
 * @param clockKilohertz highest clock of the multiprocessors
 * @param memoryClockKilohertz highest clock of the memory
 * @param memoryBusBits width of the memory's bus
 * @param memoryBytes size of the memory
 * @param l2Bytes size of the second-level cache
 * @param sharedBytesPerBlock shared memory a block may ask for, with opting in
 * @param sharedBytesPerMultiprocessor shared memory of a multiprocessor
 * @param registersPerMultiprocessor 32-bit registers of a multiprocessor
 * @param threadsPerMultiprocessor threads that may be resident on one
 * @param driverVersion CUDA version the driver supports, 1000 x major + 10 x minor
 */
public record GpuProperties(
    int ordinal,
    String name,
    int major,
    int minor,
    int multiprocessors,
    int clockKilohertz,
    int memoryClockKilohertz,
    int memoryBusBits,
    long memoryBytes,
    int l2Bytes,
    int sharedBytesPerBlock,
    int sharedBytesPerMultiprocessor,
    int registersPerMultiprocessor,
    int threadsPerMultiprocessor,
    int driverVersion) {
  private static final int MAX_NAME = 256;

  static GpuProperties of(CUdevice device, int ordinal, String label) {
    byte[] name = new byte[MAX_NAME];
    Calls.check(
        label, "ask for the name", () -> JCudaDriver.cuDeviceGetName(name, MAX_NAME, device));
    int length = 0;
    while (length < MAX_NAME && name[length] != 0) {
      length++;
    }
    long[] memory = new long[1];
    Calls.check(
        label, "ask for the memory size", () -> JCudaDriver.cuDeviceTotalMem(memory, device));
    int[] driver = new int[1];
    Calls.check(
        label, "ask for the driver's version", () -> JCudaDriver.cuDriverGetVersion(driver));
    Attributes attributes = new Attributes(device, label);
    return new GpuProperties(
        ordinal,
        new String(name, 0, length, StandardCharsets.UTF_8),
        attributes.get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        attributes.get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        attributes.get(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        attributes.get(CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
        attributes.get(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE),
        attributes.get(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH),
        memory[0],
        attributes.get(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
        attributes.get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        attributes.get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
        attributes.get(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR),
        attributes.get(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR),
        driver[0]);
  }

  /** Whether it is the simulated GPU, which is used only where it is asked for. */
  public boolean isSimulated() {
    return name.startsWith("Simulated ");
  }

  /** Architecture as in {@code sm_80}. */
  public int architecture() {
    return 10 * major + minor;
  }

  private record Attributes(CUdevice device, String label) {
    int get(int attribute) {
      int[] value = new int[1];
      Calls.check(
          label,
          "ask for attribute " + attribute,
          () -> JCudaDriver.cuDeviceGetAttribute(value, attribute, device));
      return value[0];
    }
  }
}
