#!/usr/bin/env python3
"""Makes the folders beside this file: a small network of each family, with what transformers computes with it.

Needs torch and transformers 5.17 or 5.18. Usage: make-families.py [NAME...]

Each folder is a checkpoint as save_pretrained writes it, with f16 weights drawn from a seed that its name gives, and
case.bin: little-endian i32 batch, tokens, features; i64 ids [batch, tokens]; i64 mask [batch, tokens]; f32 results
[batch, tokens, features] (or [batch, features] where tokens is -tokens). Where answers begin and end are two features.
The second text is padded, behind or in front.
"""

import copy
import json
import os
import struct
import sys
import warnings
import zlib

warnings.filterwarnings("ignore")
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig
from transformers import AutoModel
from transformers import AutoModelForCausalLM
from transformers import AutoModelForImageTextToText
from transformers import AutoModelForMaskedLM
from transformers import AutoModelForQuestionAnswering
from transformers import AutoModelForSequenceClassification
from transformers import AutoModelForTokenClassification
from transformers import CLIPTextModel
from transformers import CLIPTextModelWithProjection
from transformers import MT5EncoderModel
from transformers import T5EncoderModel
from transformers import UMT5EncoderModel

transformers.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))
TOKENS = 11
WORDS = 19
SIZE = dict(vocab_size=WORDS, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=32)
GROUPS = dict(SIZE, num_key_value_heads=1)
GPT = dict(vocab_size=WORDS, n_embd=8, n_layer=2, n_head=2, n_positions=32)
KINDS = dict(sliding_window=4, layer_types=["sliding_attention", "full_attention"])
CASES = {}
# the numbers that their networks compute for themselves are not rounded to f16
UNROUNDED = ("apertus", "cwm", "dots1", "ernie4_5_moe", "flex_olmo", "glm4_moe", "gpt_oss", "granitemoe",
             "granitemoehybrid", "granitemoeshared", "hunyuan_v1_dense", "hunyuan_v1_moe", "minimax_m2", "ministral3",
             "solar_open", "xglm")
PADDED_IN_FRONT = ("bloom", "falcon-alibi", "mpt", "opt-padded-in-front")


def rope(kind, **values):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=1000.0, **values))


def decoder(name, family, base=GROUPS, model=AutoModelForCausalLM, **values):
    CASES[name] = (family, model, {**base, **values})


def encoder(name, family, base=SIZE, model=AutoModel, **values):
    CASES[name] = (family, model, {**base, **values})


YARN = dict(factor=4.0, original_max_position_embeddings=8)
decoder("llama", "llama", attention_bias=True, mlp_bias=True, tie_word_embeddings=True)
decoder("llama-llama3", "llama", **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                        original_max_position_embeddings=16))
decoder("llama-yarn", "llama", **rope("yarn", **YARN, mscale=1.0, mscale_all_dim=0.8))
decoder("llama-yarn-exact", "llama", **rope("yarn", **YARN, truncate=False))
decoder("mistral", "mistral", sliding_window=4)
decoder("qwen2", "qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1)
decoder("qwen3", "qwen3", head_dim=6)
encoder("qwen3-headless", "qwen3", GROUPS, head_dim=6)
decoder("gemma", "gemma", head_dim=6)
decoder("gemma2", "gemma2", head_dim=6, query_pre_attn_scalar=10, attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0, sliding_window=4)
decoder("gemma3", "gemma3_text", head_dim=6, query_pre_attn_scalar=10, **KINDS,
        rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=100.0),
                             full_attention=dict(rope_type="linear", factor=8.0, rope_theta=10000.0)))
# scores have no bound, whatever the config says of one
decoder("gemma3-bounds", "gemma3_text", dict(GROUPS, hidden_size=16), head_dim=6, final_logit_softcapping=5.0,
        attn_logit_softcapping=3.0, **KINDS,
        rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=512.0),
                             full_attention=dict(rope_type="default", rope_theta=262144.0)))
encoder("gemma3-both-ways", "gemma3_text", GROUPS, head_dim=6, **KINDS, use_bidirectional_attention=True)
# a width whose root f16 holds exactly, and such frequencies
decoder("vaultgemma", "vaultgemma", dict(GROUPS, hidden_size=16), head_dim=6, query_pre_attn_scalar=1000,
        attn_logit_softcapping=2.0, final_logit_softcapping=3.0, sliding_window=4,
        rope_parameters=dict(rope_type="default", rope_theta=512.0))
