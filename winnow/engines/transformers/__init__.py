"""Models in the format of Hugging Face's transformers, run by that library."""
