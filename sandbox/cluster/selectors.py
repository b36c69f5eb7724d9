"""Label and field selectors: text of a query parameter, or a `LabelSelector` object, to a predicate."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sandbox.cluster.status import Object, bad_request

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_OPERATORS = {"in": "In", "notin": "NotIn", "=": "In", "==": "In", "!=": "NotIn"}


class Requirement(NamedTuple):
    """One condition on one label, with the operators of `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels satisfy it; an absent key satisfies NotIn and DoesNotExist."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                if value is None or not value.lstrip("-").isdigit():
                    return False
                return int(value) > int(self.values[0]) if self.operator == "Gt" else int(value) < int(self.values[0])
        raise bad_request(f"{self.operator!r} is not a valid label selector operator")


def parse_labels(text: str) -> list[Requirement]:
    """Parse `a=b,c!=d,e in (x,y),f notin (z),g,!h`.

    Raises:
        ApiError: 400, the text is not a selector.
    """
    return [_requirement(part) for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _requirement(part: str) -> Requirement:
    part = part.strip()
    if match := _SET.fullmatch(part):
        values = tuple(value.strip() for value in match[3].split(","))
        return Requirement(match[1], _OPERATORS[match[2]], values)
    if match := _EQUALS.fullmatch(part):
        return Requirement(match[1], _OPERATORS[match[2]], (match[3],))
    if match := _EXISTS.fullmatch(part):
        return Requirement(match[2], "DoesNotExist" if match[1] else "Exists")
    raise bad_request(f"unable to parse requirement: {part!r}")


def requirements(selector: Object | None) -> list[Requirement]:
    """The requirements of a `LabelSelector` (matchLabels and matchExpressions); an empty one matches everything."""
    selector = selector or {}
    labels = [Requirement(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    return labels + expressions(selector.get("matchExpressions"))


def expressions(items: list[Object] | None) -> list[Requirement]:
    """The requirements of a list of `{key, operator, values}`."""
    return [Requirement(item["key"], item["operator"], tuple(item.get("values") or ())) for item in items or ()]


def matches(wanted: Iterable[Requirement], labels: dict[str, str] | None) -> bool:
    """Whether the labels satisfy every requirement."""
    return all(requirement.matches(labels or {}) for requirement in wanted)


def field(item: Object, path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = item
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def parse_fields(text: str, allowed: Iterable[str]) -> list[tuple[str, bool, str]]:
    """Parse `metadata.name=a,status.phase!=Failed` into (path, wanted equal, value).

    Raises:
        ApiError: 400, the text is not a selector, or the resource has no such selectable field.
    """
    terms = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([\w.]+)\s*(==|=|!=)\s*(.*)", part)
        if not match:
            raise bad_request(f"invalid field selector: {part!r}")
        if match[1] not in allowed:
            raise bad_request(f"field label not supported: {match[1]}")
        terms.append((match[1], match[2] != "!=", match[3]))
    return terms


def predicate(labels: str, fields: str, allowed: Iterable[str]) -> Callable[[Object], bool]:
    """The test that an object must pass to appear in a list or a watch."""
    wanted, terms = parse_labels(labels), parse_fields(fields, allowed)

    def test(item: Object) -> bool:
        return matches(wanted, item["metadata"].get("labels")) and all(
            (_text(field(item, path)) == value) == equal for path, equal, value in terms
        )

    return test


def _text(value: Any) -> str:
    """A field as selectors compare it: absent and null are the empty string, booleans are lower case."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
