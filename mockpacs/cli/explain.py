"""``mockpacs explain``: which rule of a scenario would fire, and why the others would not. Nothing is served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mockpacs.errors import ConfigurationError

NONE_FIRES = 1  # exit status: the command worked, and no rule would fire

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SCENARIO...] [FILE.dcm",
        show_default=False,
        hidden=True,  # typer puts brackets around it
    ),
]


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, show_default=False, help=text)


def explain(
    words: Words = None,
    service: Annotated[
        str | None, _option("--service", "C-FIND", "What is asked. [default with a file: C-STORE]")
    ] = None,
    event: Annotated[str | None, _option("--event", "associate", "What happens, instead of a service.")] = None,
    at: Annotated[
        str | None,
        _option("--at", "MOMENT", "before-response, received=256kB, sub-operation=3/12 or =last/12 [default: request]"),
    ] = None,
    status: Annotated[str | None, _option("--status", "STATUS", "Status of the response, at moments with one.")] = None,
    calling: Annotated[str | None, _option("--calling", "AET", "Calling AE title.")] = None,
    called: Annotated[str | None, _option("--called", "AET", "Called AE title.")] = None,
    destination: Annotated[str | None, _option("--destination", "AET", "Move destination of a C-MOVE.")] = None,
    peer: Annotated[str | None, _option("--peer", "ADDRESS", "Address of the peer.")] = None,
    sop_class: Annotated[
        list[str] | None, _option("--sop-class", "CLASS", "Name, keyword, UID or query model. [default: the file's]")
    ] = None,
    transfer_syntax: Annotated[
        list[str] | None, _option("--transfer-syntax", "SYNTAX", "Name, keyword or UID. [default: the file's]")
    ] = None,
    key: Annotated[
        list[str] | None, _option("--key", "NAME=VALUE", "An attribute: PatientID=P1, StudyDate= for zero length.")
    ] = None,
    state: Annotated[list[str] | None, _option("--state", "NAME=VALUE", "What a named state is, for all keys.")] = None,
) -> None:
    """Explain which rule would fire for a request or an event, and why the others would not.

    Scenarios are .yaml files or names of shipped ones. A DICOM file is what a C-STORE sends, or where other services
    take their attributes from. What is not said is not known, and no condition on it holds. An attribute of an item is
    written ScheduledProcedureStepSequence.Modality=MR. Of a sub-operation those before it are taken to have been like
    it, each with an instance of its own, and are counted.

    Exit status: 0 a rule fires, 1 none does, 2 trouble.

    \b
    Examples:
      mockpacs explain flaky.yaml --service C-STORE --calling CT1
      mockpacs explain worklist.yaml --service C-FIND --calling CT01 --key PatientID=P1 --key StudyDate=
      mockpacs explain disk-full image.dcm
      mockpacs explain doorman.yaml --event associate --calling MR01
      mockpacs explain move-some-fail --service C-MOVE --at sub-operation=3/12 --destination WORKSTATION
    """
    from mockpacs.scenario.engine import Engine
    from mockpacs.scenario.load import load
    from mockpacs.scenario.near import render

    scenarios, file = _sorted(words or [])
    from mockpacs.cli.explain_past import note, relive
    from mockpacs.cli.explain_stimulus import Said, assigned, stimulus_of

    said = Said(service, event, at, status, calling, called, destination, peer, sop_class, transfer_syntax, key)
    engine = Engine(load(scenarios))
    stimulus = stimulus_of(said, file)
    relive(engine, stimulus, dict(assigned(text, "--state") for text in state or ()))
    verdicts = engine.explain(stimulus)
    typer.echo("\n".join([render(verdicts), *note(engine, stimulus)]))
    if not any(verdict.fires for verdict in verdicts):
        raise typer.Exit(NONE_FIRES)


def _sorted(words: list[str]) -> tuple[list[Path], Path | None]:
    """Scenarios and the DICOM file."""
    from mockpacs.scenario.shipped import SUFFIXES, resolve, shipped

    scenarios, files = [], []
    for word in words:
        if word.lower().endswith(SUFFIXES) or word in shipped() or not Path(word).is_file():
            scenarios.append(resolve(word))
        else:
            files.append(Path(word))
    if not scenarios:
        raise ConfigurationError("name a scenario: a .yaml file, or one that `mockpacs scenarios` lists")
    if len(files) > 1:
        raise ConfigurationError(f"one DICOM file at a time: {files[0]} or {files[1]}?")
    return scenarios, files[0] if files else None
