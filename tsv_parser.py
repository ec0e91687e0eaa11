"""`python tsv_parser.py --dataFolder DIR [--tsvFile FILE] [--dry-run]`, as users of the file service call it."""

from belvedere.cli.tsv_parser import main

if __name__ == "__main__":
    main()
