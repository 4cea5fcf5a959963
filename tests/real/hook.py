"""What the LiteLLM proxy does besides handing on, as a LiteLLM hook: SmolLM2 calls no tools and needs a form."""

import json

from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import CallTypes


def like(example):
    """A JSON Schema for values like this one: phrases are free, lists empty, single words and numbers as they are."""
    if isinstance(example, dict):
        properties = {name: like(value) for name, value in example.items()}
        return {"type": "object", "properties": properties, "required": list(example), "additionalProperties": False}
    if isinstance(example, list):
        return {"type": "array", "items": {"type": "string"}, "maxItems": 0}
    if isinstance(example, str) and " " in example:
        return {"type": "string", "minLength": 1, "maxLength": 100}
    return {"const": example}


class Stands(CustomLogger):
    """Called for every request, whatever protocol it came in, with the chat completion made of it."""

    async def async_pre_call_deployment_hook(self, kwargs, call_type):
        if call_type != CallTypes.acompletion:
            return kwargs
        messages, tools = kwargs["messages"], kwargs.get("tools")
        # A request that offers tools is answered with a call of one, and by the model once it holds a result.
        if tools and all(message["role"] != "tool" for message in messages):
            arguments = json.dumps({"query": "how it works", "k": 2})
            function = {"name": tools[0]["function"]["name"], "arguments": arguments}
            kwargs["mock_tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        # LiteLLM 1.80.17 hands on no schema from the Anthropic and the Gemini API: the prompt's example stands for it.
        elif "response_format" not in kwargs and messages[0]["role"] == "system":
            system = messages[0]["content"]
            text = system if isinstance(system, str) else system[0]["text"]
            schema = {"name": "reply", "schema": like(json.loads(text[text.rindex("\n{"):]))}
            kwargs["response_format"] = {"type": "json_schema", "json_schema": schema}
            kwargs["temperature"] = 0
        return kwargs


hook = Stands()
