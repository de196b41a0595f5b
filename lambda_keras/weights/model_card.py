"""The model card of a shared model: what the Hub shows of it."""

import math
from collections.abc import Sequence

import keras

from lambda_keras.version import __version__
from lambda_keras.weights.preprocessor import Preprocessor

CARD = """---
library_name: lambda-keras
pipeline_tag: image-classification
tags:
- keras
- lambda-networks
{license}---

# {name}

{description}

| | |
|---|---|
| input | images {image_size}×{image_size}, {channels} channels |
| resized | {interpolation}, the central {crop:.1%} is kept |
| normalised | mean {mean}, standard deviation {std} |
| output | {output} |
| parameters | {parameters:,} |

Written by lambda-keras {version}. To load it:

```python
import lambda_keras as lk

model = lk.from_pretrained("hf://OWNER/REPOSITORY")  # or a local folder
probabilities = model(lk.preprocess_input(images, model="hf://OWNER/REPOSITORY"))
```

A `.keras` file of it loads with `keras.saving.load_model` after `import lambda_keras`; with `import keras` alone, Keras
"could not locate" the layers.

The layers are those of LambdaNetworks (Bello, ICLR 2021, https://arxiv.org/abs/2102.08602).
"""
MISSING = "Its author gave no description: training data, accuracy and limits are unknown."


def render(
    model: keras.Model,
    preprocessor: Preprocessor,
    class_names: Sequence[str] | None,
    description: str,
    license: str | None,
) -> str:
    """The text of a model card.

    Args:
        model: The `keras.Model`.
        preprocessor: Its `Preprocessor`.
        class_names: The name of each class, or `None`.
        description: The author's text, may be empty.
        license: An identifier of the Hub, or `None`.

    Returns:
        Markdown whose front matter the Hub reads.
    """
    output = f"{model.output_shape[-1]} values"
    if class_names:
        output = f"{len(class_names)} classes: {', '.join(map(str, class_names[:10]))}{', …' * (len(class_names) > 10)}"
    return CARD.format(
        license=f"license: {license}\n" if license else "",
        name=model.name,
        description=description or MISSING,
        image_size=preprocessor.image_size,
        channels=len(preprocessor.mean),
        interpolation=preprocessor.interpolation,
        crop=preprocessor.evaluation_crop,
        mean=preprocessor.mean,
        std=preprocessor.std,
        output=output,
        parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        version=__version__,
    )
