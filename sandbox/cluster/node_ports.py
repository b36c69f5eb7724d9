"""Node ports: every port of every Service owns a number of the range, also across deletion and re-creation."""

from sandbox.cluster.status import ApiError, Object, invalid
from sandbox.cluster.store import Store

_HIDDEN = "nodeports"  # kept in the store, not served by the API


class NodePorts:
    """The allocator. A number is given to another Service only when the range is exhausted."""

    def __init__(self, store: Store, low: int, high: int) -> None:
        self._store = store
        self._range = range(low, high + 1)

    def assign(self, service: Object, *, dry_run: bool = False) -> None:
        """Set `nodePort` in place, or remove it where the type has none (the number stays reserved).

        Raises:
            ApiError: 422, an asked for number is out of range or taken, or none is left.
        """
        spec = service["spec"]
        listens = spec["type"] != "ClusterIP"
        for index, port in enumerate(spec.get("ports") or ()):
            key = f"{service['metadata']['name']}.{port.get('name') or port['port']}"
            number = self._number(service, key, index, port.get("nodePort") if listens else None)
            if not dry_run:
                self._reserve(service["metadata"]["namespace"], key, number)
            if listens:
                port["nodePort"] = number
            else:
                port.pop("nodePort", None)

    def _number(self, service: Object, key: str, index: int, asked: int | None) -> int:
        namespace = service["metadata"]["namespace"]
        taken = {entry["port"]: entry for entry in self._store.list(_HIDDEN)}
        own = self._store.find(_HIDDEN, namespace, key)
        if asked is not None:
            holder = taken.get(asked)
            if asked not in self._range:
                valid = f"{self._range[0]}-{self._range[-1]}"
                why = f"provided port is not in the valid range. The range of valid ports is {valid}"
            elif holder and holder is not own and self._alive(holder):
                why = "provided port is already allocated"
            else:
                return asked
            raise _refused(service, index, f"Invalid value: {asked}: {why}")
        if own is not None and own["port"] in self._range:
            return int(own["port"])
        for number in self._range:
            if number not in taken:
                return number
        for number, holder in taken.items():
            if number in self._range and not self._alive(holder):
                return int(number)
        raise _refused(service, index, f"Internal error: all ports of {self._range[0]}-{self._range[-1]} are taken")

    def _alive(self, holder: Object) -> bool:
        service = holder["metadata"]["name"].partition(".")[0]
        return self._store.find("services", holder["metadata"]["namespace"], service) is not None

    def _reserve(self, namespace: str, key: str, number: int) -> None:
        for entry in self._store.list(_HIDDEN):
            owner = (entry["metadata"]["namespace"], entry["metadata"]["name"])
            if (owner == (namespace, key)) == (entry["port"] == number):
                continue
            self._store.remove(_HIDDEN, *owner)  # this Service's old number, or this number's old Service
        if self._store.find(_HIDDEN, namespace, key) is None:
            self._store.add(_HIDDEN, {"metadata": {"namespace": namespace, "name": key}, "port": number})


def _refused(service: Object, index: int, why: str) -> ApiError:
    return invalid("Service", service["metadata"]["name"], [(f"spec.ports[{index}].nodePort", why)])
