"""Which validation scripts are there? `python -m validation` lists them, with NAME runs one."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path


def scripts() -> dict[str, str]:
    """Return name -> first line of every module that can be run."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.stem != "__main__" and 'if __name__ == "__main__"' in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return found


def main() -> None:
    """List the scripts, or run one with the arguments that follow its name."""
    known = scripts()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("python -m validation NAME [ARGUMENTS]\n")
        width = max(map(len, known))
        print("\n".join(f"{name:<{width}}  {line}" for name, line in known.items()))
        return
    name = sys.argv[1]
    if name not in known:
        print(f"no script {name!r}; choose one of {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    sys.argv = sys.argv[1:]
    runpy.run_module(f"validation.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
