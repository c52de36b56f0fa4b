"""Asking the archive in tests: identifiers from keywords, an index filled from rows, answers read by pydicom."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import pydicom
from pydicom.filewriter import write_dataset

from mockpacs.archive import query
from mockpacs.archive.database import Index
from mockpacs.archive.index import INDEXED, Level, name_key
from mockpacs.archive.model import Model
from mockpacs.archive.query import QueryOptions
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Encoding, deflate
from mockpacs.wire.dictionary import tag_of

CT = "1.2.840.10008.5.1.4.1.1.2"
PLAIN = QueryOptions(retrieve_aet="MOCKPACS")
TABLES = {Level.PATIENT: "patient", Level.STUDY: "study", Level.SERIES: "series", Level.IMAGE: "instance"}


def identifier(
    level: str | None, keys: Mapping[str, Any] = {}, encoding: Encoding = EXPLICIT_LITTLE, **more: Any
) -> bytes:
    """An identifier written by pydicom. Sequence values are lists of dictionaries."""
    dataset = dataset_of({**keys, **more} | ({} if level is None else {"QueryRetrieveLevel": level}))
    return written(dataset, encoding)


def dataset_of(keys: Mapping[str, Any]) -> pydicom.Dataset:
    """Keys are not values: pydicom would complain about wild cards and ranges."""
    dataset = pydicom.Dataset()
    with pydicom.config.disable_value_validation():
        for keyword, value in keys.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                value = [dataset_of(item) for item in value]
            setattr(dataset, keyword, value)
    return dataset


def written(dataset: pydicom.Dataset, encoding: Encoding) -> bytes:
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = encoding.little_endian, encoding.implicit
    with pydicom.config.disable_value_validation():
        write_dataset(buffer, dataset, parent_encoding=pydicom.charset.default_encoding)
    return deflate(buffer.getvalue()) if encoding.deflated else buffer.getvalue()


def read(data: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> pydicom.Dataset:
    """An answer as pydicom, the independent judge, reads it: strictly ascending, nothing left over."""
    if encoding.deflated:
        import zlib

        data = zlib.decompress(data, -zlib.MAX_WBITS)
    stream = io.BytesIO(data)
    dataset = pydicom.filereader.read_dataset(stream, encoding.implicit, encoding.little_endian)
    assert stream.read() == b""
    tags = [element.tag for element in dataset]
    assert tags == sorted(tags)
    return dataset


class Memory:
    """Files of a test: what they hold, by path."""

    def __init__(self, files: Mapping[str, tuple[bytes, Encoding]] = {}) -> None:
        self.files = dict(files)
        self.opened = 0

    def read_header(self, path: str, limit: int) -> tuple[bytes, Encoding]:
        self.opened += 1
        if path not in self.files:
            raise FileNotFoundError(path)
        data, encoding = self.files[path]
        return data[:limit], encoding


class Filled:
    """An index in memory, filled row by row; a row names attributes of its level and of all above by keyword.

    ``dataset``: what the stored file holds besides.
    """

    def __init__(self) -> None:
        self.index = Index.open(None)
        self.files = Memory()
        self._known: dict[tuple[str, str], int] = {}

    def add(
        self, keys: Mapping[str, str | None] = {}, dataset: pydicom.Dataset | None = None, **more: str | None
    ) -> None:
        values = {tag_of(keyword): value for keyword, value in {**keys, **more}.items()}
        number = str(len(self.files.files) + 1)
        values.setdefault(0x00080018, f"1.9.{number}")
        values.setdefault(0x00080016, CT)
        unique = {
            Level.PATIENT: str(values.get(0x00100020)),
            Level.STUDY: str(values.setdefault(0x0020000D, f"1.2.{number}")),
            Level.SERIES: str(values.setdefault(0x0020000E, f"1.3.{number}")),
            Level.IMAGE: str(values[0x00080018]),
        }
        parent: int | None = None
        for level in Level:
            place = (level, unique[level])
            if place not in self._known:
                self._known[place] = self._insert(level, unique[level], values, parent, number)
            parent = self._known[place]
        encoded = written(dataset, EXPLICIT_LITTLE) if dataset is not None else b""
        self.files.files[f"file{number}"] = (encoded, EXPLICIT_LITTLE)

    def ask(self, level: str, keys: Mapping[str, Any] = {}, **more: Any) -> list[pydicom.Dataset]:
        return [read(match.dataset) for match in self.matches(level, {**keys, **more})]

    def values(self, level: str, keyword: str, keys: Mapping[str, Any] = {}, **more: Any) -> list[str]:
        """What the answers say for one keyword, which is asked for if it is no key anyway."""
        options = {name: more.pop(name) for name in ("options", "model") if name in more}
        asked = {keyword: "", **keys, **more}
        return [str(read(match.dataset)[keyword].value) for match in self.matches(level, asked, **options)]

    def matches(
        self,
        level: str | None,
        keys: Mapping[str, Any],
        *,
        model: Model = Model.STUDY_ROOT,
        options: QueryOptions = PLAIN,
        encoding: Encoding = EXPLICIT_LITTLE,
    ) -> list[query.Match]:
        asked = identifier(level, keys, encoding)
        return list(query.find(self.index, self.files, asked, encoding, model, options))

    def _insert(
        self, level: Level, unique: str, values: Mapping[int | None, str | None], parent: int | None, number: str
    ) -> int:
        columns: dict[str, Any] = {at.column: values.get(at.tag) for at in INDEXED if at.level is level}
        columns["character_set"] = values.get(0x00080005)
        if level is Level.PATIENT:
            columns |= {"key": unique, "name_key": name_key(values.get(0x00100010) or "")}
        elif level is Level.STUDY:
            columns |= {"patient": parent, "key": unique, "referring_key": name_key(values.get(0x00080090) or "")}
        elif level is Level.SERIES:
            columns |= {"study": parent, "key": unique}
        else:
            columns |= {
                "series": parent, "transfer_syntax_uid": "1.2.840.10008.1.2.1", "path": f"file{number}",
                "size": 1, "data_offset": 0, "source_aet": "TEST", "stored_at": 0.0,
            }  # fmt: skip
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" * len(columns))
        with self.index.transaction() as connection:
            cursor = connection.execute(
                f"INSERT INTO {TABLES[level]} ({names}) VALUES ({marks})", tuple(columns.values())
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid


def filled(rows: Iterable[Mapping[str, str | None]]) -> Filled:
    archive = Filled()
    for row in rows:
        archive.add(row)
    return archive
