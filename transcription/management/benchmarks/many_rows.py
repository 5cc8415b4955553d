"""A database of many transcriptions, as years of use would leave it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from transcription.models import SearchText, SpeechModel, Transcription
from transcription.services import tokens
from transcription.text.terms import indexed

OWNERS = 50
#: One of them has this share of all recordings.
SHARE_OF_THE_LARGEST_OWNER = 0.3
DAYS = 730
TEXTS = 20_000
BATCH = 5_000
STATUSES = {"completed": 0.945, "failed": 0.04, "cancelled": 0.0145, "processing": 0.0005}
MODELS = {"qwen3-asr-0.6b": 0.7, "qwen3-asr-1.7b": 0.2, "whisper-base": 0.1}
#: Of 50 texts one is that of a long recording: so many sentences.
LONG_SENTENCES = 120


def _listed(words: str) -> list[str]:
    return words.split("|")


_CHINESE_SUBJECTS = _listed("我们|他们|大家|客户|老师|医生|经理|同学|用户|专家")
_CHINESE_TIMES = _listed("今天|昨天|明天|上午|下午|上个月|下星期|刚才|最近|年底")
_CHINESE_VERBS = _listed("讨论|介绍|检查|分析|决定|准备|学习|解释|修改|完成|推迟|取消|批准|记录")
_CHINESE_OBJECTS = _listed(
    "语音识别系统|项目预算|销售计划|病历|合同条款|考试成绩|数据库|服务器部署|会议纪要|"
    "产品设计|市场调查|安全问题|交通情况|天气预报|模型训练|网络延迟|采访录音|课程安排|"
    "财务报表|招聘流程"
)
_CHINESE_ENDINGS = _listed(
    "，请大家注意。|，没有别的意见。|。|，时间比较紧。|，明年再看。|！|，谢谢。"
)
_CHINESE_NAMES = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂鹏辉玲红建文波斌宇浩凯晨雪婷"
    "慧莹海燕峰龙云飞俊林志国庆华春梅兰竹菊松柏岩川江河湖泊山石金银铜铁锡铅"
)
_CHINESE_FAMILIES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
_ENGLISH_SUBJECTS = _listed("we|they|the team|our customers|the board|the doctor|everyone")
_ENGLISH_VERBS = _listed("discussed|postponed|reviewed|approved|explained|measured|sold")
_ENGLISH_OBJECTS = _listed(
    "the budget|the quarterly report|speech recognition|the new building|"
    "patient records|the training data|a contract|network latency|the interview|"
    "road safety|the annual meeting"
)
_ENGLISH_ENDINGS = _listed(
    "with the minister.|last week.|and that was it.|as you know.|in the afternoon.|"
    "but nobody agreed.|for the third time."
)
_SYLLABLES = _listed(
    "ba|co|den|fir|gal|hum|ist|jor|kel|lam|mo|nar|ol|pen|qui|ros|sten|tur|ul|vin|wes|yor"
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one recording says."""

    language: str
    title: str
    file_name: str
    text: str
    #: Title, file name and text as the search keeps them.
    words: str


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Whom the pages are asked for as, and what to ask for."""

    user_token: str
    staff_token: str
    session_key: str
    newest: str
    #: A word of 50 texts or so, one in Chinese and one in English.
    rare_words: tuple[str, str]


def fill(rows: int) -> Filled:
    """Make the tables in an empty database and fill them; minutes for a million rows."""
    call_command("migrate", verbosity=0)
    chance = random.Random(rows)
    largest = User.objects.create_user("owner0")
    owners = [
        largest,
        *(User.objects.create_user(f"owner{number}") for number in range(1, OWNERS)),
    ]
    staff = User.objects.create_superuser("staff")
    models = {name: SpeechModel.objects.create(name=name, engine="fake") for name in MODELS}
    pool = [_recorded(chance) for _ in range(min(TEXTS, rows))]
    rows_of = _rows(chance, rows, owners, models, pool)
    with _indexes_made_afterwards():
        for batch in rows_of:
            _store(Transcription, [row for row, _ in batch])
            _store(SearchText, [words for _, words in batch])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Filled(
        user_token=tokens.create(largest, name="benchmark")[1],
        staff_token=tokens.create(staff, name="benchmark")[1],
        session_key=_session(staff),
        newest=str(Transcription.objects.order_by("-created_at").values_list("pk", flat=True)[0]),
        rare_words=(
            next(one.text[:3] for one in pool if one.language == "zh"),
            next(one.text.split()[0] for one in pool if one.language == "en"),
        ),
    )


def _recorded(chance: random.Random) -> Recorded:
    language = chance.choices(["zh", "en", "yue", "fr"], [60, 35, 4, 1])[0]
    sentence = _chinese if language in {"zh", "yue"} else _english
    sentences = chance.randint(2, 5) if chance.random() > 0.02 else LONG_SENTENCES
    # A name that few others have; then what everybody says.
    name = _chinese_name(chance) if sentence is _chinese else _english_name(chance)
    joint = "" if sentence is _chinese else " "
    text = joint.join([name, *(sentence(chance) for _ in range(sentences))])
    title = text[:12] if chance.random() < 0.3 else ""
    file_name = chance.choice(["录音", "meeting", "call", "interview", "会议"])
    return Recorded(
        language=language,
        title=title,
        file_name=f"{file_name}.wav",
        text=text,
        words=indexed(title, f"{file_name}.wav", text),
    )


def _chinese_name(chance: random.Random) -> str:
    return chance.choice(_CHINESE_FAMILIES) + "".join(chance.choices(_CHINESE_NAMES, k=2))


def _english_name(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=3)).capitalize()


def _chinese(chance: random.Random) -> str:
    parts = (_CHINESE_TIMES, _CHINESE_SUBJECTS, _CHINESE_VERBS, _CHINESE_OBJECTS, _CHINESE_ENDINGS)
    return "".join(chance.choice(part) for part in parts)


def _english(chance: random.Random) -> str:
    parts = (_ENGLISH_SUBJECTS, _ENGLISH_VERBS, _ENGLISH_OBJECTS, _ENGLISH_ENDINGS)
    return " ".join(chance.choice(part) for part in parts)


def _rows(
    chance: random.Random,
    rows: int,
    owners: Sequence[User],
    models: dict[str, SpeechModel],
    pool: Sequence[Recorded],
) -> Iterator[list[tuple[list[Any], list[Any]]]]:
    """Yield batches of the values of a Transcription and its SearchText, the oldest first."""
    end = timezone.now()
    pause = timedelta(days=DAYS) / rows
    plain = _values(Transcription(step="over", state="done", not_before=end))
    place = {field.attname: index for index, field in enumerate(_fields(Transcription))}
    batch: list[tuple[list[Any], list[Any]]] = []
    shares = [SHARE_OF_THE_LARGEST_OWNER] + [(1 - SHARE_OF_THE_LARGEST_OWNER) / (OWNERS - 1)] * (
        OWNERS - 1
    )
    for number in range(rows):
        said = pool[number] if number < len(pool) else chance.choice(pool)
        [owner] = chance.choices(owners, shares)
        [status] = chance.choices(list(STATUSES), STATUSES.values())  # type: ignore[arg-type]
        [model] = chance.choices(list(MODELS), MODELS.values())  # type: ignore[arg-type]
        created = end - pause * (rows - number)
        pk = uuid.UUID(int=chance.getrandbits(128), version=4)
        seconds = len(said.text) / 5
        changes = {
            "id": pk,
            "owner_id": owner.pk,
            "title": said.title,
            # Every file has a name of its own.
            "file_name": f"rec{number} {said.file_name}",
            "status": status,
            "duration_seconds": seconds,
            "speech_seconds": seconds,
            "processed_seconds": seconds,
            "created_at": created,
            "completed_at": created,
            "model_id": models[model].pk,
            "model_name": model,
            "language": said.language,
            "text": said.text,
        }
        values = plain.copy()
        for name, value in changes.items():
            values[place[name]] = _stored(Transcription, name, value)
        words = f"@{owner.pk} rec{number} {said.words}"
        pk_value = values[place["id"]]
        batch.append((values, [_number(created), pk_value, words]))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


_last_number = 0


def _number(created: datetime) -> int:
    global _last_number
    _last_number = max(_last_number + 1, int(created.timestamp() * 1000))
    return _last_number


def _fields(model: type[Any]) -> list[Any]:
    return list(model._meta.concrete_fields)


def _values(row: Any) -> list[Any]:
    return [
        _stored(type(row), field.attname, getattr(row, field.attname)) for field in _fields(row)
    ]


def _stored(model: type[Any], name: str, value: Any) -> Any:
    """Return a value as the database takes it; datetimes and UUIDs faster than a field does."""
    if isinstance(value, datetime | uuid.UUID):
        if connection.vendor == "sqlite":
            return value.hex if isinstance(value, uuid.UUID) else str(value.replace(tzinfo=None))
        return value
    if isinstance(value, list):
        return "[]"
    return None if value is None else value if isinstance(value, int | float) else str(value)


def _store(model: type[Any], rows: Sequence[Sequence[Any]]) -> None:
    columns = ", ".join(f'"{field.column}"' for field in _fields(model))
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(_fields(model)))
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


@contextmanager
def _indexes_made_afterwards() -> Iterator[None]:
    """Take indexes and triggers away while rows come, and make them again from all rows."""
    tables = (Transcription._meta.db_table, SearchText._meta.db_table)
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if is_sqlite:
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA cache_size = -400000")
            cursor.execute(
                "SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN (%s, %s)"
                " AND type IN ('index', 'trigger') AND sql IS NOT NULL",
                tables,
            )
        else:
            cursor.execute("SET maintenance_work_mem = '512MB'")
            cursor.execute(
                "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE tablename IN (%s, %s)"
                " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)",
                tables,
            )
        made = cursor.fetchall()
        for kind, name, _ in made:
            cursor.execute(f'DROP {kind} "{name}"')
        if is_sqlite:
            cursor.execute("BEGIN")
        yield
        if is_sqlite:
            cursor.execute("COMMIT")
        for _, _, statement in made:
            cursor.execute(statement.replace("%", "%%"))
        if is_sqlite:
            search = "INSERT INTO transcription_search(transcription_search, rank) VALUES"
            cursor.execute(f"{search} ('hashsize', 67108864)")
            cursor.execute(
                "INSERT INTO transcription_search(transcription_search) VALUES ('rebuild')"
            )
            cursor.execute(f"{search} ('hashsize', 1048576)")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("PRAGMA cache_size = -2000")


def _session(user: User) -> str:
    """Log a person in and return the key of the session."""
    from django.contrib.auth import login

    request = RequestFactory().get("/")
    request.session = SessionStore()
    login(request, user)
    request.session.save()
    return str(request.session.session_key)
