"""Ask the model that read recordings for the sentences whose place in them is doubtful."""

import pyarrow as pa

from winnow.segmenting.parts import SEGMENT, Part
from winnow.segmenting.placing import PlaceOptions, has_words_to_place, parts_by_recording, placed_words, was_read
from winnow.segmenting.questions import QUESTION, ask, question_row


def ask_questions(parts: pa.Table, recordings: pa.Table, *, options: PlaceOptions) -> pa.Table:
    """Return the questions (QUESTION) about recordings, given their parts with what a model read in them."""
    rows = parts_by_recording(parts)
    asked = [
        question
        for row in recordings.to_pylist()
        if was_read(parts) and has_words_to_place(row, rows[row["id"]])
        for question in ask_for_recording(row, rows[row["id"]], options)
    ]
    return pa.Table.from_pylist(asked, QUESTION)


def ask_for_recording(row: Part, parts: list[Part], options: PlaceOptions) -> list[Part]:
    """Return the questions about one recording, each as a row that a pass takes."""
    read, text = placed_words(row, parts, options)
    segments = [number for number, part in enumerate(parts) if part["part"] == SEGMENT]
    return [question_row(question, read, text, parts[question.part]) for question in ask(read, text, segments)]
