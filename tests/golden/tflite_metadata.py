"""Records tests/golden/tflite_metadata.json, by the classes of MediaPipe's schema.

    python -m tests.golden.tflite_metadata

needs flatbuffers, numpy and mediapipe 1.2.3, installed without what that needs (`pip install --no-deps
mediapipe==1.2.3`). For each record (model, mean, standard deviation, whether the file normalises itself): the bytes of
its `TFLITE_METADATA`.
"""

import base64
import json
import pathlib

GOLDEN = pathlib.Path(__file__).with_suffix(".json")
RECORDS = (
    ("lambda_resnet_tiny", [0.305], [0.376], False),
    ("lambda_resnet50ts", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], False),
    ("lambda_resnet50ts", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], True),
    ("zéro 一", [0.0, 0.0, 0.0, 0.0], [1 / 255] * 4, False),
)


def metadata(model, mean, std, normalises):
    """The buffer of a classifier."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    mean, std = [255 * value for value in mean], [255 * value for value in std]
    image = schema.TensorMetadataT(name="image", content=schema.ContentT(), stats=schema.StatsT())
    image.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    image.content.contentProperties = schema.ImagePropertiesT()
    colours = {1: schema.ColorSpaceType.GRAYSCALE, 3: schema.ColorSpaceType.RGB}
    image.content.contentProperties.colorSpace = colours.get(len(mean), schema.ColorSpaceType.UNKNOWN)
    image.stats.min, image.stats.max = [0.0] * len(mean), [255.0] * len(mean)
    if not normalises:
        unit = schema.ProcessUnitT(optionsType=schema.ProcessUnitOptions.NormalizationOptions)
        unit.options = schema.NormalizationOptionsT(mean=mean, std=std)
        image.processUnits = [unit]
        image.stats.min = [(0 - m) / s for m, s in zip(mean, std, strict=True)]
        image.stats.max = [(255 - m) / s for m, s in zip(mean, std, strict=True)]
    probability = schema.TensorMetadataT(name="probability", content=schema.ContentT(), stats=schema.StatsT())
    probability.content.contentPropertiesType = schema.ContentProperties.FeatureProperties
    probability.content.contentProperties = schema.FeaturePropertiesT()
    probability.stats.min, probability.stats.max = [0.0], [1.0]
    labels = schema.AssociatedFileT(name="labels.txt", type=schema.AssociatedFileType.TENSOR_AXIS_LABELS)
    probability.associatedFiles = [labels]
    graph = schema.SubGraphMetadataT(inputTensorMetadata=[image], outputTensorMetadata=[probability])
    whole = schema.ModelMetadataT(name=model, subgraphMetadata=[graph], minParserVersion="1.0.0")
    builder = flatbuffers.Builder(0)
    builder.Finish(whole.Pack(builder), b"M001")
    return bytes(builder.Output())


if __name__ == "__main__":
    rows = [{"record": record, "metadata": base64.b64encode(metadata(*record)).decode()} for record in RECORDS]
    GOLDEN.write_text(json.dumps(rows, indent=2) + "\n")
