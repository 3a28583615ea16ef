"""A small Parquet decoder: the standard library for the format, cramjam for the codecs."""
