package dev.filigree.kernels.cpu;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the kernels are written with, the best of each kind last. */
enum Instructions {
  AVX2_INT8(1, "int8 avx2", "int8", "avx2", "avx2", 8, 100),
  AVX_VNNI(2, "int8 avx-vnni", "int8", "avxvnni", "avxvnni", 8, 180),
  AVX512_VNNI(4, "int8 avx512-vnni", "int8", "avx512", "avx512", 16, 360),
  AVX512_BF16(8, "bf16 avx512-bf16", "bf16", "avx512", "avx512", 16, 180),
  AMX_INT8(16, "int8 amx", "int8", "amx", "avx512", 16, 900),
  AMX_BF16(32, "bf16 amx", "bf16", "amx", "avx512", 16, 450);

  private final long bit;
  private final String label;
  private final String kind;
  private final String suffix;
  private final String encoderSuffix;
  private final int lanes;
  private final double perNano;

  Instructions(
      long bit,
      String label,
      String kind,
      String suffix,
      String encoderSuffix,
      int lanes,
      double perNano) {
    this.bit = bit;
    this.label = label;
    this.kind = kind;
    this.suffix = suffix;
    this.encoderSuffix = encoderSuffix;
    this.lanes = lanes;
    this.perNano = perNano;
  }

  /** Name of the kernels, for reports. */
  String label() {
    return "native " + label;
  }

  /** Whether the kernels multiply 8-bit integers, or else bf16. */
  boolean isInteger() {
    return kind.equals("int8");
  }

  /** Whether the kernels add products of bytes in 16 bits, see {@link Remainders}. */
  boolean saturates() {
    return this == AVX2_INT8;
  }

  /** f32 lanes of a vector; panels are multiples of it. */
  int lanes() {
    return lanes;
  }

  /** Multiply-adds of one thread in a nanosecond, for ranking; measured where the hardware was. */
  double perNano() {
    return perNano;
  }

  /** Name of the function that multiplies. */
  String linear() {
    return "fg_" + kind + "_linear_" + suffix;
  }

  /** Name of the function that encodes a panel. */
  String encode() {
    return "fg_" + kind + "_encode_" + encoderSuffix;
  }

  /** Name of the function that encodes a panel with a given scale. */
  String codes() {
    return "fg_" + kind + "_codes_" + encoderSuffix;
  }

  /** Name of the function that finds a range. */
  String range() {
    return "fg_" + kind + "_range_" + encoderSuffix;
  }

  boolean isPermitted(long processor) {
    return (processor & bit) != 0;
  }

  /** All that a processor permits. */
  static List<Instructions> permitted(long processor) {
    return Arrays.stream(values()).filter(each -> each.isPermitted(processor)).toList();
  }

  private static Optional<Instructions> best(long processor, boolean integer) {
    return permitted(processor).stream()
        .filter(each -> each.isInteger() == integer)
        .reduce((worse, better) -> better);
  }

  /** The best for 8-bit integers, which every permitted processor has. */
  static NativeCalls integers(NativeLibrary library) {
    return new NativeCalls(library, best(library.processor(), true).orElseThrow());
  }

  /** The best for bf16. */
  static Optional<NativeCalls> halves(NativeLibrary library) {
    return best(library.processor(), false).map(each -> new NativeCalls(library, each));
  }

  /** What will be used, for people; empty if nothing is permitted. */
  static String describe(long processor) {
    return Stream.of(best(processor, true), best(processor, false))
        .flatMap(Optional::stream)
        .map(each -> each.label)
        .collect(Collectors.joining(", "));
  }
}
