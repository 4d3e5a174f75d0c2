"""`python -m edge_aver` is the `edge-aver` command."""

from edge_aver.cli import main

if __name__ == "__main__":
    main()
