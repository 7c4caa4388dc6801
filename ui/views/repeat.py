"""How to have a result again and keep it: the result as a file, and the lines that repeat it, folded, below it.

Whoever runs the lines gets what the page shows: the same model, inputs as they were checked, and settings.
Files stay with the visitor, so that the lines call them `your-file.wav`.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from data2vec_core.linear_choice import LinearKind
from ui.catalogue import TOOLS, Tool, ToolName
from ui.inputs import Input, PictureInput, SeveralInput, SoundInput
from ui.service import Answer
from ui.words import say

ADDRESS: Final = "http://127.0.0.1:7860"
"""Of the app, until the page's script puts in the one that the visitor came by."""

ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "transcribe": ("audio",),
    "classify_audio": ("audio",),
    "compare_speakers": ("audio_a", "audio_b"),
    "speaker_activity": ("audio",),
    "classify_text": ("text",),
    "tag_tokens": ("text",),
    "answer_question": ("question", "context"),
    "choose": ("prompt", "choices"),
    "fill_mask": ("text", "top_k"),
    "continue_text": ("prompt", "max_new_tokens", "temperature", "seed"),
    "classify_image": ("image", "runtime"),
    "segment_image": ("image", "runtime"),
}
"""Tools with an endpoint -> what it takes, besides the model (`ui/api.py`)."""


@dataclass(frozen=True)
class File:
    """Stands for a file of the visitor's."""

    name: str
    number: int
    """From 1, in the order of the inputs."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Ways to repeat a result; None where there is none."""

    python: str | None
    client: str | None
    http: str | None
    beyond: tuple[str, ...] = ()
    """Inputs that the endpoint does not take as they were given."""


def below(tool: ToolName, answer: Answer) -> str:
    """The result as a file, and how to repeat it; each where it can be had."""
    lines = lines_of(tool, answer.result.model, answer.inputs, answer.linear)
    return _download(tool, answer.result) + _details(lines)


def lines_of(name: ToolName, model: str, inputs: Mapping[str, Any], linear: LinearKind = "plain") -> Lines:
    """The lines that ask the same again.

    Args:
        model: the name of the model that answered.
        inputs: by name, as they were checked; files are not looked at.
        linear: how the model held its weights; what gives the same numbers needs no word.
    """
    tool = TOOLS[name]
    given = {key: value for key, value in _with_files(tool, inputs).items() if (key, value) != ("runtime", "pytorch")}
    if given.get("search") == "best_path":  # for which the settings of the other searches do not count
        given = {key: value for key, value in given.items() if key not in ("beam", "alternatives")}
    write = _PYTHON.get(name) or (_one_call if tool.run is None else None)
    opened = [_python(model), *(['linear="int8"'] if linear == "int8" else [])]
    of_loading = [one.name for one in tool.inputs if one.is_of_loading and one.name in given]
    opened += [f"{one}={_python(given[one])}" for one in of_loading]
    asked = {one: value for one, value in given.items() if one not in of_loading}
    python = write(tool, opened, asked) if write else None
    if name not in ENDPOINTS:
        return Lines(python=python, client=None, http=None)
    taken = {one: _as_taken(given[one], tool, one) for one in ENDPOINTS[name] if one in given}
    beyond = tuple(
        one.name
        for one in tool.inputs
        if one.name in given
        and (given[one.name] != one.default if one.name not in taken else isinstance(taken[one.name], _Beyond))
    )
    if beyond:
        return Lines(python=python, client=None, http=None, beyond=beyond)
    taken["model"] = model
    return Lines(python=python, client=_with_client(name, taken), http=_with_curl(name, taken))


class _Beyond:
    """In the place of a value that an endpoint does not take."""


def _as_taken(value: Any, tool: Tool, name: str) -> Any:
    """As the endpoint takes it: of several files, the only one."""
    kind = next(one for one in tool.inputs if one.name == name)
    if isinstance(kind, SeveralInput) and _file_name(kind.of):
        return value[0] if len(value) == 1 else _Beyond()
    return value


