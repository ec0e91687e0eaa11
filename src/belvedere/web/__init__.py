"""The pages: Flask, templates, forms. A file per domain: parse, one service call, render. No rule lives here."""
