package dev.filigree.cli;

import dev.filigree.FiligreeException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/** The {@code filigree} command. */
@Command(
    name = "filigree",
    header = "Runs compressed neural networks.",
    synopsisSubcommandLabel = "COMMAND",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree run minilm --text \"A man is eating food.\" --text \"A man is eating bread.\"",
      "  filigree run minilm --recipe 2:4 --text \"A man is eating food.\"",
      "  filigree compress minilm --recipe 2:4-int8 -o minilm.filigree",
      "  filigree doctor",
      "",
      "MODEL is a .onnx or .filigree file, the folder of a checkpoint, or 'minilm'.",
      "'filigree COMMAND --help' tells the options of a command."
    })
public final class Main implements Runnable {
  /** The work was done. */
  static final int DONE = 0;

  /** The work failed. */
  static final int FAILED = 1;

  /** The command was used wrongly. */
  static final int MISUSED = 2;

  /** A check that the user asked for did not hold. */
  static final int UNMET = 3;

  private static final Map<String, Class<?>> COMMANDS = commands();

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of a failure.")
  private boolean verbose;

  private Main() {}

  private static Map<String, Class<?>> commands() {
    Map<String, Class<?>> commands = new LinkedHashMap<>();
    commands.put("run", RunCommand.class);
    commands.put("compress", CompressCommand.class);
    commands.put("compare", CompareCommand.class);
    commands.put("report", ReportCommand.class);
    commands.put("search", SearchCommand.class);
    commands.put("clusters", ClustersCommand.class);
    commands.put("convert", ConvertCommand.class);
    commands.put("bench", BenchCommand.class);
    commands.put("inspect", InspectCommand.class);
    commands.put("explain", ExplainCommand.class);
    commands.put("serve", ServeCommand.class);
    commands.put("operators", OperatorsCommand.class);
    commands.put("doctor", DoctorCommand.class);
    return commands;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command");
  }

  /** Runs the command and exits with its code. */
  public static void main(String[] arguments) {
    Logging.quiet();
    StandardOutput stdout = new StandardOutput();
    PrintWriter out = stdout.writer();
    PrintWriter err = StandardOutput.errors();
    int code = run(out, err, arguments);
    if (stdout.failure() != null) {
      err.println("filigree: standard output cannot be written: " + stdout.failure());
      code = code == DONE ? FAILED : code;
    }
    System.exit(code);
  }

  /**
   * Runs the command and returns its exit code.
   *
   * @param out where results go
   * @param err where messages go
   */
  static int run(PrintWriter out, PrintWriter err, String... arguments) {
    Main main = new Main();
    CommandLine command = new CommandLine(main);
    // reading the annotations of every command would take longer than some commands do
    String named = arguments.length == 0 ? "" : arguments[0];
    COMMANDS.forEach(
        (name, type) -> {
          if (name.equals(named) || !COMMANDS.containsKey(named)) {
            command.addSubcommand(name, type);
          }
        });
    command.setOut(out).setErr(err);
    command.setCaseInsensitiveEnumValuesAllowed(true);
    command.setParameterExceptionHandler(Main::misused);
    command.setExecutionExceptionHandler(
        (failure, failed, parsed) -> failed(failure, err, main.verbose));
    try {
      return command.execute(arguments);
    } catch (OutOfMemoryError full) {
      return failed(full, err, main.verbose);
    } finally {
      out.flush();
      err.flush();
    }
  }

  private static int misused(ParameterException wrong, String[] arguments) {
    CommandLine command = wrong.getCommandLine();
    PrintWriter error = command.getErr();
    if (arguments.length == 0) {
      command.usage(error);
      return MISUSED;
    }
    error.println(command.getCommandSpec().qualifiedName() + ": " + wrong.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(wrong, error);
    error.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return MISUSED;
  }

  private static int failed(Throwable failure, PrintWriter error, boolean verbose) {
    switch (failure) {
      case UsageException wrong -> error.println("filigree: " + wrong.getMessage());
      case FiligreeException known -> error.println("filigree: " + known.getMessage());
      case OutOfMemoryError full ->
          error.println(
              "filigree: out of memory ("
                  + full.getMessage()
                  + "); use smaller inputs or give Java more, for example JDK_JAVA_OPTIONS=-Xmx8g");
      default ->
          error.println(
              "filigree: internal error: "
                  + failure
                  + (verbose ? "" : "; run again with --verbose and report it"));
    }
    if (verbose) {
      failure.printStackTrace(error);
    }
    error.flush();
    return failure instanceof UsageException ? MISUSED : FAILED;
  }
}
