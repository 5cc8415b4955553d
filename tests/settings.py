"""Settings of the tests: a data directory of their own, and otherwise the real ones.

``ASR_TEST_DATABASE_URL`` runs the suite on another database than SQLite.
"""

import atexit
import os
import shutil
import tempfile

_data_dir = tempfile.mkdtemp(prefix="asr-test-")
_maker = os.getpid()


def _remove() -> None:
    if os.getpid() == _maker:  # not when a forked child ends
        shutil.rmtree(_data_dir, ignore_errors=True)


atexit.register(_remove)
for name in [name for name in os.environ if name.startswith("ASR_") and "TEST" not in name]:
    del os.environ[name]
os.environ["ASR_DATA_DIR"] = _data_dir
os.environ["ASR_ENV_FILE"] = ""
os.environ["ASR_DATABASE_URL"] = os.environ.get("ASR_TEST_DATABASE_URL", "")

from asr_project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
