"""What a model saw in an image: interaction maps of lambda layers and Grad-CAM."""
