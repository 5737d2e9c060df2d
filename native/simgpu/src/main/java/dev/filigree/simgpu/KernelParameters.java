package dev.filigree.simgpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.NativePointerObject;
import jcuda.Pointer;

/**
 * Builds what JCuda's {@code cuLaunchKernel} takes as kernel parameters, checked. Needs JCuda on
 * the class path.
 */
public final class KernelParameters {
  private KernelParameters() {}

  /**
   * The parameters of a launch, for {@code cuLaunchKernel} and graph nodes. The arguments are
   * copied.
   *
   * @param signature from {@link SimulatedDevice#signature(String)}
   * @param arguments as {@link KernelSignature#check(Object...)} takes them
   * @throws IllegalArgumentException if they do not fit the signature
   */
  public static Pointer of(KernelSignature signature, Object... arguments) {
    signature.check(arguments);
    NativePointerObject[] pointers = new NativePointerObject[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      pointers[i] = pointerTo(arguments[i]);
    }
    return Pointer.to(pointers);
  }

  private static Pointer pointerTo(Object argument) {
    if (argument instanceof NativePointerObject address) {
      return Pointer.to(address);
    }
    ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    switch (argument) {
      case Byte value -> bytes.put(value);
      case Short value -> bytes.putShort(value);
      case Character value -> bytes.putChar(value);
      case Integer value -> bytes.putInt(value);
      case Float value -> bytes.putFloat(value);
      case Long value -> bytes.putLong(value);
      case Double value -> bytes.putDouble(value);
      case byte[] structure -> {
        return Pointer.to(structure.clone());
      }
      default -> throw new IllegalArgumentException("no argument: " + argument);
    }
    return Pointer.to(bytes.array());
  }
}
