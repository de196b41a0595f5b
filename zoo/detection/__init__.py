"""Objects and their masks: Mask R-CNN and RetinaNet on any backbone."""
