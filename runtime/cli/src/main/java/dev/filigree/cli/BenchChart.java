package dev.filigree.cli;

import java.awt.Color;
import java.awt.Font;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.Styler;

/** Ratios to the baseline as bars, one group for each size, one colour for each contender. */
final class BenchChart {
  private static final int WIDTH = 960;
  private static final int HEIGHT = 480;

  /**
   * The baselines' grey, and colours for the others that people with weak colour sight tell apart.
   */
  private static final Color BASELINE = new Color(0xb0b0b0);

  private static final Color[] COLOURS = {
    new Color(0x0072b2),
    new Color(0x56b4e9),
    new Color(0x009e73),
    new Color(0xe69f00),
    new Color(0xd55e00),
    new Color(0xcc79a7),
    new Color(0xf0e442),
    new Color(0x666666)
  };

  private BenchChart() {}

  /**
   * Draws the results with the least number of threads.
   *
   * @param target of the pictures, without its ending
   */
  static void write(List<Measurement.Result> results, String model, Path target) {
    int threads = results.stream().mapToInt(Measurement.Result::threads).min().orElseThrow();
    List<Measurement.Result> shown =
        results.stream().filter(result -> result.threads() == threads).toList();
    Set<String> sizes = new LinkedHashSet<>();
    shown.forEach(result -> sizes.add(size(result)));
    List<String> order = new ArrayList<>(sizes);
    // processor time, which other programs on the machine cannot lengthen, where it is known
    boolean onClock = shown.stream().anyMatch(result -> Double.isNaN(result.cpuRatio()));
    Map<String, List<Double>> series = new LinkedHashMap<>();
    for (Measurement.Result result : shown) {
      series
          .computeIfAbsent(
              name(result), name -> new ArrayList<>(Collections.nCopies(order.size(), 0.0)))
          .set(order.indexOf(size(result)), onClock ? result.ratio() : result.cpuRatio());
    }
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(model + ", " + threads + (threads == 1 ? " thread" : " threads"))
            .yAxisTitle(
                "times "
                    + shown.getFirst().runtime()
                    + " on the same model"
                    + (onClock ? "" : ", processor time"))
            .build();
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setPlotBorderVisible(false);
    chart.getStyler().setAvailableSpaceFill(0.85);
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setLabelsVisible(true);
    chart.getStyler().setLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 10));
    chart.getStyler().setYAxisDecimalPattern("0.0");
    int colour = 0;
    for (Map.Entry<String, List<Double>> each : series.entrySet()) {
      chart
          .addSeries(each.getKey(), order, each.getValue())
          .setFillColor(
              each.getValue().stream().allMatch(ratio -> ratio == 1 || ratio == 0)
                  ? BASELINE
                  : COLOURS[colour++ % COLOURS.length]);
    }
    Path folder = target.toAbsolutePath().getParent();
    ParetoChart.write(chart, folder, target.getFileName().toString());
  }

  private static String size(Measurement.Result result) {
    if (result.length() == 0) {
      return "batch " + result.batch();
    }
    return result.batch() == 1
        ? result.length() + " tokens"
        : result.batch() + " x " + result.length() + " tokens";
  }

  private static String name(Measurement.Result result) {
    String precision =
        result.precision().isEmpty() || result.precision().equals("exact")
            ? ""
            : ", " + result.precision();
    return result.runtime() + " " + result.recipe() + precision;
  }
}