def _with_files(tool: Tool, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in their order, with names of files in the place of what was in them."""
    kinds = [one for one in tool.inputs if one.name in inputs]
    count = sum(_files_in(one, inputs[one.name]) for one in kinds)
    numbers = iter(range(1, count + 1))

    def named(kind: Input, value: Any) -> Any:
        if isinstance(kind, SeveralInput):
            return [named(kind.of, each) for each in value]
        if not (name := _file_name(kind)):
            return list(value) if isinstance(value, tuple) else value
        stem, dot, ending = name.partition(".")
        number = next(numbers)
        return File(f"{stem}-{number}{dot}{ending}" if count > 1 else name, number)

    return {one.name: named(one, inputs[one.name]) for one in kinds}


def _files_in(kind: Input, value: Any) -> int:
    if isinstance(kind, SeveralInput):
        return len(value) if _file_name(kind.of) else 0
    return 1 if _file_name(kind) else 0


def _file_name(kind: Input) -> str:
    """What a file for an input is called here; empty for what is no file."""
    if isinstance(kind, SoundInput):
        return "your-file.wav"
    return "your-picture.jpg" if isinstance(kind, PictureInput) else ""


# Python, with the library

Opened = Sequence[str]
"""The arguments that load a model."""
Writer = Callable[[Tool, Opened, Mapping[str, Any]], str]
"""Given the tool, how its model is loaded, and the inputs by name, with files by theirs."""


def _loaded(tool: Tool, opened: Opened) -> str:
    from data2vec_core.tasks import TASKS  # brings in torch, which the page can open without

    kind = TASKS[tool.task_name].__name__
    return f"from data2vec_core.tasks import {kind}\n\ntask = {_call(f'{kind}.from_pretrained', opened)}\n"


def _one_call(tool: Tool, opened: Opened, given: Mapping[str, Any]) -> str:
    """What `Tool.answers` does without a `run`."""
    things = [_python(given[one.name]) for one in tool.inputs if not one.is_setting and one.name in given]
    settings = [f"{one.name}={_python(given[one.name])}" for one in tool.inputs if one.is_setting and one.name in given]
    return _loaded(tool, opened) + f"print({_call('task', [*things, *settings])}.to_json())"


def _transcribe(tool: Tool, opened: Opened, given: Mapping[str, Any]) -> str:
    search, audio = given.get("search", "best_path"), _python(given["audio"])
    if search == "best_path":
        return _loaded(tool, opened) + f"print(task({audio}).to_json())"
    lexicon = ["lexicon=True"] if search == "lexicon" else []
    made = _call("Transcriber.from_pretrained", [*opened, f"beam={_python(given['beam'])}", *lexicon])
    return (
        f"from data2vec_core.tasks import Transcriber\n\ntask = {made}\n"
        f"print(task({audio}, alternatives={_python(given['alternatives'])}).to_json())"
    )


def _compare_speakers(tool: Tool, opened: Opened, given: Mapping[str, Any]) -> str:
    first, second = given["audio_a"], _python(given["audio_b"])
    if len(first) == 1:
        return _loaded(tool, opened) + f"print(task({_python(first[0])}, {second}).to_json())"
    return (
        _loaded(tool, opened)
        + f"voice = task.embed_voice({_python(first)})\nprint(task.compare(voice, task.embed({second})).to_json())"
    )


def _classify_lines(tool: Tool, opened: Opened, given: Mapping[str, Any]) -> str:
    texts = "".join(f"    {_python(line)},\n" for line in given["lines"])
    return (
        _loaded(tool, opened)
        + f"texts = [\n{texts}]\nfor text, answer in zip(texts, task.batch(texts)):\n    print(text, answer.to_json())"
    )


def _inspect_ctc(tool: Tool, opened: Opened, given: Mapping[str, Any]) -> str:
    heard = f"emissions = task.emissions({_python(given['audio'])})\ntranscript = task.decode(emissions)\n"
    text = _python(given["text"]) if given.get("text") else "transcript.text"
    return (
        _loaded(tool, opened) + heard + f"print(transcript.to_json())\nprint(task.align(emissions, {text}).to_json())"
    )


_PYTHON: Final[Mapping[str, Writer]] = {
    "transcribe": _transcribe,
    "compare_speakers": _compare_speakers,
    "classify_lines": _classify_lines,
    "continue_text": _one_call,  # the whole at once is what the pieces make
    "inspect_ctc": _inspect_ctc,
}
"""Of tools that are not one call of their task."""


def _call(function: str, arguments: Sequence[str]) -> str:
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= _WIDTH or len(arguments) == 1:
        return line
    return f"{function}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


_WIDTH = 80


def _python(value: Any) -> str:
    """A literal, in which nothing is hidden: characters that do not show are written by their numbers."""
    if isinstance(value, File):
        return _python(value.name)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_python, value))}]"
    if not isinstance(value, str):
        return repr(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
        for char in quoted
    )


# Python, over HTTP


def _with_client(name: str, taken: Mapping[str, Any]) -> str:
    has_files = any(isinstance(value, File) for value in taken.values())
    arguments = [
        f"{key}=handle_file({_python(value)})" if isinstance(value, File) else f"{key}={_python(value)}"
        for key, value in taken.items()
    ]
    arguments.append(f'api_name="/{name}"')
    return (
        f"from gradio_client import Client{', handle_file' if has_files else ''}\n\n"
        f"client = Client({_python(ADDRESS)})\n"
        f"print({_call('client.predict', arguments)})"
    )


# curl


def _with_curl(name: str, taken: Mapping[str, Any]) -> str:
    """Files are uploaded, the call is made, its answer is waited for: each a line."""
    files = [value for value in taken.values() if isinstance(value, File)]
    lines = [f"URL={ADDRESS}/gradio_api"]
    for file in files:
        lines.append(f'{_variable(file, files)}=$(curl -s "$URL/upload" -F files=@{file.name} | cut -d \'"\' -f 2)')
    body = shlex.quote(_json(taken))
    for file in files:  # out of the quotes, so that the shell puts in where the upload lies
        body = body.replace(_mark(file), f"'\"${_variable(file, files)}\"'")
    lines += [
        f'ID=$(curl -s "$URL/call/v2/{name}" -H "Content-Type: application/json" \\',
        f"  -d {body} | cut -d '\"' -f 4)",
        f'curl -sN "$URL/call/v2/{name}/$ID"',
    ]
    return "\n".join(lines)


def _variable(file: File, files: Sequence[File]) -> str:
    return f"FILE{file.number}" if len(files) > 1 else "FILE"


def _mark(file: File) -> str:
    """Stands for the place of an upload: of private use, so that no text has it, where such characters are escaped."""
    return chr(0xE000 + file.number)


def _json(value: Any) -> str:
    if isinstance(value, File):
        return f'{{"path": "{_mark(value)}", "meta": {{"_type": "gradio.FileData"}}}}'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)}: {_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_json, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


# HTML


def _download(tool: ToolName, result: Any) -> str:
    if not hasattr(result, "to_json"):
        return ""
    content = json.dumps(result.to_json(), ensure_ascii=False, indent=2) + "\n"
    data = base64.b64encode(content.encode("utf-8", "backslashreplace")).decode()
    return (
        f'<p class="keep"><a download="{tool}.json" href="data:application/json;base64,{data}">'
        f"{escape(say('repeat.json'))}</a></p>"
    )


def _details(lines: Lines) -> str:
    shown = (
        ("repeat.python", lines.python),
        ("repeat.client", lines.client),
        ("repeat.http", lines.http),
    )
    blocks = [_block(say(key), code, has_address=code is not lines.python) for key, code in shown if code]
    if not blocks:
        return ""
    if lines.beyond:
        blocks.append(f'<p class="small">{escape(say("repeat.beyond", names=", ".join(lines.beyond)))}</p>')
    return f'<details class="repeat"><summary>{escape(say("repeat.title"))}</summary>{"".join(blocks)}</details>'


def _block(title: str, code: str, *, has_address: bool) -> str:
    html = escape(code)
    if has_address:  # the first one: another is part of a text
        html = html.replace(escape(ADDRESS), f'<span class="address">{escape(ADDRESS)}</span>', 1)
    return (
        f'<div class="code"><p><span>{escape(title)}</span>'
        f'<button type="button" data-copy data-done="{escape(say("repeat.copied"))}">'
        f'<span aria-live="polite">{escape(say("repeat.copy"))}</span></button></p>'
        f'<pre tabindex="0" role="group" aria-label="{escape(title)}"><code>{html}</code></pre></div>'
    )
