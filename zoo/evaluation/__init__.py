"""What a model can do on images: figures and reports; classes of image files."""
