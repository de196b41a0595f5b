import numpy as np

from lambda_keras.zoo.detection.anchors import Anchors


def test_anchors_of_a_map_of_one_place():
    boxes = Anchors(levels=(6,), scales=1, size=8.0, aspect_ratios=(0.25, 1.0)).boxes(64)
    # 8 strides of 64 pixels round the centre: as wide as high, and a quarter as wide as high.
    np.testing.assert_allclose(boxes["p6"], [[-480, -96, 544, 160], [-224, -224, 288, 288]], rtol=1e-6)


def test_anchors_are_in_the_order_of_a_map_s_channels():
    anchors = Anchors(levels=(2, 3), scales=2, size=1.0, aspect_ratios=(1.0,))
    assert anchors.per_location == 2
    boxes = anchors.boxes(8)
    assert [(level, tuple(x.shape)) for level, x in boxes.items()] == [("p2", (8, 4)), ("p3", (2, 4))]
    centres = (boxes["p2"].numpy()[:, :2] + boxes["p2"].numpy()[:, 2:]) / 2
    np.testing.assert_allclose(centres, np.repeat([[2, 2], [2, 6], [6, 2], [6, 6]], 2, axis=0), atol=1e-5)
    sides = boxes["p2"].numpy()[:2, 2] - boxes["p2"].numpy()[:2, 0]
    np.testing.assert_allclose(sides, [4, 4 * 2**0.5], rtol=1e-6)
