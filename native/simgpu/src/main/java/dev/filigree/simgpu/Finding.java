package dev.filigree.simgpu;

import java.util.List;

/**
 * Something the simulated device found. Where a finding has no such place, kernel, instruction and
 * allocation are empty and numbers are -1.
 *
 * @param kind what was found, in words: {@code out-of-bounds access}, {@code leak}, {@code refused
 *     call} and so on
 * @param status the driver's result, such as {@code CUDA_ERROR_ILLEGAL_ADDRESS}
 * @param call the driver function that was running
 * @param text all of it in one readable line
 * @param kernel name of the kernel
 * @param line line of its PTX text, from 1
 * @param instruction opcode as written
 * @param block coordinates x, y, z of the block; empty when there is none
 * @param warp warp of the block
 * @param lane lane of the warp
 * @param address address accessed, in hexadecimal
 * @param allocation the allocation or variable at or next to the address
 */
public record Finding(
    String kind,
    String status,
    String call,
    String text,
    String kernel,
    long line,
    String instruction,
    List<Integer> block,
    int warp,
    int lane,
    String address,
    String allocation) {

  /** A call that was refused: an error the program was told, as opposed to a hidden defect. */
  public boolean isRefusedCall() {
    return kind.equals("refused call");
  }

  @Override
  public String toString() {
    return kind + ": " + text;
  }
}
