"""Tables in columns: Parquet and Arrow files, as Hugging Face datasets are, with audio in their cells."""
