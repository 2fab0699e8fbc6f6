"""A stage's answer where it comes as a line of its log, and an attempt's end as the text that a launcher keeps."""

from __future__ import annotations

import json

from pydantic import ValidationError

from flows.launch.contract import Cause, Ending, JobState
from tasks.spec import StageResult

RESULT_START = '{"stage":'


def result_line(line: str) -> StageResult | None:
    """The result that `python -m tasks.<name>` prints where no file is named for it; None for any other line."""
    if not line.startswith(RESULT_START):
        return None
    try:
        return StageResult.model_validate_json(line)
    except ValidationError:
        return None


def ending_text(ending: Ending) -> str:
    """An ending as JSON."""
    told = {
        "state": ending.state,
        "seconds": round(ending.seconds, 3),
        "cause": ending.cause,
        "diagnosis": ending.diagnosis,
        "exit_code": ending.exit_code,
        "result": ending.result.model_dump(mode="json") if ending.result else None,
    }
    return json.dumps(told)


def ending_of(text: str) -> Ending:
    """The ending that `ending_text` wrote."""
    told = json.loads(text)
    return Ending(
        JobState(told["state"]),
        float(told["seconds"]),
        Cause(told["cause"]) if told["cause"] else None,
        told["diagnosis"],
        told["exit_code"],
        StageResult.model_validate(told["result"]) if told["result"] else None,
    )
