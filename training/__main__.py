"""`python -m training NAME ...` is `seqzoo train NAME ...`."""

from seqzoo.command import main

if __name__ == "__main__":
    main(["train"])