MODERN_DECODER = dict(SIZE, num_hidden_layers=3, local_attention=6, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                      cls_token_id=1, sep_token_id=2)
decoder("modernbert-decoder", "modernbert-decoder", MODERN_DECODER)
decoder("modernbert-decoder-biases", "modernbert-decoder", MODERN_DECODER, norm_bias=True, attention_bias=True,
        mlp_bias=True, classifier_bias=True, classifier_activation="silu", tie_word_embeddings=False,
        decoder_bias=False)
decoder("modernbert-decoder-texts", "modernbert-decoder", MODERN_DECODER, AutoModelForSequenceClassification)
decoder("phi3", "phi3", sliding_window=4, pad_token_id=0)
decoder("phi3-long", "phi3", original_max_position_embeddings=8, pad_token_id=0,
        **rope("longrope", short_factor=[1.0, 1.5], long_factor=[2.0, 3.0]))
decoder("phi-tied", "phi", tie_word_embeddings=True)
decoder("phi", "phi", partial_rotary_factor=0.5, qk_layernorm=True)
decoder("gpt2", "gpt2", GPT)
decoder("gpt2-by-layer", "gpt2", GPT, n_inner=12, scale_attn_by_inverse_layer_idx=True)
decoder("gpt-neo", "gpt_neo", dict(vocab_size=WORDS, hidden_size=8, num_layers=2, num_heads=2, window_size=4,
                                   max_position_embeddings=32, attention_types=[[["global", "local"], 1]]))
decoder("gpt-j", "gptj", GPT, rotary_dim=2)
decoder("codegen", "codegen", dict(GPT, n_embd=16, n_head=4), rotary_dim=2)
decoder("gpt-neox", "gpt_neox", SIZE, rotary_pct=0.5)
decoder("gpt-neox-sequential", "gpt_neox", SIZE, rotary_pct=0.5, use_parallel_residual=False)
decoder("gpt-bigcode", "gpt_bigcode", GPT)
decoder("gpt-bigcode-heads", "gpt_bigcode", GPT, multi_query=False)
OPT = dict(vocab_size=WORDS, hidden_size=8, ffn_dim=12, num_hidden_layers=2, num_attention_heads=2,
           max_position_embeddings=32)
decoder("opt", "opt", OPT, word_embed_proj_dim=8)
decoder("opt-padded-in-front", "opt", OPT, word_embed_proj_dim=8)
decoder("opt-norms-last", "opt", OPT, word_embed_proj_dim=4, do_layer_norm_before=False)
decoder("stablelm", "stablelm", partial_rotary_factor=0.5, use_qkv_bias=True)
decoder("stablelm-parallel", "stablelm", partial_rotary_factor=0.5, use_parallel_residual=True)
decoder("stablelm-scales", "stablelm", partial_rotary_factor=0.5, qk_layernorm=True)
FALCON = dict(vocab_size=WORDS, hidden_size=8, num_hidden_layers=2, num_attention_heads=2)
decoder("falcon", "falcon", FALCON)
decoder("falcon-grouped", "falcon", FALCON, new_decoder_architecture=True, num_kv_heads=1)
decoder("falcon-sequential", "falcon", FALCON, multi_query=False, parallel_attn=False, bias=True)
# the plain implementation adds its numbers by places twice
decoder("falcon-alibi", "falcon", dict(FALCON, hidden_size=18, num_attention_heads=9), alibi=True, multi_query=False,
        parallel_attn=False, bias=True, attn_implementation="sdpa")
decoder("bloom", "bloom", dict(vocab_size=WORDS, hidden_size=12, n_layer=2, n_head=3))
decoder("bloom-norms-summed", "bloom", dict(vocab_size=WORDS, hidden_size=8, n_layer=2, n_head=2),
        apply_residual_connection_post_layernorm=True)
