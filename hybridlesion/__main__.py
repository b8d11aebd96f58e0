"""Entry point of ``python -m hybridlesion``."""

from hybridlesion.cli import main

# Worker processes import this module again under another name.
if __name__ == "__main__":
    main()
