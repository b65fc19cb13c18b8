"""`python -m serving.token NAME ROLE`: makes a token for --auth_tokens_file.

The line for the file goes to stdout, the token itself, which is shown this once, to stderr:

    python -m serving.token web predict >> tokens"""

import re
import secrets
import sys

from serving.auth_tokens import Role, hashed

USAGE = f"usage: python -m serving.token NAME ROLE    (ROLE: {' or '.join(Role)})"
BYTES = 32


def main(arguments: list[str]) -> int:
    """Prints both; 2 for arguments that make no line."""
    if len(arguments) != 2 or not re.fullmatch(r"[^\s#]+", arguments[0]) or arguments[1] not in list(Role):
        print(f"got {' '.join(arguments) or 'nothing'}; {USAGE}; NAME has no blank and no #", file=sys.stderr)
        return 2
    token = secrets.token_urlsafe(BYTES)
    print(*arguments, hashed(token))
    print(f"token, not shown again: {token}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
