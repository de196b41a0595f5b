"""Artifacts of a trained model: SavedModel and TFLite, each compared with the model it came from.

An application, reached by `lambda-export` or `python -m lambda_keras.export`.
"""