MPT = dict(vocab_size=WORDS, d_model=12, n_layers=2, n_heads=3, max_seq_len=32)
decoder("mpt", "mpt", MPT)
decoder("mpt-clipped", "mpt", MPT, attn_config=dict(clip_qkv=0.5, softmax_scale=0.7))
decoder("jais2", "jais2")
decoder("persimmon", "persimmon", SIZE)
decoder("persimmon-plain", "persimmon", SIZE, qk_layernorm=False)
decoder("openai-gpt", "openai-gpt", GPT)
decoder("biogpt", "biogpt", SIZE)
decoder("biogpt-unscaled", "biogpt", SIZE, scale_embedding=False, hidden_act="relu", tie_word_embeddings=False)
decoder("olmo", "olmo", clip_qkv=0.5)
decoder("olmo2", "olmo2")
decoder("olmo3", "olmo3", **KINDS)
decoder("granite", "granite", embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5,
        attention_multiplier=0.3)
OSS = dict(GROUPS, num_local_experts=4, num_experts_per_tok=2, head_dim=4)
decoder("gpt-oss", "gpt_oss", OSS, **KINDS)
decoder("gpt-oss-windows", "gpt_oss", OSS, sliding_window=3, attention_bias=False, **rope("default"))
MULTIPLIED = dict(GROUPS, embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=0.5,
                  attention_multiplier=0.3, num_local_experts=4, num_experts_per_tok=2)
decoder("granitemoe", "granitemoe", MULTIPLIED)
decoder("granitemoeshared", "granitemoeshared", MULTIPLIED, shared_intermediate_size=10)
decoder("hunyuan-dense", "hunyuan_v1_dense", head_dim=6)
decoder("hunyuan-dense-alpha", "hunyuan_v1_dense", head_dim=6, **rope("dynamic", alpha=1000.0, factor=1.0))
decoder("ministral3", "ministral3", head_dim=6, **rope("yarn", factor=4.0, original_max_position_embeddings=3,
                                                       mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.5))
decoder("cwm", "cwm", dict(GROUPS, num_hidden_layers=5, head_dim=6), sliding_window=3)
decoder("apertus", "apertus")
CHOSEN = dict(GROUPS, num_experts_per_tok=2, moe_intermediate_size=8, n_shared_experts=2)
decoder("dots1", "dots1", CHOSEN, n_routed_experts=6, n_group=3, topk_group=2, sliding_window=3, max_window_layers=1)
decoder("dots1-normalized", "dots1", CHOSEN, n_routed_experts=4, first_k_dense_replace=1, norm_topk_prob=True,
        routed_scaling_factor=2.5)
decoder("glm4-moe", "glm4_moe", dict(CHOSEN, head_dim=8), n_routed_experts=4, use_qk_norm=True, attention_bias=True)
decoder("ernie4-5-moe", "ernie4_5_moe", dict(GROUPS, num_hidden_layers=3, moe_num_experts=4, moe_k=2,
                                             moe_intermediate_size=8), moe_layer_interval=2)
decoder("hunyuan-moe", "hunyuan_v1_moe", dict(GROUPS, intermediate_size=16, head_dim=6), num_experts=4, moe_topk=[2, 3])
HYBRID = dict(MULTIPLIED, shared_intermediate_size=10, layer_types=["full_attention", "full_attention"],
              mamba_n_heads=4, mamba_expand=2, mamba_d_state=4)
decoder("granitemoehybrid", "granitemoehybrid", HYBRID)
decoder("granitemoehybrid-dense", "granitemoehybrid", dict(HYBRID, num_local_experts=0), position_embedding_type="rope")
decoder("minimax-m2", "minimax_m2", OSS, rotary_dim=2)
decoder("solar-open", "solar_open", dict(CHOSEN, head_dim=6), n_routed_experts=4)
decoder("flex-olmo", "flex_olmo", dict(GROUPS, num_experts=4, num_experts_per_tok=2, pad_token_id=0))
decoder("xglm", "xglm", SIZE)
decoder("smollm3", "smollm3", no_rope_layers=[1, 0], pad_token_id=0)
decoder("smollm3-windows", "smollm3", pad_token_id=0, **KINDS)
decoder("starcoder2", "starcoder2", sliding_window=4)
decoder("cohere", "cohere", logit_scale=0.25)
decoder("cohere-scales", "cohere", use_qk_norm=True)
decoder("cohere2", "cohere2", logit_scale=0.25, **KINDS)
decoder("nemotron", "nemotron", partial_rotary_factor=0.5)
decoder("glm", "glm", head_dim=4, pad_token_id=0)
decoder("glm4", "glm4", head_dim=4, pad_token_id=0)
decoder("exaone4", "exaone4", sliding_window=4, sliding_window_pattern=2)
decoder("seed-oss", "seed_oss", head_dim=4)
decoder("arcee", "arcee")
decoder("helium", "helium", head_dim=4)
decoder("ernie4-5", "ernie4_5", head_dim=4, use_bias=True)

