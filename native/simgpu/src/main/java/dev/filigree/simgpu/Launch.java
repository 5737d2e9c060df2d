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
    Map<String, Long> counters) {}
