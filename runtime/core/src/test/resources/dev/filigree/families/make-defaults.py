#!/usr/bin/env python3
"""Makes defaults.json beside this file: what transformers takes for a network whose config says its family alone.

Needs transformers 5.17 or 5.18. Usage: make-defaults.py FAMILY... (model types)
"""

import json
import os
import sys

from transformers import AutoConfig

# families whose networks do not read what their config says of it
OWN_EPSILON = ("biogpt",)
HERE = os.path.dirname(os.path.abspath(__file__))


def value(config, *names):
    for name in names:
        if getattr(config, name, None) is not None:
            return getattr(config, name)
    return None


def theta(config):
    parameters = getattr(config, "rope_parameters", None)
    if parameters is None:
        return None
    return parameters.get("full_attention", parameters)["rope_theta"]


def defaults(family):
    config = AutoConfig.for_model(family)
    hidden = config.hidden_size
    heads = config.num_attention_heads
    one = getattr(config, "multi_query", False)
    return dict(
        layers=config.num_hidden_layers, hidden=hidden, heads=heads,
        keys=1 if one else value(config, "num_key_value_heads", "num_kv_heads") or heads,
        width=value(config, "head_dim", "d_kv") or (value(config, "true_hidden_size") or hidden) // heads,
        wide=value(config, "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "d_ff", "hidden_dim") or 4 * hidden,
        vocabulary=config.vocab_size,
        epsilon=None if family in OWN_EPSILON else value(config, "rms_norm_eps", "layer_norm_eps", "norm_eps", "layer_norm_epsilon", "norm_epsilon"),
        activation=value(config, "hidden_act", "hidden_activation", "activation_function", "activation", "dense_act_fn"),
        tied=getattr(config, "tie_word_embeddings", None), theta=theta(config), padding=value(config, "pad_token_id"),
        positions=value(config, "max_position_embeddings", "n_positions", "max_seq_len"))


lines = ['"%s": %s' % (family, json.dumps(defaults(family))) for family in sorted(sys.argv[1:])]
with open(os.path.join(HERE, "defaults.json"), "w") as file:
    file.write("{\n" + ",\n".join(lines) + "\n}\n")
