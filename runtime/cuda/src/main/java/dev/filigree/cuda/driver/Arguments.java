package dev.filigree.cuda.driver;

import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Parameter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.List;
import jcuda.NativePointerObject;
import jcuda.Pointer;

/**
 * Values for a kernel's parameters, given by name. A name or type the kernel does not have is
 * refused: the driver itself sees addresses only and checks nothing.
 */
public final class Arguments {
  private static final int ALIGNMENT = Long.BYTES;

  private final KernelEntry kernel;
  private final int[] offsets;
  private final ByteBuffer values;
  private final BitSet given = new BitSet();
  private final Pointer parameters;

  Arguments(KernelEntry kernel) {
    this.kernel = kernel;
    int count = kernel.parameters().size();
    this.offsets = new int[count + 1];
    for (int i = 0; i < count; i++) {
      int bytes = kernel.parameters().get(i).type().bytes();
      offsets[i + 1] = offsets[i] + Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }
    this.values =
        ByteBuffer.allocateDirect(Math.max(ALIGNMENT, offsets[count]))
            .order(ByteOrder.nativeOrder());
    NativePointerObject[] each = new NativePointerObject[count];
    for (int i = 0; i < count; i++) {
      each[i] = Pointer.to(values).withByteOffset(offsets[i]);
    }
    this.parameters = Pointer.to(each);
  }

  /** An address on the device; 0 for none. */
  public Arguments pointer(String name, long address) {
    values.putLong(slot(name, Parameter.Type.POINTER), address);
    return this;
  }

  /** The start of memory on the device. */
  public Arguments pointer(String name, DeviceMemory memory) {
    return pointer(name, memory.address());
  }

  public Arguments i32(String name, int value) {
    values.putInt(slot(name, Parameter.Type.I32), value);
    return this;
  }

  public Arguments i64(String name, long value) {
    values.putLong(slot(name, Parameter.Type.I64), value);
    return this;
  }

  public Arguments f32(String name, float value) {
    values.putFloat(slot(name, Parameter.Type.F32), value);
    return this;
  }

  /**
   * Extents or steps of the axes over the rows of a tensor, the outermost first.
   *
   * @param values {@link Parameter#OUTER_AXES} of them
   */
  public Arguments axes(String name, long... values) {
    if (values.length != Parameter.OUTER_AXES) {
      throw new IllegalArgumentException(
          values.length + " axes given as " + name + ", not " + Parameter.OUTER_AXES);
    }
    int at = slot(name, Parameter.Type.AXES);
    for (int i = 0; i < values.length; i++) {
      this.values.putLong(at + i * Long.BYTES, values[i]);
    }
    return this;
  }

  private int slot(String name, Parameter.Type type) {
    List<Parameter> all = kernel.parameters();
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i).name().equals(name)) {
        if (all.get(i).type() != type) {
          throw new IllegalArgumentException(
              "parameter "
                  + name
                  + " of kernel "
                  + kernel.entry()
                  + " is a "
                  + all.get(i).type().label()
                  + ", not a "
                  + type.label());
        }
        given.set(i);
        return offsets[i];
      }
    }
    throw new IllegalArgumentException(
        "kernel "
            + kernel.entry()
            + " has no parameter "
            + name
            + "; it has "
            + all.stream().map(Parameter::name).toList());
  }

  /** JCuda's form of them. */
  Pointer parameters(KernelEntry launched) {
    if (launched != kernel) {
      throw new IllegalArgumentException(
          "arguments of kernel " + kernel.entry() + " given to " + launched.entry());
    }
    int missing = given.nextClearBit(0);
    if (missing < kernel.parameters().size()) {
      throw new IllegalArgumentException(
          "parameter "
              + kernel.parameters().get(missing).name()
              + " of kernel "
              + kernel.entry()
              + " was left out");
    }
    return parameters;
  }
}
