package dev.filigree.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractSymbolBlock;
import ai.djl.nn.ParameterList;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import dev.filigree.InputException;
import dev.filigree.Session;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs a session on DJL's arrays: by the names of the arrays where they are the inputs' names, in
 * order otherwise. Thread-safe.
 */
public final class FiligreeBlock extends AbstractSymbolBlock {
  private final Session session;

  FiligreeBlock(Session session) {
    this.session = session;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store, NDList inputs, boolean training, PairList<String, Object> parameters) {
    HostManager manager = HostManager.SYSTEM.newSubManager(inputs.getManager().getDevice());
    try (manager) {
      Map<String, Tensor> outputs = session.run(tensors(inputs, manager));
      NDList results = new NDList(outputs.size());
      for (ValueInfo output : session.model().outputs()) {
        NDArray array = array(outputs.get(output.name()), inputs);
        array.setName(output.name());
        results.add(array);
      }
      return results;
    }
  }

  private Map<String, Tensor> tensors(NDList inputs, HostManager manager) {
    List<ValueInfo> wanted = session.model().inputs();
    if (inputs.size() != wanted.size()) {
      throw new InputException(
          "the model takes " + wanted + " but was given " + inputs.size() + " arrays",
          "pass one array for each input");
    }
    boolean named =
        wanted.stream()
            .allMatch(input -> inputs.stream().anyMatch(a -> input.name().equals(a.getName())));
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (int i = 0; i < wanted.size(); i++) {
      ValueInfo input = wanted.get(i);
      NDArray array = named ? inputs.get(input.name()) : inputs.get(i);
      DataType type = DataTypes.of(input.dtype());
      // clients send text as 32-bit, JSON as 64-bit numbers; what is no number is refused
      NDArray converted = manager.from(array).toType(type, false);
      tensors.put(input.name(), ((HostArray) converted).tensor());
    }
    return tensors;
  }

  private static NDArray array(Tensor tensor, NDList inputs) {
    DataType type = DataTypes.of(tensor.dtype());
    ByteBuffer bytes = inputs.getManager().allocateDirect(Math.toIntExact(tensor.bytes()));
    MemorySegment.ofBuffer(bytes).copyFrom(tensor.data());
    return inputs.getManager().create(bytes, new Shape(tensor.shape().extents()), type);
  }

  @Override
  public PairList<String, Shape> describeInput() {
    return describe(session.model().inputs());
  }

  @Override
  public PairList<String, Shape> describeOutput() {
    return describe(session.model().outputs());
  }

  private static PairList<String, Shape> describe(List<ValueInfo> values) {
    PairList<String, Shape> described = new PairList<>();
    for (ValueInfo value : values) {
      List<Dim> dims = value.dims() == null ? List.of() : value.dims();
      long[] extents = dims.stream().mapToLong(dim -> dim.isKnown() ? dim.value() : -1).toArray();
      described.add(value.name(), new Shape(extents));
    }
    return described;
  }

  @Override
  public ParameterList getDirectParameters() {
    throw new UnsupportedOperationException(
        "the weights are compressed and laid out for a device; read them with dev.filigree.Model");
  }
}
