"""Models of OpenAI-style endpoints: `openai:`, the model's name there, `@` and the base URL."""

import hashlib
import json
from contextlib import closing

from winnow.digests import PIN_PREFIX
from winnow.engines.endpoint.address import PREFIX, Endpoint, find_endpoint
from winnow.engines.endpoint.database import IN_MEMORY
from winnow.engines.engine import Checkpoint, Engine, Extra, LanguagePrompt, Recogniser
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions
from winnow.pins import cut_pin, split_pin, without_pin

TOLD = ("id", "owned_by", "root", "parent", "max_model_len")
"""What servers say of a model that stays the same while they run it."""

ASK_SECONDS = 15.0

NOT_SUPPORTED = (
    "decoder", "cuda_graphs", "local_attention", "target_language", "punctuation", "batch_seconds", "batch_size",
    "doubtful_words",
)  # fmt: skip
"""Options of `engine` that concern models which are run here."""


class EndpointEngine(Engine):
    """Servers such as vLLM and NVIDIA NIM, and services that have the same interface."""

    name = "endpoint"
    model_names = "openai:MODEL@https://HOST/v1 for an OpenAI-style endpoint"
    families = ("endpoint",)
    elsewhere = True

    def claims(self, model_name: str) -> bool:
        return model_name.startswith(PREFIX)

    def check_name(self, model_name: str) -> None:
        find_endpoint(split_pin(model_name)[0])

    def resolve(self, model_name: str) -> Checkpoint:
        """Ask the endpoint for its models; nothing is downloaded."""
        name, pin = split_pin(model_name)
        endpoint = find_endpoint(name)
        sha256 = digest_of(endpoint)
        if pin and pin != sha256:
            raise CheckpointError(
                f"{endpoint.name}: the endpoint says something else of this model now: expected sha256 {pin}, "
                f"got {sha256}"
            )
        return Checkpoint(name=endpoint.name, path=IN_MEMORY, family="endpoint", sha256=sha256, pinned=bool(pin))

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.endpoint.model import EndpointRecogniser

        return EndpointRecogniser(checkpoint, options)

    def versions(self) -> dict[str, str]:
        return {}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        refused = [name for name in NOT_SUPPORTED if getattr(options, name) not in (None, False)]
        refused += ["precision"] if options.precision != "auto" else []
        return dict.fromkeys(refused, "requires a model that is run here")

    def needs_pin(self, model_name: str) -> bool:
        """Tell whether there is no pin: others decide what the endpoint runs."""
        return not cut_pin(model_name)[1]

    def current_pin(self, model_name: str) -> str | None:
        endpoint = find_endpoint(without_pin(model_name))
        return f"{endpoint.name}{PIN_PREFIX}{digest_of(endpoint)}"

    def language_prompt(self, family: str) -> LanguagePrompt:
        return "optional"

    def cannot_give(self, family: str) -> dict[Extra, str]:
        return {
            "evidence": "an endpoint does not say how likely a given text is",
            "confidence": "null unless the server answers in verbose_json, with avg_logprob",
            "word times": "null unless the server answers in verbose_json, with words",
            "spoken language": "null unless the server answers in verbose_json",
            "no speech": "null unless the server answers in verbose_json, with no_speech_prob",
            "long audio": "as the server reads it",
        }


def digest_of(endpoint: Endpoint) -> str:
    """Return the sha256 of URL, model and what the endpoint says of it. Raises CheckpointError, EndpointUnavailable."""
    from winnow.engines.endpoint.asking import Line

    with closing(Line(endpoint, ASK_SECONDS)) as line:
        description = line.description()
    told = {name: description[name] for name in TOLD if name in description}
    return hashlib.sha256(json.dumps([endpoint.url, endpoint.model, told], sort_keys=True).encode()).hexdigest()
