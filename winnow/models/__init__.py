"""The catalogue of models, the selection of models from it, and the passes that run them."""
