"""`python -m h123` is the command `h123`."""

from .cli.main import main

if __name__ == "__main__":
    main()
