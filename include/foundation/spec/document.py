"""One spec's YAML as plain values, read strictly: what is wrong is said with its field, and nothing is guessed.

Numbers are YAML 1.2's (`1e2` is one; PyYAML reads a text). A key stands once. Aliases, merges and tags are refused: a
spec has no use for them, and they make a small file large.
"""

import re
from typing import Any

import yaml

from include.foundation.echo import cause, cut

LARGEST = 256 * 1024  # bytes
DEEPEST = 20  # levels of mappings and lists
FIELD = 200  # characters of its path in a message


class _Loader(yaml.SafeLoader):
    """PyYAML's, with numbers such as `1e2` and `5e-2`."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


def read(text: str) -> Any:
    """The document's value.

    Raises:
        ValueError: it is not YAML, too large or too deep, or a field has no value; the message names the field or the
            line.
    """
    if len(text) > LARGEST:
        raise ValueError(f"a spec has at most {LARGEST // 1024} KiB")
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
                what = "an alias" if isinstance(event, yaml.AliasEvent) else f"more than {DEEPEST} levels"
                raise ValueError(f"{_where(event)}: {what}, which a spec may not have")
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, "")
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {_fault(error)}") from error


def _fault(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {cut(problem)}" if mark and problem else cause(error)


def _where(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"


def _value(loader: _Loader, node: yaml.Node, field: str) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        values: dict[str, Any] = {}
        for name, value in node.value:
            key = _value(loader, name, field)
            inner = f"{field}.{key}".lstrip(".")
            if not isinstance(key, str):
                raise ValueError(f"{cut(inner, FIELD)}: a name must be a text; quote it")  # noqa: TRY004 (a fault of the text)
            if key in values:
                raise ValueError(f"{cut(inner, FIELD)}: stands twice")
            values[key] = _value(loader, value, inner)
        return values
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_value(loader, each, f"{field}.{place}".lstrip(".")) for place, each in enumerate(node.value)]
    try:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_object(node)
        said = "a tag, which a spec may not have"
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        said = f"{node.value[:40]!r} is not a value ({cut(getattr(error, 'problem', None) or cause(error))})"
    raise ValueError(f"{cut(field, FIELD) or 'the document'}: {said}")
