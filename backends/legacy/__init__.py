"""LSHD v2: the kind of internal shard format that teams replaced with Parquet."""
