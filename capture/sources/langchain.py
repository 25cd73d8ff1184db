"""`CaptureCallbackHandler`: what LangChain's models and tools are called with, as `model.called` and `tool.called`.

Needs the extra `copydesk[langchain]`. The handler goes where LangChain takes callbacks:
`chain.invoke(…, config={"callbacks": [handler]})`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from typing_extensions import override

from capture.events import registry
from capture.events.event import Event
from capture.identifiers import new_id_text
from capture.sources.calls import Calls, Failure, failure, needs, undisturbed
from capture.sources.recent import Recent
from capture.sources.structlog import CaptureProcessor

try:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
    from langchain_core.outputs import ChatGeneration, Generation, LLMResult
except ModuleNotFoundError:
    needs("langchain-core", "langchain", __name__)

_ROLES = {"human": "user", "ai": "assistant", "HumanMessageChunk": "user", "AIMessageChunk": "assistant"}
_CONVERSATIONS = ("thread_id", "session_id", "conversation_id")


class _Run(NamedTuple):
    """A run that has begun: LangChain's word for a call of anything.

    Attributes:
        root: The outermost run that it is part of.
        conversation: The conversation that the metadata name.
        began: By a clock that never goes back, in seconds.
        provider: Of a model, or nothing.
        name: Of the model or the tool.
        said: What the model is asked, or the arguments of the tool.
        cause: The event of the model's call that asked for the tool.
    """

    root: UUID
    conversation: object
    began: float
    provider: object = None
    name: object = None
    said: Any = ()
    cause: str | None = None


class CaptureCallbackHandler(BaseCallbackHandler):
    """Captures every call of a model and a tool, when it ends; a custom event that is named by a type, as that event.

    A run's outermost run is its trace. A tool's call names the call of the model that asked for it as its cause.

    Args:
        content: Keep prompts, answers, arguments and results; without it, only who was called, usage, duration and the
            class of an error. Custom events are kept as they are.
        agent_id: Who emits; when left out, as for `CaptureProcessor`: the bound context, else `capture.configure`.
        run_id: The run of the agent; likewise.
        correlation_id: What the events belong to; likewise, else the `thread_id` or `session_id` of the metadata.

    Raises:
        InvalidEvent: An id is no plain name.
    """

    # On the loop's thread and in order: nothing here waits, and a thread for each callback takes longer.
    run_inline = True

    def __init__(
        self,
        *,
        content: bool = True,
        agent_id: str | None = None,
        run_id: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__()
        self._calls = Calls(
            "langchain", content=content, agent_id=agent_id, run_id=run_id, correlation_id=correlation_id
        )
        self._processor = CaptureProcessor()
        self._runs: Recent[UUID, _Run] = Recent()
        self._asked: Recent[str, str] = Recent()

    @override
    @undisturbed
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chat model is called."""
        said = [message for conversation in messages for message in conversation]
        self._begin_model(
            self._begin(run_id, parent_run_id, metadata), run_id, said, serialized, kwargs | (metadata or {})
        )

    @override
    @undisturbed
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A model of plain texts is called."""
        said = [{"role": "user", "content": prompt} for prompt in prompts]
        self._begin_model(
            self._begin(run_id, parent_run_id, metadata), run_id, said, serialized, kwargs | (metadata or {})
        )

    @override
    @undisturbed
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered, in one piece or at the end of a stream."""
        self._end_model(run_id, response, None)

    @override
    @undisturbed
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has failed, or nobody reads on; what came of the answer until then is kept."""
        self._end_model(run_id, kwargs.get("response"), failure(error))

    @override
    @undisturbed
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is called."""
        call_id = kwargs.get("tool_call_id")
        begun = self._begin(run_id, parent_run_id, metadata)._replace(
            name=(serialized or {}).get("name") or kwargs.get("name"),
            said=input_str if inputs is None else inputs,
            cause=self._asked.get(call_id) if isinstance(call_id, str) else None,
        )
        self._runs.put(run_id, begun)

    @override
    @undisturbed
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has returned."""
        handled = isinstance(output, ToolMessage) and output.status == "error"
        # An error that the tool handled is its result: the text that the model gets to see.
        result = output.content if isinstance(output, ToolMessage) else output
        call_id = output.tool_call_id if isinstance(output, ToolMessage) else ""
        self._end_tool(run_id, result, Failure("error") if handled else None, self._asked.get(call_id))

    @override
    @undisturbed
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has failed."""
        self._end_tool(run_id, None, failure(error))

    @override
    @undisturbed
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """`dispatch_custom_event("memory.learned", {…})`: taken like a log line of that name, if it names a type."""
        if registry.find(name) is None:
            return
        if isinstance(data, Event):
            fields = {key: getattr(data, key) for key in type(data).model_fields}
        else:
            fields = dict(data) if isinstance(data, Mapping) else {"data": data}
        run = self._runs.get(run_id)
        ids = {**self._calls.ids, "trace_id": str(run.root if run else run_id)}
        self._processor(None, "info", {**{key: value for key, value in ids.items() if value}, **fields, "event": name})

    @override
    @undisturbed
    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chain begins: only which run it is part of is kept, until it ends."""
        self._runs.put(run_id, self._begin(run_id, parent_run_id, metadata))

    @override
    @undisturbed
    def on_chain_end(self, outputs: dict[str, Any], *, run_id: UUID, **kwargs: Any) -> None:
        """A chain ends."""
        self._runs.take(run_id)

    @override
    @undisturbed
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A chain ends."""
        self._runs.take(run_id)

    @override
    @undisturbed
    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A retriever begins, which may call models: as a chain."""
        self._runs.put(run_id, self._begin(run_id, parent_run_id, metadata))

    @override
    @undisturbed
    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever ends."""
        self._runs.take(run_id)

    @override
    @undisturbed
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever ends."""
        self._runs.take(run_id)

    def _begin(self, run_id: UUID, parent_id: UUID | None, metadata: dict[str, Any] | None) -> _Run:
        parent = self._runs.get(parent_id) if parent_id is not None else None
        # The handler may have come in below the outermost run: then the parent is the highest one that is known.
        root = parent.root if parent is not None else parent_id or run_id
        named = (metadata or {}).get
        conversation = next((str(named(key)) for key in _CONVERSATIONS if named(key)), None)
        return _Run(root, conversation or (parent.conversation if parent else None), time.monotonic())

    def _begin_model(
        self, begun: _Run, run_id: UUID, said: list[Any], serialized: dict[str, Any], told: dict[str, Any]
    ) -> None:
        parameters = told.get("invocation_params") or {}
        name = told.get("ls_model_name") or parameters.get("model") or parameters.get("model_name")
        begun = begun._replace(
            provider=told.get("ls_provider") or parameters.get("_type"),
            name=name or (serialized or {}).get("name") or told.get("name"),
            said=said,
        )
        self._runs.put(run_id, begun)

    def _end_model(self, run_id: UUID, response: LLMResult | None, error: Failure | None) -> None:
        run = self._runs.take(run_id)
        if run is None:
            return  # a second end of one call
        told = response.llm_output or {} if response is not None else {}
        answers = [answer for some in (response.generations if response is not None else ()) for answer in some]
        messages = [answer.message for answer in answers if isinstance(answer, ChatGeneration)]
        details = [_details(answer) for answer in answers]
        usage = next((m.usage_metadata for m in messages if isinstance(m, AIMessage) and m.usage_metadata), None)
        event_id = new_id_text()
        for message in messages:
            for call in message.tool_calls if isinstance(message, AIMessage) else ():
                if call["id"]:
                    self._asked.put(call["id"], event_id)
        self._calls.model(
            provider=_first(details, "model_provider") or run.provider,
            model=_first(details, "model_name", "model", "model_id") or told.get("model_name") or run.name,
            messages=[*map(_message, run.said), *map(_answer, answers)] if self._calls.content else (),
            usage=usage or told.get("token_usage") or told.get("usage") or {},
            finish_reasons=[reason for one in details if (reason := _first([one], *_REASONS))],
            error=error,
            duration_ms=(time.monotonic() - run.began) * 1000,
            trace_id=str(run.root),
            conversation_id=run.conversation,
            event_id=event_id,
        )

    def _end_tool(self, run_id: UUID, result: object, error: Failure | None, cause: str | None = None) -> None:
        run = self._runs.take(run_id)
        if run is None:
            return  # a second end of one call
        self._calls.tool(
            tool=run.name,
            arguments=run.said,
            result=result,
            error=error,
            duration_ms=(time.monotonic() - run.began) * 1000,
            trace_id=str(run.root),
            conversation_id=run.conversation,
            causation_id=run.cause or cause,
        )


_REASONS = ("finish_reason", "stop_reason", "done_reason")


def _details(answer: Generation) -> dict[str, Any]:
    metadata = answer.message.response_metadata if isinstance(answer, ChatGeneration) else {}
    return {**(answer.generation_info or {}), **metadata}


def _first(details: list[dict[str, Any]], *names: str) -> object:
    return next((one[name] for one in details for name in names if one.get(name)), None)


def _answer(answer: Generation) -> object:
    if isinstance(answer, ChatGeneration):
        return _message(answer.message)
    return {"role": "assistant", "content": answer.text}


def _message(message: object) -> object:
    return dict(_parts(message)) if isinstance(message, BaseMessage) else message


def _parts(message: BaseMessage) -> Iterator[tuple[str, object]]:
    yield "role", getattr(message, "role", None) or _ROLES.get(message.type, message.type)
    yield "content", message.content
    # `additional_kwargs` is where providers repeat the calls in a form of their own.
    more = {name: value for name, value in message.additional_kwargs.items() if name != "tool_calls"}
    for name, value in (
        ("name", message.name),
        ("tool_calls", [_call(call) for call in getattr(message, "tool_calls", ())]),
        ("invalid_tool_calls", getattr(message, "invalid_tool_calls", None)),
        ("tool_call_id", getattr(message, "tool_call_id", None)),
        ("status", getattr(message, "status", None) if getattr(message, "status", None) == "error" else None),
        ("more", more),
    ):
        if value:
            yield name, value


def _call(call: Mapping[str, Any]) -> dict[str, object]:
    return {"id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
