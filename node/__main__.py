"""``python -m luminous.node``: the same as the command ``luminous-node``."""

from luminous.node.shell.cli import main

if __name__ == "__main__":
    main()
