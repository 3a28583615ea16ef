"""Files drawn at random, sound and damaged, read by our readers and by others: do they agree?

`canonical` makes values of any reader comparable. `leaves`, `trees`, `encoders` and `own_writer` write
Parquet byte by byte, as writers of all times did; `libraries` has it written by others. `valid` holds what
our readers make of a sound file in every mode against peers; `damaged` and `lshd` do so for what is not
sound. `worker` and `pool` run any number of them; `__main__` is the command.
"""
