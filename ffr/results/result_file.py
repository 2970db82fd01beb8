"""How does a result get to disk and back? Whole files, strict reading, a published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ffr.errors import ConfigError
from ffr.results.result import SCHEMA_VERSION, Result
from meshes.writing import write_text


def schema_text() -> str:
    """Return the JSON Schema of `result.json`, as published in docs/result.schema.json."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Result.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def save_result(path: Path, result: Result) -> None:
    """Write a result to `path`: the whole file or nothing."""
    text = json.dumps(
        result.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False
    )
    write_text(path, text + "\n")


def load_result(path: Path) -> Result:
    """Read a result back.

    Raises
    ------
    ConfigError
        Not a file, not JSON, another schema version, or a field that breaks the schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, not JSON
        reason = error.strerror if isinstance(error, OSError) else "not a JSON file"
        message = f"result file: {reason}; give the result.json of a finished run"
        raise ConfigError(message) from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        message = (
            f"the result file has schema_version {version!r}, this ct-ffr reads "
            f"{SCHEMA_VERSION!r}; run the analysis again with this version"
        )
        raise ConfigError(message)
    try:
        return Result.model_validate_json(text)
    except ValidationError as error:
        lines = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
        message = "the result file breaks its schema: " + "; ".join(lines[:5])
        raise ConfigError(message) from error


def field_tables() -> str:
    """Return the field list of docs/result.md: one table per object, from the models."""
    schema = Result.model_json_schema()
    objects = {"result": schema, **schema["$defs"]}
    lines: list[str] = []
    for name, body in objects.items():
        if "properties" not in body:
            continue
        lines += [f"### {name}", "", body["description"], "", "| field | type | meaning |"]
        lines += ["| --- | --- | --- |"]
        for field, info in body["properties"].items():
            meaning = " ".join(info.get("description", "").split())
            lines.append(f"| `{field}` | {_type_name(info)} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _type_name(info: dict[str, Any]) -> str:
    if "anyOf" in info:
        return " or ".join(_type_name(one) for one in info["anyOf"])
    if "$ref" in info:
        return f"{info['$ref'].rsplit('/', 1)[-1]}"
    if "const" in info or "enum" in info:
        return ", ".join(f'"{one}"' for one in info.get("enum", [info.get("const")]))
    if "prefixItems" in info:
        return " ".join(_type_name(one) for one in info["prefixItems"])
    if info.get("type") == "array":
        return f"list of {_type_name(info['items'])}"
    return str(info.get("type", "any"))
