"""Times lambda layers on a GPU or TPU, in every order of contraction and beside their peers in torch.

    KERAS_BACKEND=jax python -m benchmarks.accelerator
    KERAS_BACKEND=torch python -m benchmarks.accelerator --full

needs no TensorFlow. It writes results/accelerator_<backend>.csv: seconds of whole layers, float32, compiled with XLA
under jax, eager under torch, by turns; the order `auto` is what the plan picks. Under torch, timm's and lucidrains'
layers run on the same device where they are installed. `python -m benchmarks.contraction --fit` under the same
`KERAS_BACKEND` prints what to put in the place of `contraction_plan.ON_ACCELERATORS`. Without an accelerator it runs on
the CPU, and says so.
"""

import argparse
import importlib.util

import keras

from benchmarks import backends
from benchmarks.grid import cells, rows_of_cell
from benchmarks.timing import interleaved_medians, write_csv
from lambda_keras.layers import LambdaLayer
from lambda_keras.layers.contraction_plan import CONVOLUTIONS, DENSE_ORDERS

# An accelerator has the memory for the embeddings of all pairs of larger maps.
LARGEST_GLOBAL = 64 * 64


def our_step(grid, channels, batch, scope, order, training):
    """A function without arguments that runs a layer of ours."""
    layer = LambdaLayer(scope_size=scope, implementation=order)
    images = keras.random.normal((batch, *grid, channels))
    layer.build(images.shape)
    weights = [variable.value for variable in layer.trainable_variables]
    states = [variable.value for variable in layer.non_trainable_variables]

    def run(x, *weights):
        outputs, _ = layer.stateless_call(weights, states, x, training=training)
        return outputs

    function = backends.forward_and_backward(run) if training else backends.forward(run)
    return lambda: backends.wait(function(images, *weights))


def installed_peers():
    """The peers whose packages are there."""
    from benchmarks import torch_layers

    return [peer for peer, package in torch_layers.PACKAGES.items() if importlib.util.find_spec(package)]


def peer_step(peer, grid, channels, batch, scope, training):
    """The same for a torch layer, eager."""
    from benchmarks import torch_layers

    device = "cuda" if backends.is_accelerated() else "cpu"
    layer = torch_layers.make(peer, grid, channels, scope)
    return torch_layers.step([layer], (batch, *grid, channels), training, device=device)


def measure(grid, channels, batch, scope, training, peers):
    """Median seconds by order and by peer; what fails is named in a line."""
    orders = ("auto", *DENSE_ORDERS, *(CONVOLUTIONS if scope else ()))
    makers = {order: lambda order=order: our_step(grid, channels, batch, scope, order, training) for order in orders}
    for peer in peers:
        makers[peer] = lambda peer=peer: peer_step(peer, grid, channels, batch, scope, training)
    steps = {}
    for name, make in makers.items():
        try:
            step = make()
            step()
            steps[name] = step
        except Exception as error:  # Too little memory has another type on each backend.
            print(f"could not run {name} at {grid}, batch {batch}, scope {scope}: {str(error).splitlines()[0]}")
    return interleaved_medians(steps, rounds=9, settle=True)


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="every map and batch")
    full = parser.parse_args().full
    name = backends.device_name()
    print(f"{backends.BACKEND} on {name}{'' if backends.is_accelerated() else ': no accelerator was found'}")
    peers = installed_peers() if backends.BACKEND == "torch" else []
    print(f"beside {', '.join(peers) or 'no peers: they need KERAS_BACKEND=torch, timm and lambda-networks'}")
    rows = []
    for grid, channels, batch, scope in cells(full, LARGEST_GLOBAL):
        for training in (False, True):
            seconds = measure(grid, channels, batch, scope, training, peers)
            if "auto" not in seconds:
                continue
            rows += rows_of_cell(grid, channels, batch, scope, training, seconds, ours="auto")
    rows = [{**row, "accelerator": name} for row in rows]
    write_csv(f"accelerator_{backends.BACKEND}", rows)


if __name__ == "__main__":
    main()