EXPERTS = dict(num_experts_per_tok=2, moe_intermediate_size=4)
decoder("mixtral", "mixtral", num_local_experts=4, num_experts_per_tok=2, sliding_window=4)
decoder("qwen2-moe", "qwen2_moe", num_experts=5, shared_expert_intermediate_size=10, **EXPERTS)
decoder("qwen2-moe-some-layers", "qwen2_moe", num_experts=3, shared_expert_intermediate_size=10, mlp_only_layers=[0],
        norm_topk_prob=True, **EXPERTS)
# windows of the first and the third layer; the others see everything
decoder("qwen2-moe-windows", "qwen2_moe", dict(GROUPS, num_hidden_layers=5), num_experts=3,
        shared_expert_intermediate_size=10, use_sliding_window=True, sliding_window=4, max_window_layers=4, **EXPERTS)
decoder("qwen3-moe", "qwen3_moe", num_experts=4, head_dim=6, norm_topk_prob=True, **EXPERTS)
decoder("qwen3-moe-every-second", "qwen3_moe", num_experts=4, head_dim=6, decoder_sparse_step=2, **EXPERTS)
decoder("olmoe", "olmoe", num_experts=4, num_experts_per_tok=3, clip_qkv=0.5, pad_token_id=0)

decoder("llama-texts", "llama", model=AutoModelForSequenceClassification, pad_token_id=0)
decoder("qwen3-scores", "qwen3", model=AutoModelForSequenceClassification, head_dim=6, pad_token_id=0, num_labels=1)
decoder("mistral-tokens", "mistral", model=AutoModelForTokenClassification, sliding_window=4)
decoder("llama-answers", "llama", model=AutoModelForQuestionAnswering)
decoder("gpt2-tokens", "gpt2", GPT, AutoModelForTokenClassification)
decoder("opt-texts", "opt", OPT, AutoModelForSequenceClassification, word_embed_proj_dim=4, num_labels=3)

encoder("albert", "albert", num_hidden_layers=4, embedding_size=4, num_hidden_groups=2, inner_group_num=2)
encoder("albert-texts", "albert", embedding_size=4, model=AutoModelForSequenceClassification)
MODERN = dict(SIZE, local_attention=4, global_attn_every_n_layers=2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2)
encoder("modernbert", "modernbert", MODERN)
encoder("modernbert-texts", "modernbert", MODERN, AutoModelForSequenceClassification, classifier_pooling="mean")
encoder("modernbert-tokens", "modernbert", MODERN, AutoModelForTokenClassification)
DEBERTA = dict(SIZE, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=6, type_vocab_size=0,
               norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False)
encoder("deberta-v2", "deberta-v2", DEBERTA)
encoder("deberta-v2-texts", "deberta-v2", DEBERTA, AutoModelForSequenceClassification)
encoder("deberta-v2-apart", "deberta-v2", dict(DEBERTA, share_att_key=False))
encoder("deberta-v2-convolution", "deberta-v2", DEBERTA, conv_kernel_size=3, conv_act="gelu")
encoder("deberta-v2-convolution-groups", "deberta-v2", DEBERTA, conv_kernel_size=5, conv_groups=2)
encoder("deberta-v2-named-alone", "deberta-v2", dict(DEBERTA, relative_attention=False))
ORIGINAL = dict(SIZE, relative_attention=True, pos_att_type="c2p|p2c", max_relative_positions=8,
                position_biased_input=False)
encoder("deberta", "deberta", ORIGINAL)
encoder("deberta-texts", "deberta", dict(ORIGINAL, position_biased_input=True, type_vocab_size=2),
        AutoModelForSequenceClassification)
