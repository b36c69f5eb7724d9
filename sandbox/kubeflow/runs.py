"""One run: its steps as processes, its states as the API tells them."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.cluster.images import Images, UnknownImageError
from sandbox.kubeflow.pipelines import Step

GRACE_SECONDS = 30
ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


def now() -> str:
    """As protobuf writes a moment."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Run:
    """Attributes: `document`, what the API tells of it.

    Args:
        document: as it was asked for, with ids.
        steps: what it does.
        place: folder of its own.
        images: which environments stand for images.
        secrets: what the namespace's Secrets hold.
    """

    def __init__(
        self,
        document: dict[str, Any],
        *,
        steps: list[Step],
        place: Path,
        images: Images,
        secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.document = {**document, "created_at": now(), "scheduled_at": now(), "state_history": []}
        self._steps, self._place, self._images, self._secrets = steps, place, images, secrets
        self._processes: list[asyncio.subprocess.Process] = []
        self._tasks: dict[str, dict[str, Any]] = {
            step.name: {
                "run_id": document["run_id"],
                "task_id": f"{document['run_id']}-{step.name}",
                "display_name": step.shown,
            }
            for step in steps
        }
        self.document["run_details"] = {"task_details": list(self._tasks.values())}
        self._work = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self.document.get("state") in ENDED

    async def terminate(self) -> None:
        """SIGTERM to what runs, SIGKILL after half a minute."""
        if self.ended or self.document.get("state") == "CANCELING":
            return
        self._state("CANCELING")
        if living := self._living():
            for process in living:
                process.terminate()
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """End its processes now."""
        for process in self._living():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _living(self) -> list[asyncio.subprocess.Process]:
        return [process for process in self._processes if process.returncode is None]

    async def _run(self) -> None:
        """Each step once those before it have succeeded; after a failure what runs goes on, and nothing else begins."""
        self._state("PENDING")
        waiting, running = list(self._steps), set[asyncio.Task[None]]()
        while True:
            if self.document["state"] not in ("CANCELING", "FAILED"):
                done = {name for name, task in self._tasks.items() if task.get("state") == "SUCCEEDED"}
                ready = [step for step in waiting if step.after <= done]
                waiting = [step for step in waiting if step not in ready]
                running |= {asyncio.create_task(self._step(step)) for step in ready}
            if not running:
                break
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for each in ended:
                each.result()  # what went wrong here is no success of the run
        if self.document["state"] == "CANCELING":
            self._state("CANCELED")
        elif not self.ended:
            self._state("SUCCEEDED")
        self.document["finished_at"] = now()

    async def _step(self, step: Step) -> None:
        task = self._tasks[step.name]
        self._state("RUNNING")
        task |= {"state": "RUNNING", "start_time": now()}
        try:
            code = await self._container(step)
        except UnknownImageError as error:
            code, said = 125, str(error)
        except OSError as error:
            code, said = 127, f"{step.command[0][:200]} cannot be run: {error}"
        else:
            said = f"This step is in Failed state with this message: Error (exit code {code})"
        task["end_time"] = now()
        if self.document["state"] == "CANCELING":
            task["state"] = "CANCELED"
            return
        task["state"] = "FAILED" if code else "SUCCEEDED"
        if code:
            task["error"] = {"code": 13, "message": said}
            self._state("FAILED")
            self.document["error"] = {"code": 13, "message": f"task {step.shown} failed"}

    async def _container(self, step: Step) -> int:
        """Run it to its end; its exit code."""
        image = await asyncio.to_thread(self._images.find, step.image)
        mounts = {path: self._mount(name) for path, name in step.secrets.items()}
        words = [str(mounts.get(word, word)) for word in step.command]
        env = {**image.env, **step.env, "PATH": f"{image.path}:/usr/local/bin:/usr/bin:/bin"}
        env |= {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self._place.mkdir(parents=True, exist_ok=True)
        with (self._place / f"{step.name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                shutil.which(words[0], path=env["PATH"]) or words[0],
                *words[1:],
                cwd=image.workdir,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        code = await process.wait()
        return 128 - code if code < 0 else code

    def _mount(self, name: str) -> Path:
        folder = self._place / "secrets" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in self._secrets.get(name, {}).items():
            (folder / key).write_text(value)
        return folder

    def _state(self, state: str) -> None:
        if self.document.get("state") != state:
            self.document["state"] = state
            self.document["state_history"].append({"update_time": now(), "state": state})
