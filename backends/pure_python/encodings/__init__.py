"""One file per encoding. A decoder takes the bytes of one page and hands out values on demand."""
