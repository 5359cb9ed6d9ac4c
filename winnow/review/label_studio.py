"""Reviews in Label Studio: tasks in its JSON format, with the audio beside them, and verdicts from its export.

The format is that of https://labelstud.io/guide/tasks and https://labelstud.io/guide/export. The project's labeling
interface is LABELING.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import xxhash
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from winnow.audio.measurements import BadAudio
from winnow.errors import InputError
from winnow.review.session import Session
from winnow.runs.storage import put
from winnow.verdicts.keys import row_key
from winnow.verdicts.verdict import Verdict

LABELING = """<View>
  <Audio name="audio" value="$audio"/>
  <Text name="reference" value="$text"/>
  <Choices name="verdict" toName="audio" choice="single-radio">
    <Choice value="keep"/>
    <Choice value="drop"/>
  </Choices>
  <TextArea name="transcription" toName="audio" editable="true" maxSubmissions="1"/>
</View>
"""

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT."""


class Result(BaseModel):
    """A part of an annotation: what was chosen, or what was written."""

    from_name: str = ""  # empty in a relation between others
    value: dict[str, Any] = {}


class Annotation(BaseModel):
    """What one person said about a task."""

    id: int | str
    completed_by: dict[str, Any] | int | str | None = None
    result: list[Result] = []
    was_cancelled: bool = False
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None

    @property
    def reviewer(self) -> str:
        by = self.completed_by
        name = (by.get("email") or by.get("id")) if isinstance(by, dict) else by
        return name if isinstance(name, str) and name else f"label-studio {name or ''}".strip()

    def given(self, name: Literal["choices", "text"], of: str) -> str | None:
        """Return the first choice, or the first text, of the control of this name."""
        values = [result.value.get(name) for result in self.result if result.from_name == of]
        given = (value[0] if isinstance(value, list) and value else value for value in values)
        return next((str(value) for value in given if value), None)


class Data(BaseModel):
    """What a task was made from."""

    line: int
    row: str
    text: str = ""


class Task(BaseModel):
    """A task as Label Studio exports it."""

    data: Data
    annotations: list[Annotation] = []


def write_tasks(session: Session, file: Path, most: int) -> int:
    """Write the first rows of the queue that no one has decided as tasks; return how many.

    Their audio is written to the folder FILE.audio. Rows whose audio cannot be read are left out.
    """
    folder = file.with_name(f"{file.name}.audio")
    folder.mkdir(parents=True, exist_ok=True)
    tasks = []
    for line in open_lines(session, most):
        row = session.row(line)[1]
        try:
            shutil.copyfile(session.clips.wav(row), folder / f"{line}.wav")
        except BadAudio:
            continue
        tasks.append(task_of(row, f"{LOCAL_FILES}{quote(f'{folder.name}/{line}.wav')}"))
    put(file, json.dumps(tasks, ensure_ascii=False, indent=1).encode())
    put(file.with_name(f"{file.name}.xml"), LABELING.encode())
    return len(tasks)


def open_lines(session: Session, most: int) -> Iterator[int]:
    """Yield the lines of the first rows of the queue that no one has decided."""
    said = session.standing()
    count = 0
    for index in session.index.queue.order.tolist():
        if count == most:
            return
        stands = said.get(index)
        if session.index.rows["decision"][index].as_py() != "quarantine" and not (stands and stands.decided):
            count += 1
            yield session.index.rows["id"][index].as_py()


def task_of(row: dict[str, Any], audio: str) -> dict[str, Any]:
    """Return the task of a row; its proposal, or else its reference, is the text to begin with."""
    data = {name: row[name] for name in ("text", "proposal", "decision", "reason", "doubt", "wer", "duration")}
    control = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
    begin = [] if not (text := row["proposal"] or row["text"]) else [control | {"value": {"text": [text]}}]
    return {
        "data": {"audio": audio, "line": row["id"], "row": row_key(row)} | data | {"text": row["text"] or ""},
        "predictions": [{"model_version": "winnow", "result": begin}],
    }


def read_annotations(session: Session, file: Path) -> int:
    """Write what people said in Label Studio as verdicts on the run; return how many were new.

    An annotation that is read twice counts once. Raises InputError for a file that is no export, or one of another run.
    """
    try:
        tasks = TypeAdapter(list[Task]).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise InputError(f"{file}: not an export of Label Studio in the form JSON: {said}") from error
    verdicts = [verdict for task in tasks for verdict in verdicts_of(session, task)]
    return session.record(verdicts)


def verdicts_of(session: Session, task: Task) -> Iterator[Verdict]:
    """Yield the verdicts of a task's annotations; raises InputError for what no verdict can have."""
    row = session.row(task.data.line)[1]
    if row_key(row) != task.data.row:
        raise InputError(f"line {task.data.line}: not the row that its task was made from: import it into its own run")
    for annotation in task.annotations:
        if not annotation.was_cancelled and (said := said_by(annotation, row["text"] or "")):
            identity = f"{task.data.row} {annotation.id} {annotation.updated_at or annotation.created_at}"
            values = {"id": xxhash.xxh3_128_hexdigest(identity.encode()), "row": task.data.row, "line": task.data.line}
            at = annotation.updated_at or annotation.created_at
            try:
                yield Verdict.model_validate(values | said | {"reviewer": annotation.reviewer, "at": at})
            except ValidationError as error:
                ((name, *_), problem) = error.errors()[0]["loc"], error.errors()[0]["msg"]
                raise InputError(f"line {task.data.line}: annotation {annotation.id}: {name}: {problem}") from error


def said_by(annotation: Annotation, reference: str) -> dict[str, str] | None:
    """Return the kind and the text of a verdict: another text is an edit, unless the row is dropped."""
    choice, text = annotation.given("choices", "verdict"), (annotation.given("text", "transcription") or "").strip()
    if choice == "drop":
        return {"kind": "drop"}
    if text and text != reference.strip():
        return {"kind": "edit", "text": text}
    return {"kind": "keep"} if choice == "keep" or text else None
