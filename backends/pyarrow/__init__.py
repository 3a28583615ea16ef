"""Arrow C++ through pyarrow."""
