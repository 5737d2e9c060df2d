#!/usr/bin/env python3
"""Makes the folders beside this file: small decoders in quantised forms, with what transformers computes with the
weights that the forms stand for.

Needs torch, transformers 5.18 and safetensors; the packing is written from each format's description. Usage:
make-quantised.py [NAME...]. The case.bin of each folder is laid out as families/make-families.py says.
"""

import json
import os
import struct
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig
from transformers import AutoModelForCausalLM

transformers.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))
TOKENS = 7
WORDS = 24
GROUP = 16
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                0.7229568362236023, 1.0], np.float32)
FP4 = np.array([0.0, 0.0052083333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25], np.float32)
FP4 = np.concatenate([FP4, -FP4])
MXFP4 = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0], np.float32)
MXFP4 = np.concatenate([MXFP4, -MXFP4])
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def tensor(array):
    return torch.from_numpy(np.array(array))


def decoder():
    torch.manual_seed(5)
    config = AutoConfig.for_model("llama", vocab_size=WORDS, hidden_size=32, intermediate_size=64,
                                  num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4,
                                  max_position_embeddings=32)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            drawn = torch.randn_like(values) * 0.25 + (1 if "norm" in name else 0)
            values.copy_(drawn.half().float())
    return config, model


def case(name, quantise, method, beside=None):
    """quantise: name and weights of a module -> its tensors, and the weights they stand for, or None."""
    config, model = decoder()
    tensors = {key: value.clone() for key, value in model.state_dict().items()}
    made = {}
    for module_name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or module_name == "lm_head":
            continue
        result = quantise(module_name, module.weight.detach().numpy().astype(np.float64))
        if result is None:
            continue
        parts, stood_for = result
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(stood_for.astype(np.float32)))
        del tensors[module_name + ".weight"]
        made.update({module_name + "." + part: value for part, value in parts.items()})
    tensors = {key: value.half() for key, value in tensors.items()}
    tensors.update(made)
    save(name, config, model, tensors, method, beside)


def save(name, config, model, tensors, method, beside=None):
    if sys.argv[1:] and name not in sys.argv[1:]:
        return
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder + "/model.safetensors")
    written = json.loads(config.to_json_string())
    written["architectures"] = [type(model).__name__]
    if beside:
        with open(os.path.join(folder, beside), "w") as file:
            json.dump(method, file, indent=2)
    else:
        written["quantization_config"] = method
    with open(folder + "/config.json", "w") as file:
        json.dump(written, file, indent=2)
    ids = torch.randint(0, WORDS, (2, TOKENS))
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    with open(folder + "/case.bin", "wb") as file:
        file.write(struct.pack("<iii", 2, TOKENS, WORDS))
        file.write(ids.numpy().astype("<i8").tobytes())
        file.write(mask.numpy().astype("<i8").tobytes())
        file.write(logits.numpy().astype("<f4").tobytes())


