package dev.filigree.cuda.driver;

import java.util.function.IntSupplier;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;

/** Calls of the driver through JCuda, whose answers become typed errors. */
final class Calls {
  /** More than the driver has answers for. */
  private static final int MAX_RESULT = 1000;

  private Calls() {}

  /**
   * Calls the driver.
   *
   * @throws DriverException if it does not answer success
   */
  static void check(String device, String operation, IntSupplier call) {
    int result = result(call);
    if (result != CUresult.CUDA_SUCCESS) {
      throw DriverException.of(device, operation, result, "");
    }
  }

  /** The answer of a call, also where the program has told JCuda to throw exceptions. */
  static int result(IntSupplier call) {
    try {
      return call.getAsInt();
    } catch (CudaException exception) {
      for (int result = 1; result < MAX_RESULT; result++) {
        if (CUresult.stringFor(result).equals(exception.getMessage())) {
          return result;
        }
      }
      throw exception;
    }
  }

  /** JCuda's form of an address on the device. */
  static CUdeviceptr device(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }

  /** JCuda's form of an address in the process. */
  static Pointer host(long address) {
    return new Pointer().withByteOffset(address);
  }

  /** A variable the driver writes an address to. */
  static final class DeviceAddress extends CUdeviceptr {
    long value() {
      return getNativePointer();
    }
  }

  /** A variable the driver writes an address to. */
  static final class HostAddress extends Pointer {
    long value() {
      return getNativePointer();
    }
  }
}
