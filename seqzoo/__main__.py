"""`python -m seqzoo` is the command `seqzoo`."""

from seqzoo.command import main

if __name__ == "__main__":
    main()
