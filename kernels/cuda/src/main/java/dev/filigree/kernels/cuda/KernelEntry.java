package dev.filigree.kernels.cuda;

import java.util.List;
import java.util.Optional;

/**
 * What is known of a kernel before it runs.
 *
 * @param entry its name in the module
 * @param ptx the resource it is in
 * @param operation what it computes, such as {@code linear}
 * @param weights the weights it takes; empty for kernels without
 * @param activation element type of its activations; empty where the operation says it all
 * @param tile the part of a linear layer or an attention that a block works on; empty for others
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 * @param staticSharedBytes shared memory the compiler allots
 * @param registers of a thread, the most of all architectures it was compiled for
 * @param minimumArchitecture compute capability times ten
 * @param tokensFrom fewest tokens it is meant for
 * @param tokensTo most tokens it is meant for; {@link Integer#MAX_VALUE} where there is no end
 * @param grid how many blocks it takes
 * @param parameters in order
 */
public record KernelEntry(
    String entry,
    String ptx,
    String operation,
    Optional<WeightsForm> weights,
    Optional<ActivationType> activation,
    Optional<Tile> tile,
    int threads,
    int sharedBytes,
    int staticSharedBytes,
    int registers,
    int minimumArchitecture,
    int tokensFrom,
    int tokensTo,
    GridRule grid,
    List<Parameter> parameters) {
  public KernelEntry {
    parameters = List.copyOf(parameters);
  }
}
