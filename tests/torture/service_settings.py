"""Settings of the service that is tortured: the real ones, with an engine that is watched."""

from asr_project.settings import *  # noqa: F403
from asr_project.settings import DATA_DIR, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.torture.watched.WatchedConfig"]
WATCH_DIR = DATA_DIR / "watch"
WATCH_DIR.mkdir(exist_ok=True)
