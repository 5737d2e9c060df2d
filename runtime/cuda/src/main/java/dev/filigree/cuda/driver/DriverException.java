package dev.filigree.cuda.driver;

import dev.filigree.DeviceException;
import jcuda.driver.CUresult;

/** An operation that the CUDA driver, cuBLAS or cuSPARSE refused, or that failed on the device. */
public final class DriverException extends DeviceException {
  private static final long serialVersionUID = 1;

  private final String operation;
  private final String status;

  DriverException(Kind kind, String operation, String status, String problem, String remedy) {
    super(kind, problem, remedy, null);
    this.operation = operation;
    this.status = status;
  }

  /** What was asked for, such as {@code copy 1024 bytes to the device}. */
  public String operation() {
    return operation;
  }

  /** The driver's name for the failure, such as {@code CUDA_ERROR_OUT_OF_MEMORY}. */
  public String status() {
    return status;
  }

  /**
   * The exception for a driver's answer.
   *
   * @param device named in the message
   * @param result not {@code CUDA_SUCCESS}
   * @param note more about it, such as a compiler's log; may be empty
   */
  static DriverException of(String device, String operation, int result, String note) {
    String status = CUresult.stringFor(result);
    Kind kind = kind(result);
    return new DriverException(
        kind,
        operation,
        status,
        operation + " failed on " + device + ": " + status + (note.isEmpty() ? "" : ": " + note),
        remedy(kind, result));
  }

  /**
   * The exception for the answer of one of NVIDIA's libraries.
   *
   * @param device named in the message
   * @param status the library's name for it
   */
  static DriverException ofLibrary(String device, String operation, String status) {
    boolean full = status.endsWith("_ALLOC_FAILED") || status.endsWith("_INSUFFICIENT_RESOURCES");
    boolean lost = status.endsWith("_EXECUTION_FAILED") || status.endsWith("_INTERNAL_ERROR");
    Kind kind = full ? Kind.MEMORY : lost ? Kind.LOST : Kind.OPERATION;
    return new DriverException(
        kind,
        operation,
        status,
        operation + " failed on " + device + ": " + status,
        remedy(kind, CUresult.CUDA_SUCCESS));
  }

  /** After some failures every call in the context fails the same way. */
  private static Kind kind(int result) {
    return switch (result) {
      case CUresult.CUDA_ERROR_OUT_OF_MEMORY -> Kind.MEMORY;
      case CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_DEINITIALIZED,
          CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE,
          CUresult.CUDA_ERROR_UNKNOWN ->
          Kind.LOST;
      case CUresult.CUDA_ERROR_NO_DEVICE,
          CUresult.CUDA_ERROR_INVALID_DEVICE,
          CUresult.CUDA_ERROR_STUB_LIBRARY,
          CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
          CUresult.CUDA_ERROR_SYSTEM_NOT_READY,
          CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
          Kind.MISSING;
      default -> Kind.OPERATION;
    };
  }

  private static String remedy(Kind kind, int result) {
    return switch (result) {
      case CUresult.CUDA_ERROR_NO_DEVICE ->
          "check that nvidia-smi lists a GPU and that CUDA_VISIBLE_DEVICES does not hide it";
      case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
          CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
          "the driver's kernel module and library are of different versions: restart the machine";
      case CUresult.CUDA_ERROR_STUB_LIBRARY ->
          "the libcuda.so.1 that was found is the toolkit's stub: put the driver's first";
      case CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION ->
          "the driver is too old for the kernels: install version 525 or later";
      case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE ->
          "the GPU's memory is faulty: close the session and check the GPU with nvidia-smi -q";
      default ->
          switch (kind) {
            case MEMORY ->
                "use smaller batches or shorter sequences, fewer concurrent runs, or free memory"
                    + " that other sessions and programs hold on the GPU";
            case LOST ->
                "close the session and open another; if that fails too, restart the program and"
                    + " look for Xid messages in the kernel's log";
            case MISSING -> "choose another device; filigree doctor lists them";
            case OPERATION -> "this is a defect of Filigree: report it with the message";
          };
    };
  }
}