def mxfp4():
    """gpt-oss as it is published: experts of a layer in one tensor, in blocks of 32 along the inputs."""
    torch.manual_seed(6)
    config = AutoConfig.for_model("gpt_oss", vocab_size=WORDS, hidden_size=64, intermediate_size=32, head_dim=8,
                                  num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, sliding_window=4,
                                  num_local_experts=3, num_experts_per_tok=2, max_position_embeddings=32)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    tensors = {}
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.endswith(("gate_up_proj", "down_proj")):
                experts, inputs, outputs = values.shape
                codes = torch.randint(0, 16, (experts, outputs, inputs // 32, 32)).numpy().astype(np.uint8)
                exponents = torch.randint(121, 126, (experts, outputs, inputs // 32)).numpy().astype(np.uint8)
                made = MXFP4[codes] * np.exp2(exponents.astype(np.float32) - 127)[..., None]
                values.copy_(tensor(made.reshape(experts, outputs, inputs)).transpose(1, 2))
                tensors[name + "_blocks"] = tensor(codes[..., 0::2] | codes[..., 1::2] << 4)
                tensors[name + "_scales"] = tensor(exponents)
            else:
                drawn = torch.randn_like(values) * 0.25 + (1 if "norm" in name else 0)
                values.copy_(drawn.bfloat16().float())
                tensors[name] = values.bfloat16()
    save("mxfp4", config, model, tensors, dict(quant_method="mxfp4", modules_to_not_convert=[
        "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]))


def words(codes, bits, axis):
    """Codes as a stream of bits in words of 32, the lowest first, along an axis."""
    moved = np.moveaxis(codes.astype(np.uint64), axis, -1)
    stream = (moved[..., None] >> np.arange(bits, dtype=np.uint64)) & 1
    stream = stream.reshape(*moved.shape[:-1], -1, 32)
    packed = (stream << np.arange(32, dtype=np.uint64)).sum(-1).astype(np.uint32).view(np.int32)
    return np.moveaxis(packed, -1, axis)


def gptq(bits, ordered=False, offset=1):
    def quantise(_, weights):
        outputs, inputs = weights.shape
        most = 2**bits - 1
        order = np.random.RandomState(3).permutation(inputs) if ordered else np.arange(inputs)
        group_of = np.empty(inputs, np.int32)
        group_of[order] = np.arange(inputs) // GROUP
        scales = np.empty((inputs // GROUP, outputs), np.float16)
        zeros = np.empty(scales.shape, int)
        for group in range(len(scales)):
            part = weights[:, group_of == group]
            low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
            scales[group] = (high - low) / most
            zeros[group] = np.clip(np.round(-low / scales[group].astype(float)), 1, most)
        scale = scales.astype(float)[group_of]
        codes = np.clip(np.round(weights.T / scale) + zeros[group_of], 0, most).astype(int)
        return {"qweight": tensor(words(codes, bits, 0)), "qzeros": tensor(words(zeros - offset, bits, 1)),
                "scales": tensor(scales), "g_idx": tensor(group_of)}, ((codes - zeros[group_of]) * scale).T
    return quantise


def awq(_, weights):
    outputs, inputs = weights.shape
    parts = weights.reshape(outputs, inputs // GROUP, GROUP)
    scales = ((parts.max(2) - parts.min(2)) / 15).astype(np.float16)
    scale = scales.astype(float)[..., None]
    zeros = np.clip(np.round(-parts.min(2) / scale[..., 0]), 0, 15).astype(int)
    codes = np.clip(np.round(parts / scale) + zeros[..., None], 0, 15).astype(int)
    stood_for = ((codes - zeros[..., None]) * scale).reshape(outputs, inputs)

    def packed(values):
        eights = values.reshape(len(values), -1, 8).astype(np.uint32)
        return sum(eights[..., output] << np.uint32(4 * place) for place, output in enumerate(AWQ_ORDER)).view(np.int32)

    return {"qweight": tensor(packed(codes.reshape(outputs, inputs).T)), "qzeros": tensor(packed(zeros.T)),
            "scales": tensor(scales.T)}, stood_for


def float8(name, block=None, by_row=False):
    def quantise(_, weights):
        values = torch.from_numpy(weights).float()
        rows, columns = values.shape
        if block:
            scale = values.reshape(rows // block, block, columns // block, block).abs().amax((1, 3)) / 448
            full = scale.repeat_interleave(block, 0).repeat_interleave(block, 1)
        else:
            scale = values.abs().amax(1, keepdim=True) / 448 if by_row else values.abs().max() / 448
            full = scale
        codes = (values / full).to(torch.float8_e4m3fn)
        return {"weight": codes, name: scale}, (codes.float() * full).numpy()
    return quantise


def int8(_, weights):
    values = torch.from_numpy(weights).float()
    most = values.abs().amax(1)
    codes = torch.round(values * 127 / most[:, None]).to(torch.int8)
    return {"weight": codes, "SCB": most, "weight_format": torch.tensor(0, dtype=torch.uint8)}, (
        codes.float() * most[:, None] / 127).numpy()


def four_bits(kind, table, dtype, nested=False, run=32):
    def quantise(_, weights):
        runs = weights.astype(np.float32).reshape(-1, run)
        most = np.abs(runs).max(1)
        parts, state = {}, {}
        if nested:
            offset = most.mean(dtype=np.float32)
            padded = np.pad(most - offset, (0, -len(most) % 256)).reshape(-1, 256)
            outer = np.abs(padded).max(1).astype(np.float32)
            values = np.sort(np.append(np.linspace(-1, 1, 255), 0.003)).astype(np.float32)
            codes = np.abs((padded / outer[:, None])[..., None] - values).argmin(-1).astype(np.uint8)
            most = (values[codes] * outer[:, None]).reshape(-1)[:len(most)] + offset
            parts = {"weight.absmax": tensor(codes.reshape(-1)[:len(most)]), "weight.nested_absmax": tensor(outer),
                     "weight.nested_quant_map": tensor(values)}
            state = dict(nested_blocksize=256, nested_dtype="float32", nested_offset=float(offset))
        else:
            parts = {"weight.absmax": tensor(most)}
        codes = np.abs((runs / most[:, None])[..., None] - table).argmin(-1).astype(np.uint8)
        stood_for = torch.from_numpy((table[codes] * most[:, None]).reshape(weights.shape))
        flat = codes.reshape(-1)
        state.update(quant_type=kind, blocksize=run, dtype=dtype, shape=list(weights.shape))
        parts["weight"] = tensor((flat[0::2] << 4 | flat[1::2]).reshape(-1, 1))
        parts["weight.quant_map"] = tensor(table)
        parts["weight.quant_state.bitsandbytes__" + kind] = tensor(
            np.frombuffer(json.dumps(state).encode(), np.uint8))
        return parts, stood_for.to(getattr(torch, dtype)).float().numpy()
    return quantise


def gptq_config(bits, **more):
    return dict(quant_method="gptq", bits=bits, group_size=GROUP, sym=False, desc_act=False, **more)


case("gptq-3", gptq(3), gptq_config(3))
case("gptq-v2-ordered", gptq(4, True, 0), gptq_config(4, checkpoint_format="gptq_v2"))
case("gptq-beside", gptq(4), dict(bits=4, group_size=GROUP, sym=False, desc_act=False), "quantize_config.json")
case("gptq-dynamic", lambda name, weights: None if "up_proj" in name else gptq(8 if "down_proj" in name else 4)(
    name, weights), gptq_config(4, dynamic={"+:.*down_proj": dict(bits=8), "-:.*up_proj": {}}))
case("auto-round", gptq(4), dict(quant_method="auto-round", bits=4, group_size=GROUP, sym=False,
                                 packing_format="auto_round:auto_gptq"))
case("awq-beside", awq, dict(w_bit=4, q_group_size=GROUP, zero_point=True, version="GEMM"), "quant_config.json")
case("fp8-blocks", float8("weight_scale_inv", 16), dict(quant_method="fp8", activation_scheme="dynamic",
                                                        weight_block_size=[16, 16]))
case("fp8-whole", float8("weight_scale_inv"), dict(quant_method="fp8", activation_scheme="static"))
case("fbgemm-fp8", float8("weight_scale", by_row=True), dict(quant_method="fbgemm_fp8", activation_scale_ub=1200.0))
case("modelopt-fp8", float8("weight_scale"), dict(quant_method="modelopt", quant_algo="FP8"))
case("bitsandbytes-int8", int8, dict(quant_method="bitsandbytes", load_in_8bit=True))
case("bitsandbytes-nf4", four_bits("nf4", NF4, "float16"), dict(quant_method="bitsandbytes", load_in_4bit=True))
case("bitsandbytes-nf4-nested", four_bits("nf4", NF4, "bfloat16", True),
     dict(quant_method="bitsandbytes", load_in_4bit=True))
case("bitsandbytes-fp4", four_bits("fp4", FP4, "float32"), dict(quant_method="bitsandbytes", load_in_4bit=True))
mxfp4()
