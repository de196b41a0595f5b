"""A folder like Tux Paint's, of which pictures can be composed: two drawn stamps in each category."""

from PIL import Image, ImageDraw

from lambda_keras.zoo.detection.data import stamps


def draw_stamps(folder):
    """Writes ellipses of a colour for each stamp, on nothing."""
    for number, category in enumerate(stamps.CATEGORIES):
        for stamp in range(2):
            path = folder / category / f"{category}{stamp}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.new("RGBA", (40, 30))
            ImageDraw.Draw(image).ellipse((5, 5, 35, 25), (30 * number, 90 * stamp, 200, 255))
            image.save(path)
