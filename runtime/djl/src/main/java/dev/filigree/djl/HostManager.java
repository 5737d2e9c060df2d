package dev.filigree.djl;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Makes arrays in host memory, outside the heap. */
class HostManager extends BaseNDManager {
  static final HostManager SYSTEM = new SystemManager();

  private HostManager(NDManager parent, Device device) {
    super(parent, device);
  }

  @Override
  public ByteBuffer allocateDirect(int capacity) {
    return ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder());
  }

  @Override
  public HostArray from(NDArray array) {
    if (array == null || array instanceof HostArray) {
      return (HostArray) array;
    }
    HostArray copy = create(array.toByteBuffer(), array.getShape(), array.getDataType());
    copy.setName(array.getName());
    return copy;
  }

  @Override
  public HostArray create(Buffer data, Shape shape, DataType dataType) {
    int elements = Math.toIntExact(shape.size());
    validateBuffer(data, dataType, elements);
    if (data instanceof ByteBuffer bytes && bytes.isDirect()) {
      return new HostArray(this, bytes, shape, dataType);
    }
    ByteBuffer copy = allocateDirect(Math.multiplyExact(elements, dataType.getNumOfBytes()));
    copyBuffer(data, copy);
    return new HostArray(this, copy.rewind(), shape, dataType);
  }

  @Override
  public HostArray zeros(Shape shape, DataType dataType) {
    int bytes = Math.toIntExact(Math.multiplyExact(shape.size(), dataType.getNumOfBytes()));
    return create(allocateDirect(bytes), shape, dataType);
  }

  @Override
  public HostArray ones(Shape shape, DataType dataType) {
    return full(shape, 1, dataType);
  }

  @Override
  public HostArray full(Shape shape, float value, DataType dataType) {
    HostArray array = zeros(shape, dataType);
    array.fill(value);
    return array;
  }

  @Override
  public HostManager newSubManager(Device device) {
    HostManager manager = new HostManager(this, device);
    attachInternal(manager.uid, manager);
    return manager;
  }

  @Override
  public Engine getEngine() {
    return Engine.getEngine(FiligreeEngine.NAME);
  }

  /** The parent of all; never closed. */
  private static final class SystemManager extends HostManager implements SystemNDManager {
    SystemManager() {
      super(null, Device.cpu());
    }

    @Override
    public void close() {}
  }
}
