package dev.filigree.simgpu;

import java.util.List;
import java.util.Map;

/**
 * What a launch did.
 *
 * @param kernel name of the kernel
 * @param status the driver's result
 * @param grid blocks in x, y, z
 * @param block threads in x, y, z
 * @param residentBlocks blocks of this launch that fit on one multiprocessor of the device
 * @param warpInstructions instructions by class, and their {@code total}
 * @param counters all other counters by name, such as {@code globalSectors}
 */
public record Launch(
    String kernel,
    String status,
    List<Integer> grid,
    List<Integer> block,
    int residentBlocks,
    Map<String, Long> warpInstructions,
    Map<String, Long> counters) {

  /**
   * 32-byte sectors of global memory for each request of a warp: 4 is the least for 4-byte
   * elements, 32 the most. Not a number without {@link DeviceSettings#traffic()} or without
   * requests.
   */
  public double sectorsPerRequest() {
    return ratio("globalSectors", "globalRequests");
  }

  /**
   * Passes over the banks of shared memory for each request of a warp: 1 without conflicts. Not a
   * number without {@link DeviceSettings#traffic()} or without requests.
   */
  public double wavefrontsPerRequest() {
    return ratio("sharedWavefronts", "sharedRequests");
  }

  private double ratio(String numerator, String denominator) {
    return (double) counters.getOrDefault(numerator, 0L) / counters.getOrDefault(denominator, 0L);
  }
}
