package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Weights were laid out for a kernel. */
@Name("dev.filigree.Pack")
@Label("Pack")
@Category("Filigree")
@Description("Weights were laid out for a kernel")
@StackTrace(false)
public final class PackEvent extends Event {
  @Label("Kernel")
  public String kernel;

  @Label("Format")
  public String format;

  @Label("Laid out")
  @DataAmount
  public long bytes;
}
