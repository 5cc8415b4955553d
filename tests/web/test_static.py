"""Static files: the admin and the API pages work without the internet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.contrib.staticfiles import finders

from tests.served import Served

BASE_DIR = Path(__file__).resolve().parents[2]
NOT_FOR_THE_WEB = ("torch", "transformers", "ctranslate2", "onnxruntime", "av", "numpy", "opencc")


def test_static_files_are_served_by_the_web_process_itself(serve: Callable[..., Served]) -> None:
    served = serve()
    path = "/static/admin/css/base.css"
    content = Path(str(finders.find("admin/css/base.css"))).read_bytes()

    whole = served.request("GET", path)
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["content-type"].startswith("text/css")
    head = served.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    again = served.request("GET", path, headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    part = served.request("GET", path, headers={"Range": "bytes=5-9"})
    assert (part.status, part.body) == (206, content[5:10])
    assert served.request("POST", path).status == 405
    for wrong in ("/static/nothing.css", "/static/../asr_project/settings.py", "/static/"):
        assert served.request("GET", wrong).status == 404
    assert "Warning" not in served.log


def test_a_web_process_loads_nothing_that_engines_need_even_after_its_first_requests() -> None:
    script = (
        "import os, sys\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import asr_project.asgi\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from django.contrib.auth.models import User\n"
        "from django.core.files.uploadedfile import SimpleUploadedFile\n"
        "from django.test import Client\n"
        "from transcription.services import tokens\n"
        "_, token = tokens.create(User.objects.create_user('ann'), name='x')\n"
        "client = Client(headers={'Authorization': f'Token {token}', 'Host': 'localhost'})\n"
        "answer = client.post('/api/v1/transcriptions/', {'file': SimpleUploadedFile('a', b'x')})\n"
        "assert answer.status_code == 202, answer.content\n"
        "assert client.get(answer.json()['url']).status_code == 200\n"
        "assert client.get('/admin/login/').status_code == 200\n"
        f"print(sorted(set({NOT_FOR_THE_WEB!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
