"""Records what lucidrains' `lambda_networks` (torch) computes, for the tests that run without torch.

    python -m tests.golden.lucidrains

writes lucidrains.npz beside this file. Needs the `backends` extra.
"""

import pathlib

import numpy as np

FILE = pathlib.Path(__file__).with_suffix(".npz")

# side: of the square image. scope_size None: global.
CASES = {
    "global": {"side": 5, "scope_size": None, "intra_depth": 1},
    "global_u2": {"side": 4, "scope_size": None, "intra_depth": 2},
    "local": {"side": 6, "scope_size": 3, "intra_depth": 1},
    "local_u3": {"side": 5, "scope_size": 7, "intra_depth": 3},
}
CHANNELS, FILTERS, HEADS, KEY_DIM = 6, 8, 2, 3


def compute(name, seed):
    """Weights, inputs and outputs of one case with random weights, in NumPy and in the layout of Keras.

    Returns:
        A dict: the weights by the names of our layer's variables, `inputs` `[2, side, side, channels]`, and
        `inference` and `training`, the outputs in the two modes.
    """
    import torch
    from lambda_networks import LambdaLayer

    case = CASES[name]
    torch.manual_seed(seed)
    scope = {"n": case["side"]} if case["scope_size"] is None else {"r": case["scope_size"]}
    layer = LambdaLayer(CHANNELS, dim_k=KEY_DIM, heads=HEADS, dim_out=FILTERS, dim_u=case["intra_depth"], **scope)
    for norm in (layer.norm_q, layer.norm_v):
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
    if case["scope_size"] is None:
        table = layer.rel_pos_emb
    else:
        # The paper's position lambda has no bias; theirs adds one to all positions.
        torch.nn.init.zeros_(layer.pos_conv.bias)
        table = layer.pos_conv.weight[:, :, 0].permute(2, 3, 0, 1)
    arrays = {"position_embedding/table": table}
    for ours, projection in (("query", layer.to_q), ("key", layer.to_k), ("value", layer.to_v)):
        arrays[f"{ours}_projection/kernel"] = projection.weight[:, :, 0, 0].T
    for ours, norm in (("query", layer.norm_q), ("value", layer.norm_v)):
        arrays[f"{ours}_batch_norm/gamma"] = norm.weight
        arrays[f"{ours}_batch_norm/beta"] = norm.bias
        arrays[f"{ours}_batch_norm/moving_mean"] = norm.running_mean.clone()
        arrays[f"{ours}_batch_norm/moving_variance"] = norm.running_var.clone()
    inputs = torch.randn(2, CHANNELS, case["side"], case["side"])
    arrays["inputs"] = inputs.permute(0, 2, 3, 1)
    arrays["inference"] = layer.eval()(inputs).permute(0, 2, 3, 1)
    arrays["training"] = layer.train()(inputs).permute(0, 2, 3, 1)
    return {key: value.detach().numpy().copy() for key, value in arrays.items()}


if __name__ == "__main__":
    recorded = {f"{name}:{key}": value for name in CASES for key, value in compute(name, seed=0).items()}
    np.savez_compressed(FILE, **recorded)
    print(f"{FILE}: {len(recorded)} arrays, {FILE.stat().st_size} bytes")
