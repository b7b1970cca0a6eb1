"""``python -m twobranch``: the command line."""

from twobranch.commands.main import main

if __name__ == "__main__":
    main()
