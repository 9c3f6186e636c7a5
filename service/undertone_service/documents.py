"""Write openapi.json and asyncapi.json: ``python -m undertone_service.documents docs``."""

import json
import sys
from pathlib import Path

from undertone_service.asyncapi import asyncapi_document
from undertone_service.settings import Settings
from undertone_service.web.app import create_app


def documents() -> dict[str, str]:
    """Return the text of both documents by file name."""
    contents = {"openapi.json": create_app(Settings()).openapi(), "asyncapi.json": asyncapi_document()}
    return {name: json.dumps(content, indent=2) + "\n" for name, content in contents.items()}


def main() -> None:
    """Write both into the folder given on the command line."""
    for name, text in documents().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
