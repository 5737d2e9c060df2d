package dev.filigree.graph.pass;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LayerNamesTest {
  @ParameterizedTest
  @CsvSource({
    // what the weights are called, if somebody called them so
    "a.query.weight, b.key.bias, /c/value/MatMul, a.query",
    "query, '', node_3, query",
    // or the bias, where the path of the node does not contradict it
    "onnx::MatMul_7, layer.0.query.bias, MatMul_12, layer.0.query",
    "onnx::MatMul_7, layer.0.query.bias, /model/layer.0/query/MatMul, layer.0.query",
    "onnx::MatMul_7, bert.layer.0.query.bias, /layer.0/query/MatMul, bert.layer.0.query",
    "onnx::MatMul_7, block.a.bias, /block/MatMul, block.a",
    // a bias of zeros that many layers share
    "onnx::MatMul_7, layer.0.norm.bias, /layer.1/query/MatMul, layer.1.query",
    "onnx::MatMul_7, layer.0.norm.bias, layer.1.query, layer.1.query",
    // or the path
    "onnx::MatMul_7, '', /layer.1/query/MatMul, layer.1.query",
    "onnx::MatMul_7, '', /MatMul, MatMul",
    "val_12, '', node_MatMul_3, node_MatMul_3",
    "onnx::Conv_441, onnx::Conv_442, /layer1/layer1.0/conv1/Conv, layer1.0.conv1",
    "onnx::Conv_441, onnx::Conv_442, Conv_3, Conv_3",
    "onnx::Conv_4, onnx::Conv_5, /block/block.0/block.0.0/Conv, block.0.0",
    "onnx::MatMul_7, b.1.mlp.0.bias, /b/b.1/mlp/mlp.0/MatMul, b.1.mlp.0",
    "onnx::MatMul_7, b.2.mlp.0.bias, /b/b.1/mlp/mlp.0/MatMul, b.1.mlp.0",
    "y_places, y_shifts, /decoder/up.0/ConvTranspose, decoder.up.0"
  })
  void aLayerIsCalledAsWhoeverWroteItWould(String weight, String bias, String node, String name) {
    assertEquals(name, LayerNames.of(weight, bias, node));
  }
}