encoder("deberta-narrow", "deberta", dict(ORIGINAL, embedding_size=4))
encoder("deberta-v2-narrow", "deberta-v2", dict(DEBERTA, embedding_size=4, position_biased_input=True))
encoder("gte", "gte", pad_token_id=1)
encoder("gte-words", "gte", pad_token_id=1, model=AutoModelForMaskedLM)
encoder("gte-texts", "gte", pad_token_id=1, model=AutoModelForSequenceClassification)
# GTE as it was published before transformers had it, with positions that transformers has not
encoder("new", "gte", pad_token_id=1, **rope("default"))
encoder("new-ntk", "gte", pad_token_id=1, type_vocab_size=0, model=AutoModelForMaskedLM, **rope("default"))
encoder("new-mixed", "gte", pad_token_id=1, model=AutoModelForSequenceClassification, **rope("default"))
PUBLISHED = {"new": None, "new-ntk": dict(type="ntk", factor=4.0), "new-mixed": dict(type="ntk", factor=4.0, mixed_b=0.5)}
encoder("roberta-prelayernorm", "roberta-prelayernorm", pad_token_id=1)
encoder("roberta-prelayernorm-words", "roberta-prelayernorm", pad_token_id=1, model=AutoModelForMaskedLM)
encoder("electra", "electra", embedding_size=4)
encoder("bert-words", "bert", model=AutoModelForMaskedLM)
encoder("bert-words-untied", "bert", model=AutoModelForMaskedLM, tie_word_embeddings=False)
encoder("xlm-roberta-words", "xlm-roberta", model=AutoModelForMaskedLM, pad_token_id=1)
encoder("electra-words", "electra", model=AutoModelForMaskedLM, embedding_size=4)
encoder("rembert-words", "rembert", model=AutoModelForMaskedLM, input_embedding_size=4, output_embedding_size=6)
encoder("modernbert-answers", "modernbert", MODERN, AutoModelForQuestionAnswering)
encoder("modernbert-words", "modernbert", MODERN, AutoModelForMaskedLM, classifier_activation="silu")
encoder("nomic-bert", "nomic_bert")
encoder("jina-v3", "jina_embeddings_v3")
encoder("eurobert", "eurobert", GROUPS, pad_token_id=0, bos_token_id=1, eos_token_id=2)
# frequencies that f16 holds exactly
EURO = dict(GROUPS, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            rope_parameters=dict(rope_type="default", rope_theta=256.0))
encoder("eurobert-words", "eurobert", EURO, AutoModelForMaskedLM)
for pooling in ("late", "mean", "bos"):
    encoder("eurobert-texts-" + pooling, "eurobert", EURO, AutoModelForSequenceClassification,
            classifier_pooling=pooling)
encoder("roformer", "roformer", embedding_size=4)
encoder("roformer-values", "roformer", embedding_size=4, rotary_value=True)
encoder("roformer-texts", "roformer", model=AutoModelForSequenceClassification, embedding_size=4,
        hidden_act="relu")
