package dev.filigree.cli;

import dev.filigree.format.AtomicFile;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.knowm.xchart.AnnotationText;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.lines.SeriesLines;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * A picture of what options cost against how faithful they are: those that no other beats in both
 * respects joined by a line, the others in grey.
 */
final class ParetoChart {
  private static final int WIDTH = 960;
  private static final int HEIGHT = 600;
  private static final Color FRONT = new Color(0x1f6feb);
  private static final Color DOMINATED = new Color(0xa0a0a0);
  private static final Color INK = new Color(0x24292f);
  private static final Color GRID = new Color(0xf0f1f3);

  /**
   * The loss of a perfect option on the logarithmic axis, which has no zero: what an embedding in
   * f32 cannot tell.
   */
  private static final double LEAST_LOSS = 1e-6;

  /** Half the width of a character, and the gap beside a mark, as parts of the greatest cost. */
  private static final double HALF_CHARACTER = 0.0054;

  private static final double GAP = 0.016;

  /** Half the width of a mark, as a part of the greatest cost. */
  private static final double MARK = 0.008;

  /** Height of a line of text in decades of the vertical axis. */
  private static final double LINE = 0.2;

  private ParetoChart() {}

  /**
   * A point.
   *
   * @param cost along the horizontal axis
   * @param cosine mean cosine to the original
   */
  record Point(String label, double cost, double cosine, boolean front) {}

  /** Draws points. */
  static XYChart draw(String title, String cost, List<Point> points) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle(cost)
            .yAxisTitle("1 - mean cosine to the dense model (lower is better)")
            .build();
    chart.getStyler().setYAxisLogarithmic(true);
    chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNE);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setPlotBorderVisible(false);
    chart.getStyler().setPlotGridLinesColor(GRID);
    chart.getStyler().setPlotGridLinesStroke(new BasicStroke(1));
    chart.getStyler().setYAxisDecimalPattern("0.######");
    chart.getStyler().setAnnotationTextFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
    chart.getStyler().setAnnotationTextFontColor(INK);
    double most = points.stream().mapToDouble(Point::cost).max().orElse(1);
    chart.getStyler().setXAxisMin(0.0).setXAxisMax(most * 1.25);
    chart.getStyler().setYAxisMin(LEAST_LOSS / 2).setYAxisMax(4.0);
    series(chart, "not beaten in both", points, true);
    series(chart, "beaten by another", points, false);
    labels(chart, points, most);
    return chart;
  }

  /**
   * Names beside the marks: to the right or the left, a little higher or lower, wherever no other
   * name or mark stands, nearest first.
   */
  private static void labels(XYChart chart, List<Point> points, double most) {
    List<double[]> placed = new ArrayList<>();
    for (Point point : points) {
      placed.add(new double[] {point.cost, Math.log10(loss(point)), most * MARK});
    }
    // the front first: its names stand best where they are looked for
    List<Point> inOrder =
        points.stream()
            .sorted(
                Comparator.comparing((Point point) -> !point.front)
                    .thenComparingDouble(ParetoChart::loss))
            .toList();
    for (Point point : inOrder) {
      double[] place = place(point, placed, most);
      placed.add(place);
      chart.addAnnotation(new AnnotationText(point.label, place[0], Math.pow(10, place[1]), false));
    }
  }

  /** The nearest free place for a name: its middle, and half its width. */
  private static double[] place(Point point, List<double[]> placed, double most) {
    double half = most * HALF_CHARACTER * point.label.length();
    double aside = most * GAP + half;
    for (int step = 0; ; step++) {
      for (double sign : new double[] {1, -1}) {
        // the line that joins the front would strike out a name at the height of its mark
        double y = Math.log10(loss(point)) + sign * (step + (point.front ? 1 : 0)) * LINE / 2;
        for (double x : new double[] {point.cost + aside, point.cost - aside}) {
          boolean free =
              x - half >= 0
                  && placed.stream()
                      .noneMatch(
                          other ->
                              Math.abs(other[0] - x) < other[2] + half
                                  && Math.abs(other[1] - y) < 0.95 * LINE);
          if (free) {
            return new double[] {x, y, half};
          }
        }
      }
    }
  }

  private static double loss(Point point) {
    return Math.max(LEAST_LOSS, 1 - point.cosine);
  }

  private static void series(XYChart chart, String name, List<Point> points, boolean front) {
    List<Double> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    points.stream()
        .filter(point -> point.front == front)
        .sorted(Comparator.comparingDouble(Point::cost))
        .forEach(
            point -> {
              x.add(point.cost);
              y.add(loss(point));
            });
    if (x.isEmpty()) {
      return;
    }
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.CIRCLE);
    series.setMarkerColor(front ? FRONT : DOMINATED);
    series.setLineColor(FRONT);
    series.setLineStyle(front ? SeriesLines.SOLID : SeriesLines.NONE);
  }

  /** Writes a chart as {@code NAME.svg} and {@code NAME.png}, each whole or not at all. */
  static void write(Chart<?, ?> chart, Path folder, String name) {
    try {
      ByteArrayOutputStream svg = new ByteArrayOutputStream();
      VectorGraphicsEncoder.saveVectorGraphic(
          chart, svg, VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
      bytes(folder.resolve(name + ".svg"), svg.toByteArray());
      ByteArrayOutputStream png = new ByteArrayOutputStream();
      BitmapEncoder.saveBitmap(chart, png, BitmapEncoder.BitmapFormat.PNG);
      bytes(folder.resolve(name + ".png"), png.toByteArray());
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static void bytes(Path file, byte[] content) {
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer buffer = ByteBuffer.wrap(content);
          while (buffer.hasRemaining()) {
            channel.write(buffer);
          }
        });
  }
}
