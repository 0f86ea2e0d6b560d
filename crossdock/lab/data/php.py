"""PHP's serialize() and json_encode(), so that the data is made without PHP and without the code it is to test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PhpObject:
    """An object of any class; `private` and `protected` properties are written with PHP's NUL-marked names."""

    class_name: str
    public: dict[str, Any] = field(default_factory=dict)
    protected: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verbatim:
    """Already serialized text, put in as it stands (references, enums, custom-serialized objects)."""

    text: str


def serialize(value: Any) -> str:
    """PHP-serialized text of None, bool, int, float, str, list, dict, PhpObject or Verbatim; s:N counts UTF-8 bytes."""
    if value is None:
        return "N;"
    if isinstance(value, bool):
        return f"b:{int(value)};"
    if isinstance(value, int):
        return f"i:{value};"
    if isinstance(value, float):
        return f"d:{_float(value)};"
    if isinstance(value, str):
        return f's:{len(value.encode())}:"{value}";'
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, PhpObject):
        return _object(value)
    pairs = enumerate(value) if isinstance(value, list | tuple) else value.items()
    body = "".join(serialize(_array_key(key)) + serialize(item) for key, item in pairs)
    return f"a:{len(value)}:{{{body}}}"


def custom_object(class_name: str, payload: str) -> Verbatim:
    """C: notation of classes that implement Serializable."""
    return Verbatim(f'C:{len(class_name)}:"{class_name}":{len(payload.encode())}:{{{payload}}}')


def enum_case(class_name: str, case: str) -> Verbatim:
    name = f"{class_name}:{case}"
    return Verbatim(f'E:{len(name)}:"{name}";')


def json_escaped(value: Any) -> str:
    """json_encode() with its default flags: slashes escaped, everything beyond ASCII as \\uXXXX."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def json_unicode(value: Any) -> str:
    """wp_json_encode() with JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE, as block attributes are written."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _float(value: float) -> str:
    """PHP writes 1.0E-7 and 0.5, and a whole number without a point."""
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent):+d}"


def _array_key(key: Any) -> Any:
    """PHP turns the string keys that look like integers into integers."""
    if isinstance(key, str) and key.isdigit() and (key == "0" or key[0] != "0"):
        return int(key)
    return key


def _object(value: PhpObject) -> str:
    properties = {
        **value.public,
        **{f"\0*\0{name}": item for name, item in value.protected.items()},
        **{f"\0{value.class_name}\0{name}": item for name, item in value.private.items()},
    }
    body = "".join(serialize(name) + serialize(item) for name, item in properties.items())
    return f'O:{len(value.class_name)}:"{value.class_name}":{len(properties)}:{{{body}}}'
