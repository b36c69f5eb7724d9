import asyncio
import io
import json
from collections.abc import Callable

from include.services.serving import lines
from include.services.serving.service import Service, predict_route

RECORD = {"at": "2024-05-01T14:00:00+02:00", "shop": "north", "size": "L", "weight": 1.5}


def test_a_line_is_what_rest_answers_in_the_records_order(make_service: Callable[..., Service]) -> None:
    async def main() -> None:
        service = make_service()
        asked = [json.dumps(RECORD | {"weight": weight}).encode() for weight in range(600)]
        out = io.BytesIO()
        assert await lines.answer(service, [*asked, b"\n"], out) == 0
        said = out.getvalue().splitlines()
        assert len(said) == 600
        for place in (0, 1, 299, 599):
            assert said[place] == (await service.answer(predict_route("shops"), asked[place])).body

    asyncio.run(main())


def test_a_record_that_cannot_be_answered_keeps_its_line(make_service: Callable[..., Service]) -> None:
    async def main() -> None:
        out = io.BytesIO()
        asked = [json.dumps(RECORD).encode(), b'{"shop": 1}', b"no JSON", json.dumps(RECORD).encode()]
        assert await lines.answer(make_service(), asked, out) == 2
        first, second, third, last = (json.loads(line) for line in out.getvalue().splitlines())
        assert first == last
        assert "probability" in first
        assert second["fields"]
        assert "not JSON" in third["error"]

    asyncio.run(main())