MOBILE = dict(SIZE, hidden_size=12, embedding_size=6, intra_bottleneck_size=8, num_feedforward_networks=3)
encoder("mobilebert", "mobilebert", MOBILE)
encoder("mobilebert-narrow", "mobilebert", MOBILE, use_bottleneck_attention=True)
encoder("mobilebert-layer-norms", "mobilebert", MOBILE, normalization_type="layer_norm")
encoder("mobilebert-wide", "mobilebert", MOBILE, use_bottleneck=False)
encoder("mobilebert-wide-layer-norms", "mobilebert", MOBILE, use_bottleneck=False, normalization_type="layer_norm")
encoder("mobilebert-words-alone", "mobilebert", MOBILE, trigram_input=False)
encoder("mobilebert-words-as-wide", "mobilebert", dict(MOBILE, embedding_size=12), trigram_input=False)
encoder("mobilebert-texts", "mobilebert", MOBILE, AutoModelForSequenceClassification, classifier_activation=False)
encoder("mobilebert-words", "mobilebert", MOBILE, AutoModelForMaskedLM)
encoder("rembert", "rembert", input_embedding_size=4)
encoder("megatron-bert", "megatron-bert")
encoder("xlm-roberta", "xlm-roberta", pad_token_id=1)
encoder("xlm-roberta-xl", "xlm-roberta-xl", pad_token_id=1)
encoder("ernie", "ernie")
encoder("ernie-tasks", "ernie", use_task_id=True)
ESM = dict(SIZE, mask_token_id=4, pad_token_id=1, token_dropout=True)
encoder("esm", "esm", ESM, position_embedding_type="rotary")
encoder("esm-positions", "esm", dict(ESM, token_dropout=False), position_embedding_type="absolute", emb_layer_norm_before=True)
encoder("esm-words", "esm", ESM, AutoModelForMaskedLM, position_embedding_type="rotary")
CLIP = dict(SIZE, bos_token_id=17, hidden_act="quick_gelu", projection_dim=6)
encoder("clip-text", "clip_text_model", CLIP, CLIPTextModelWithProjection, eos_token_id=18)
encoder("clip-text-early", "clip_text_model", CLIP, CLIPTextModel, eos_token_id=2)
T5 = dict(vocab_size=WORDS, d_model=8, d_kv=6, d_ff=12, num_layers=2, num_heads=2)
encoder("t5", "t5", T5, T5EncoderModel)
encoder("t5-gated", "t5", T5, T5EncoderModel, feed_forward_proj="gated-gelu")
encoder("mt5", "mt5", T5, MT5EncoderModel)
encoder("umt5", "umt5", T5, UMT5EncoderModel)

# networks that read pictures too: of these the language model alone is asked, for text
PICTURES = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8,
                patch_size=4)


def pictured(name, family, text, vision=PICTURES, **values):
    CASES[name] = (family, AutoModelForImageTextToText, dict(text_config=text, vision_config=vision, image_token_id=18,
                                                             **values))


NEXT = dict(image_grid_pinpoints=[[8, 8]])
PARTS = dict(rope_parameters=dict(rope_type="default", rope_theta=4096.0, mrope_section=[1, 1, 1]))
DEPTH = dict(depth=1, hidden_size=12, num_heads=2, patch_size=4)
pictured("gemma3-pictures", "gemma3", dict(GROUPS, hidden_size=16, head_dim=6, final_logit_softcapping=2.0, **KINDS))
pictured("llava", "llava", dict(GROUPS, model_type="llama"), dict(PICTURES, projection_dim=4))
pictured("llava-next", "llava_next", dict(GROUPS, model_type="mistral", sliding_window=4),
         dict(PICTURES, projection_dim=4), **NEXT)
pictured("llava-onevision", "llava_onevision", dict(GROUPS, model_type="qwen2", tie_word_embeddings=True), **NEXT)
pictured("mistral3", "mistral3", dict(GROUPS, model_type="mistral", head_dim=6), tie_word_embeddings=False)
pictured("qwen2-vl", "qwen2_vl", dict(GROUPS, hidden_size=12, **PARTS), dict(DEPTH, embed_dim=8, mlp_ratio=1))
pictured("qwen2-5-vl", "qwen2_5_vl", dict(GROUPS, hidden_size=12, use_sliding_window=True, sliding_window=4,
                                          max_window_layers=1, **PARTS),
         dict(DEPTH, hidden_size=8, out_hidden_size=12, intermediate_size=8, fullatt_block_indexes=[0]))
pictured("qwen3-vl", "qwen3_vl", dict(GROUPS, head_dim=6, **PARTS),
         dict(DEPTH, hidden_size=8, out_hidden_size=8, intermediate_size=8, deepstack_visual_indexes=[0],
              num_position_embeddings=4))
pictured("idefics3", "idefics3", dict(GROUPS, model_type="llama"), pad_token_id=0)
pictured("smolvlm", "smolvlm", dict(GROUPS, model_type="llama"), pad_token_id=0)

def family_of(name):
    return CASES[name][0]


