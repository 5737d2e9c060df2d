package dev.filigree.simgpu;

import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * The parameters a kernel declares in its {@code .entry} directive. JCuda hands a launch an array
 * of bare addresses, so that neither it nor a real driver sees how many there are or how much lies
 * behind each of them; this does.
 *
 * @param kernel name of the kernel
 * @param bytes size of all parameters together, with the gaps between them
 * @param parameters the parameters in their order
 */
public record KernelSignature(String kernel, int bytes, List<Parameter> parameters) {
  /**
   * One parameter.
   *
   * @param name as in the PTX text
   * @param offset in the parameter block, in bytes
   * @param size in bytes: 4 for an {@code int} or {@code float}, 8 for a pointer
   * @param alignment of the offset, in bytes
   */
  public record Parameter(String name, int offset, int size, int alignment) {}

  /** Copies the list. */
  public KernelSignature {
    Objects.requireNonNull(kernel, "kernel");
    parameters = List.copyOf(parameters);
  }

  /**
   * Checks arguments: as many as there are parameters, each of its parameter's size. An argument is
   * a boxed primitive value, a {@code byte[]} for a structure passed by value, or a JCuda pointer,
   * which stands for a device address.
   *
   * @throws IllegalArgumentException if the count or a size is wrong; the message names the kernel,
   *     the parameter and both sizes
   */
  public void check(Object... arguments) {
    if (arguments.length != parameters.size()) {
      throw new IllegalArgumentException(
          this + " takes " + parameters.size() + " arguments, not " + arguments.length);
    }
    for (int i = 0; i < arguments.length; i++) {
      Parameter parameter = parameters.get(i);
      int size = sizeOf(arguments[i]);
      if (size != parameter.size()) {
        throw new IllegalArgumentException(
            "argument "
                + i
                + " of "
                + this
                + ", '"
                + parameter.name()
                + "', has "
                + parameter.size()
                + " bytes; the "
                + arguments[i].getClass().getSimpleName()
                + " given has "
                + size);
      }
    }
  }

  private int sizeOf(Object argument) {
    return switch (argument) {
      case null -> throw new IllegalArgumentException("an argument of " + this + " is null");
      case Byte value -> Byte.BYTES;
      case Short value -> Short.BYTES;
      case Character value -> Character.BYTES;
      case Integer value -> Integer.BYTES;
      case Float value -> Float.BYTES;
      case Long value -> Long.BYTES;
      case Double value -> Double.BYTES;
      case byte[] structure -> structure.length;
      default -> {
        if (!isNativePointer(argument.getClass())) {
          throw new IllegalArgumentException(
              "an argument of "
                  + this
                  + " is a "
                  + argument.getClass().getName()
                  + "; it must be a number, a byte[] or a JCuda pointer");
        }
        yield Long.BYTES;
      }
    };
  }

  /** By name, so that JCuda need not be there. */
  private static boolean isNativePointer(Class<?> type) {
    for (Class<?> each = type; each != null; each = each.getSuperclass()) {
      if (each.getName().equals("jcuda.NativePointerObject")) {
        return true;
      }
    }
    return false;
  }

  @Override
  public String toString() {
    return parameters.stream()
        .map(parameter -> parameter.name() + ": " + parameter.size() + " bytes")
        .collect(Collectors.joining(", ", "kernel " + kernel + "(", ")"));
  }
}
