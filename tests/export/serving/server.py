"""A small server of TensorFlow Serving's gRPC interface: PredictRequests answered by a SavedModel.

Executed by path in a fresh process, without Keras and this project (`python -I server.py SAVED_MODEL`). It prints its
port, and ends with its input. As TensorFlow Serving it loads the SavedModel into a session and runs it as a callable,
which checks no shapes; it makes no batches of requests.
"""

import sys
from concurrent import futures

for name in ("lambda_keras", "keras", "tf_keras"):
    sys.modules[name] = None

import grpc  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.core.protobuf.config_pb2 import CallableOptions  # noqa: E402
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc  # noqa: E402

THREADS = 16


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, saved_model):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self.session, ["serve"], saved_model)
        # Without what initialises the model, which is no function of a client.
        named = {name: signature for name, signature in loaded.signature_def.items() if signature.inputs}
        self.signatures = {name: self.callable(signature) for name, signature in named.items()}

    def callable(self, signature):
        """The names of the inputs and the outputs of a signature, and a function of arrays."""
        inputs, outputs = sorted(signature.inputs), sorted(signature.outputs)
        options = CallableOptions(
            feed=[signature.inputs[name].name for name in inputs],
            fetch=[signature.outputs[name].name for name in outputs],
        )
        # What Python's public interface offers checks the shapes of what is fed.
        return inputs, outputs, self.session._make_callable_from_options(options)

    def Predict(self, request, context):  # noqa: N802  (the name in the service's definition)
        inputs, outputs, run = self.signatures[request.model_spec.signature_name or "serving_default"]
        try:
            values = run(*(tf.make_ndarray(request.inputs[name]) for name in inputs))
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in zip(outputs, values, strict=True):
            if not request.output_filter or name in request.output_filter:
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


def main(saved_model):
    # As in TensorFlow Serving's server, which takes messages of any size; a client's limit is its own.
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=[("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(saved_model), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
