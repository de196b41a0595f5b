"""Labels by a teacher for images that have none, and the choice of those to train on."""
