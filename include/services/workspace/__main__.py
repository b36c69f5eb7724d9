"""`python -m include.services.workspace`: start a workspace. The same in an image and on a machine of one's own.

JupyterLab listens, and asks for the token that it finds in JUPYTER_TOKEN; the desktop is behind it, at `/desktop/`, on
a Unix socket: no other port is opened. Idle for so long, it ends itself.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from include.foundation.errors import FlightlineError, InvalidInput
from include.foundation.jobs import PERMANENT

NOTEBOOK = Path(__file__).with_name("silver_to_challenger.ipynb")
CLONE_SECONDS = 120
# Program -> the package of Debian's that has it.
PROGRAMS = {
    "vncserver": "tigervnc-standalone-server",
    "xauth": "xauth",
    "dbus-launch": "dbus-x11",
    "xfce4-session": "xfce4-session",
    "xfwm4": "xfwm4",
    "xfdesktop": "xfdesktop4",
    "xfce4-panel": "xfce4-panel",
    "xfsettingsd": "xfce4-settings",
    "xfce4-terminal": "xfce4-terminal",
    "thunar": "thunar",
    "git": "git",
}


def main(environ: Mapping[str, str] = os.environ) -> NoReturn:
    """Become JupyterLab. One line on stderr and exit code 65 if that cannot be."""
    try:
        require_programs()
        home = prepare_home(environ)
        variables = {**environ, "HOME": str(home)}
        words = command(environ, home)
    except FlightlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(PERMANENT)
    clone(environ, home)
    os.chdir(home)
    os.execve(words[0], words, variables)  # noqa: S606 (no shell is wanted)


def require_programs(which: Callable[[str], str | None] = shutil.which) -> None:
    """Raise InvalidInput, with what installs them, if programs of the desktop are missing."""
    if missing := sorted({package for program, package in PROGRAMS.items() if not which(program)}):
        raise InvalidInput(
            "this machine lacks programs of the desktop: make workspace, or "
            f"apt-get install --no-install-recommends {' '.join(missing)}"
        )


def prepare_home(environ: Mapping[str, str]) -> Path:
    """The home, with the notebook that is opened first; one that is there stays, for it may have been changed.

    Where volumes are not mounted, VOLUME_HOME says where the person's is.
    """
    home = Path(environ.get("VOLUME_HOME") or environ.get("HOME", "/"))
    notebook = home / NOTEBOOK.name
    if not notebook.exists():
        shutil.copyfile(NOTEBOOK, notebook)
    # Else JupyterLab asks whether it may ask its maker for news.
    page = home / ".jupyter/labconfig/page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))
    return home


def clone(environ: Mapping[str, str], home: Path) -> None:
    """Clone the repositories of WORKSPACE_GIT, apart by spaces, that are not in the home yet, and say which fail."""
    for url in environ.get("WORKSPACE_GIT", "").split():
        place = home / url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        if place.exists():
            continue
        words = ["git", "clone", "--quiet", url, str(place)]
        try:
            done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=CLONE_SECONDS)
            fault = done.returncode and (done.stderr.strip()[:300] or f"exit code {done.returncode}")
        except subprocess.TimeoutExpired:
            fault = f"no end after {CLONE_SECONDS} s"
        if fault:
            shutil.rmtree(place, ignore_errors=True)  # a part of it would be taken for all the next time
            print(f"{place.name} is not cloned: {fault}", file=sys.stderr)


def command(environ: Mapping[str, str], home: Path) -> list[str]:
    """The words that start JupyterLab; the token is not among them, for everybody on a machine sees those.

    Raises:
        InvalidInput: there is no token, or one that could be guessed, or the idle time is no number.
    """
    if len(environ.get("JUPYTER_TOKEN", "")) < 32:
        raise InvalidInput("JUPYTER_TOKEN must hold 32 random characters or more: nobody is let in without")
    idle = environ.get("WORKSPACE_IDLE_MINUTES", "60")
    if not idle.isdecimal() or not int(idle):
        raise InvalidInput(f"WORKSPACE_IDLE_MINUTES is {idle[:20]!r}; it must be a number of minutes")
    seconds = int(idle) * 60
    options = {
        "ServerApp.ip": environ.get("HOST", "0.0.0.0"),  # noqa: S104 (a pod's, which its network policy keeps)
        "ServerApp.port": environ.get("PORT", "8888"),
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": home,
        # Only by its own name: another site cannot point a name of its own here.
        "ServerApp.allow_remote_access": False,
        "ServerApp.local_hostnames": f"['localhost', '{environ.get('WORKSPACE_HOST', 'localhost')}']",
        "ServerApp.trust_xheaders": True,  # the Gateway says whether TLS ended there; then cookies are for TLS alone
        "ServerApp.shutdown_no_activity_timeout": seconds,
        "MappingKernelManager.cull_idle_timeout": seconds,
        "MappingKernelManager.cull_connected": True,
        "TerminalManager.cull_inactive_timeout": seconds,
        "LabApp.default_url": f"/lab/tree/{NOTEBOOK.name}",
        "LabApp.extension_manager": "readonly",
    }
    # Jupyter serves no files of a package that is found through a link.
    python = Path(sys.executable).parent.resolve() / "python"
    root = ["--allow-root"] if os.geteuid() == 0 else []  # no pod: a process of the sandbox
    words = [f"--{name}={value}" for name, value in options.items()]
    return [str(python), "-m", "jupyterlab", "--no-browser", *root, *words]


if __name__ == "__main__":
    main()