def network(name):
    family, model, given = CASES[name]
    values = dict(given)
    torch.manual_seed(zlib.crc32(name.encode()))
    attention = values.pop("attn_implementation", "eager")
    config = AutoConfig.for_model(family, **values)
    if model in (CLIPTextModel, CLIPTextModelWithProjection, MT5EncoderModel, T5EncoderModel, UMT5EncoderModel):
        made = model(config)
    else:
        try:
            # the default implementation leaves the bounds of scores out
            made = model.from_config(config, attn_implementation=attention)
        except ValueError:
            made = model.from_config(config)
    made = made.float().eval()
    with torch.no_grad():
        for buffer_name, buffer in made.named_buffers():
            stays = family in UNROUNDED or name in PUBLISHED or model is AutoModelForImageTextToText
            if buffer.is_floating_point() and not stays:
                buffer.copy_(buffer.half().float())
            if buffer_name.endswith("e_score_correction_bias"):
                buffer.copy_((torch.randn_like(buffer) * 0.3).half().float())
        for tensor_name, tensor in made.named_parameters():
            if family == "roformer" and "embed_positions" in tensor_name:
                continue
            is_scale = tensor.dim() == 1 and tensor_name.endswith("weight")
            spread = 0.3 if tensor.dim() == 1 else 0.4
            drawn = torch.randn_like(tensor) * spread + (1.0 if is_scale else 0.0)
            tensor.copy_(drawn.half().float())
    return config, made


def scaled(model, rules):
    """Gives a GTE the frequencies that its first release scales: https://kexue.fm/archives/9706"""
    factor, mixed = rules["factor"], rules.get("mixed_b")
    for module in model.modules():
        if hasattr(module, "inv_freq"):
            count = len(module.inv_freq)
            numbers = torch.arange(count, dtype=torch.float64)
            base = 1000.0 * (1 if mixed else factor)
            exponents = ((numbers + 1) / count) ** mixed if mixed else torch.full((count,), 1 / count).double()
            module.inv_freq.copy_(base ** (-numbers / count) / factor ** exponents)


def as_published(folder, rules):
    """Gives a folder of a GTE the names and the config of its first release."""
    file = os.path.join(folder, "model.safetensors")
    tensors = {("new." if name.startswith(("embeddings.", "encoder.", "pooler.")) and rules else "")
               + name.removeprefix("gte.").removeprefix("new."): tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json")) as text:
        config = json.load(text)
    del config["rope_parameters"]
    config.update(model_type="new", rope_theta=1000.0, rope_scaling=rules, position_embedding_type="rope",
                  layer_norm_type="layer_norm", pack_qkv=True, logn_attention_scale=False,
                  architectures=[name.replace("Gte", "New") for name in config["architectures"]])
    with open(os.path.join(folder, "config.json"), "w") as text:
        json.dump(config, text, indent=2)


def make(name, into=HERE):
    config, model = network(name)
    if PUBLISHED.get(name):
        scaled(model, PUBLISHED[name])
    ids = torch.randint(3, WORDS, (2, TOKENS))
    if family_of(name) == "clip_text_model":
        ids[:, 8] = 18
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    padding = slice(0, 3) if name in PADDED_IN_FRONT else slice(TOKENS - 3, TOKENS)
    mask[1, padding] = 0
    if getattr(config, "pad_token_id", None) is not None:
        ids[1, padding] = config.pad_token_id
    folder = os.path.join(into, name)
    copy.deepcopy(model).half().save_pretrained(folder)
    if name in PUBLISHED:
        as_published(folder, PUBLISHED[name])
    for other in ("generation_config.json",):
        if os.path.exists(os.path.join(folder, other)):
            os.remove(os.path.join(folder, other))
    with torch.no_grad():
        made = model(input_ids=ids, attention_mask=mask)
    if hasattr(made, "start_logits"):
        result = torch.stack([made.start_logits, made.end_logits], -1).float()
    else:
        names = ("logits", "last_hidden_state")
        if family_of(name) == "clip_text_model":
            names = ("text_embeds", "pooler_output")
        result = next(getattr(made, one) for one in names if hasattr(made, one)).float()
    tokens = TOKENS if result.dim() == 3 else -TOKENS
    with open(os.path.join(folder, "case.bin"), "wb") as file:
        file.write(struct.pack("<iii", 2, tokens, result.shape[-1]))
        file.write(ids.numpy().astype("<i8").tobytes())
        file.write(mask.numpy().astype("<i8").tobytes())
        file.write(result.numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
