package dev.filigree.djl;

import ai.djl.BaseModel;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.DataType;
import dev.filigree.FiligreeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * A model under DJL. Models of the same file, options and device share one session, however many
 * workers load them.
 */
public final class FiligreeModel extends BaseModel {
  private SharedSession.Lease lease;

  FiligreeModel(String name, HostManager manager) {
    super(name);
    this.manager = manager;
    manager.setName("filigree-" + name);
    dataType = DataType.FLOAT32;
  }

  /**
   * Opens the model in a folder.
   *
   * @param modelPath a {@code .filigree} or {@code .onnx} file, or a folder that holds one or is a
   *     checkpoint
   * @param prefix name of the file without its ending; the model's name if it is null
   * @param options see {@link ModelOptions}
   * @throws MalformedModelException if the file is damaged or uses what Filigree does not support
   */
  @Override
  public void load(Path modelPath, String prefix, Map<String, ?> options)
      throws IOException, MalformedModelException {
    setModelDir(modelPath);
    wasLoaded = true;
    ModelOptions chosen = ModelOptions.of(options, manager.getDevice());
    Path file = ModelFiles.find(modelPath, modelDir, prefix == null ? modelName : prefix, chosen);
    try {
      lease = SharedSession.lease(file, chosen);
    } catch (FiligreeException refused) {
      throw new MalformedModelException(refused.getMessage(), refused);
    }
    block = new FiligreeBlock(lease.session());
  }

  /** What this model shares with others of the same file. */
  SharedSession.Lease lease() {
    if (lease == null) {
      throw new IllegalStateException("model '" + modelName + "' has not been loaded");
    }
    return lease;
  }

  /** Gives its part of the session back. May be called again. */
  @Override
  public void close() {
    if (lease != null) {
      lease.close();
      block = null;
    }
    super.close();
  }
}
