package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One run of a session. */
@Name("dev.filigree.Run")
@Label("Run")
@Category("Filigree")
@Description("One run of a session")
@StackTrace(false)
public final class RunEvent extends Event {
  @Label("Model")
  public String model;

  @Label("Device")
  public String device;
}
