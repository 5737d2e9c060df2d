"""Writes small random decoders with a cache, as PyTorch's two exporters write them, and what ONNX Runtime makes of
them call by call. Needs torch 2.13, transformers 5.17, onnx and onnxruntime 1.30.

    python make-decoders.py FOLDER              those of the tests
    python make-decoders.py FOLDER 512 6 8000   features, layers and words of larger ones, for CachedDecoderComparison
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime
import torch
import transformers
from onnx import numpy_helper
from transformers.cache_utils import DynamicCache

FEATURES, LAYERS, VOCABULARY = map(int, sys.argv[2:5] or (32, 2, 40))
HEADS = 4 if FEATURES == 32 else FEATURES // 64
WIDTH = FEATURES // HEADS
BETWEEN = 80 if FEATURES == 32 else FEATURES * 11 // 4
POSITIONS = 64 if FEATURES == 32 else 512
# tokens of each call: with an empty cache, one by one, several at once
CALLS = [3, 1, 1, 1, 2, 1, 4, 1]

COMMON = dict(
    hidden_size=FEATURES, intermediate_size=BETWEEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
    vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, bos_token_id=None, eos_token_id=None)


def models():
    gpt2 = transformers.GPT2Config(
        n_layer=LAYERS, n_embd=FEATURES, n_head=HEADS, vocab_size=VOCABULARY, n_positions=POSITIONS,
        bos_token_id=None, eos_token_id=None)
    yield "gpt2", transformers.GPT2LMHeadModel(gpt2), HEADS
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(num_key_value_heads=HEADS, **COMMON)), HEADS
    yield "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(num_key_value_heads=2, **COMMON)), 2


class WithCache(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, *past):
        cache = DynamicCache()
        for layer in range(LAYERS):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        made = self.model(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True)
        present = [part for layer in made.past_key_values.layers for part in (layer.keys, layer.values)]
        return (made.logits, *present)


def export(model, heads, file, dynamo):
    past = [torch.randn(2, heads, 5, WIDTH) for _ in range(2 * LAYERS)]
    args = (torch.randint(0, VOCABULARY, (2, 3)), torch.ones(2, 8, dtype=torch.int64), *past)
    parts = [f"{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]
    inputs = ["input_ids", "attention_mask"] + [f"past_key_values.{part}" for part in parts]
    outputs = ["logits"] + [f"present.{part}" for part in parts]
    if dynamo:
        auto = torch.export.Dim.DYNAMIC
        shapes = ({0: auto, 1: auto}, {0: auto, 1: auto}, tuple({0: auto, 2: auto} for _ in past))
        torch.onnx.export(
            WithCache(model), args, file, input_names=inputs, output_names=outputs, dynamic_shapes=shapes,
            dynamo=True, external_data=False)
        plain = onnx.load(file)
        for node in plain.graph.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
        for value in plain.graph.value_info:
            value.ClearField("metadata_props")
        onnx.save(plain, file)
    else:
        axes = {name: {0: "batch", 2: "past"} for name in inputs[2:]}
        axes |= {name: {0: "batch", 2: "all"} for name in outputs[1:]}
        axes |= {"input_ids": {0: "batch", 1: "new"}, "attention_mask": {0: "batch", 1: "all"}}
        axes |= {"logits": {0: "batch", 1: "new"}}
        torch.onnx.export(
            WithCache(model), args, file, input_names=inputs, output_names=outputs, dynamic_axes=axes,
            dynamo=False, opset_version=17)


def save(array, file):
    file.write_bytes(numpy_helper.from_array(array).SerializeToString())


def run(folder, heads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    names = [value.name for value in session.get_inputs()]
    tokens = numpy.random.default_rng(5).integers(0, VOCABULARY, (1, sum(CALLS)))
    cache = [numpy.zeros((1, heads, 0, WIDTH), numpy.float32) for _ in range(2 * LAYERS)]
    logits = []
    at = 0
    for count in CALLS:
        mask = numpy.ones((1, at + count), numpy.int64)
        made = session.run(None, dict(zip(names, [tokens[:, at:at + count], mask, *cache])))
        logits.append(made[0])
        cache = made[1:]
        at += count
    save(tokens, folder / "tokens.pb")
    save(numpy.array(CALLS), folder / "calls.pb")
    save(numpy.concatenate(logits, axis=1), folder / "logits.pb")
    save(cache[-1], folder / "last_value.pb")


def main(root):
    torch.manual_seed(7)
    for name, model, heads in models():
        for exporter in ("traced", "dynamo"):
            folder = root / f"{name}-{exporter}"
            folder.mkdir(parents=True, exist_ok=True)
            export(model.eval(), heads, str(folder / "model.onnx"), exporter == "dynamo")
            run(folder, heads)


main(pathlib.Path(sys.argv[1]))
