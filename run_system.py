"""The program.  It only starts things: actors must live in modules that can be imported, never in a script."""

from cli.app import main

if __name__ == "__main__":
    main()
