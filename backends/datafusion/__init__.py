"""Apache DataFusion's streamed execution."""
