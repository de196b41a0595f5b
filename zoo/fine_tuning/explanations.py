"""What the model looked at in a few test images, as pictures for the report."""

import io

from lambda_keras.explain import lambda_layers
from lambda_keras.zoo.explaining import plots
from lambda_keras.zoo.explaining.explanation import explain_image
from lambda_keras.zoo.fine_tuning.predictions import Predictions
from lambda_keras.zoo.models.classifier import Classifier

# More rows make the report's file larger than its reader's patience.
MISTAKES = 3


def draw(classifier: Classifier, predictions: Predictions) -> list[tuple[str, bytes]]:
    """Explains the worst mistakes and recognised images, each by the query in the middle of the last lambda layer.

    Args:
        classifier: A `lambda_keras.zoo.models.classifier.Classifier`.
        predictions: Its `lambda_keras.zoo.fine_tuning.predictions.Predictions`.

    Returns:
        `(title, PNG)` of each picture; none for a model without lambda layers.
    """
    if not lambda_layers(classifier.model):
        return []
    pictures = []
    for title, indices in (
        ("Recognised images, one of a class", predictions.recognised),
        ("The worst mistakes", predictions.worst[:MISTAKES]),
    ):
        rows = [explain_image(classifier, predictions.pictures[index])[0] for index in indices]
        if rows:
            stream = io.BytesIO()
            plots.grid(rows).savefig(stream, format="png")
            pictures.append((title, stream.getvalue()))
    return pictures
