"""`python manage_influx_tokens.py --bucket COMPANY`, as users of the file service start it today.

It is `belvedere store token COMPANY`: the bucket is made when it is missing, and the token's value is printed once.
"""

import argparse

from belvedere.cli.main import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a company's bucket in InfluxDB and its token.")
    parser.add_argument("--bucket", required=True, help="the company: the tenant's name")
    parser.add_argument("--new", action="store_true", help="make another token and end the one that was made before")
    asked = parser.parse_args()
    main(["store", "token", asked.bucket, *(["--new"] if asked.new else [])])
