"""Reads exported formats with the code of those who train on them, and compares what they make of the rows with the conversations.

    python trainers.py EXPORTS CONVERSATIONS [LEAST]

EXPORTS has a folder for each format; CONVERSATIONS is a file whose rows have `messages_with_tools` (or `messages`), with a `judge` column
where LEAST is the score below which turns were masked. Of TRL, axolotl and LLaMA-Factory only what turns rows into texts and tokens runs:
PyTorch is not installed. Prints a line for each format: its name, and the number of rows.
"""

import importlib
import importlib.util
import json
import logging
import os
import pathlib
import re
import sys
import tempfile
import types
import unittest.mock

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import tokenizers
import transformers

datasets.disable_progress_bars()
EXPORTS, CONVERSATIONS = map(pathlib.Path, sys.argv[1:3])
LEAST = float(sys.argv[3]) if len(sys.argv) > 3 else None
# Templates that TRL has: they spell calls as JSON, as XML and as words of their own; some want thoughts, some refuse ids.
TEMPLATES = "qwen2_5 qwen3 qwen3_5_think qwen3_6 llama3_1 llama3_2 glm4moe gptoss gemma4 deepseekv3_training lfm2_v2 nemotron_3_nano".split()
# Those of them that refuse messages with several calls.
ONE_CALL = ("llama3_1", "llama3_2", "llama3_training")
CONTROL = "<|im_start|> <|im_end|> <tool_call> </tool_call> <tool_response> </tool_response> <think> </think>".split()


def package(name, parts=(), **replaced):
    """Makes a package importable part by part, without what its `__init__` imports; replaced parts have these attributes."""
    where = pathlib.Path(importlib.util.find_spec(name).origin).parent
    for part in (name, *(f"{name}.{part}" for part in parts)):
        module = sys.modules[part] = types.ModuleType(part)
        module.__path__ = [str(where.joinpath(*part.split(".")[1:]))]
    for part, attributes in replaced.items():
        full = f"{name}.{part.replace('__', '.')}"
        module = sys.modules[full] = types.ModuleType(full)
        vars(module).update(attributes)


def tokenizer(template=None):
    """One token a byte, so that masks can be told as text; control tokens are tokens, as those of real models are."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    inner = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", bos_token="<|bos|>", additional_special_tokens=CONTROL
    )
    made.chat_template = template
    return made


def load(format, **options):
    files = {"data_files": str(EXPORTS / format / "*.jsonl"), **options}
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset("json", split="train", cache_dir=cache, **files)
        return rows.column_names, list(rows)


def events(messages):
    """What happens in a conversation: who says what, calls with their arguments, and results beside their calls."""
    told, calls = [], {}
    for message in messages:
        for call in message.get("tool_calls") or []:
            arguments = call["function"]["arguments"]
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
            calls[call["id"]] = ["call", call["function"]["name"], arguments]
        if message["role"] == "tool":
            told += [calls.pop(message["tool_call_id"]), ["result", message["content"]]]
        elif not message.get("tool_calls"):
            told.append([message["role"], message["content"]])
    assert not calls, f"calls without results: {calls}"
    return told


def same(told, expected):
    order = lambda conversation: json.dumps(conversation, ensure_ascii=False, sort_keys=True)
    # Through JSON, which has one kind of list.
    told, expected = (sorted(json.loads(json.dumps(list(some))), key=order) for some in (told, expected))
    for one, other in zip(told, expected):
        assert one == other, f"\n{one}\nis not\n{other}"
    assert len(told) == len(expected), f"{len(told)} rows, not {len(expected)}"


def in_order(text, parts, what):
    at = 0
    for part in parts:
        found = text.find(part.strip(), at)
        assert found >= 0, f"{what}: {part!r} is not in {text[at:]!r}"
        at = found + len(part.strip())


with open(CONVERSATIONS, encoding="utf-8") as lines:
    SOURCE = [json.loads(line) for line in lines]
EXPECTED = [events(row.get("messages_with_tools") or row["messages"]) for row in SOURCE]
TOOLS = [row.get("tools") or [] for row in SOURCE]
SAID = [[event for event in told if event[0] in ("user", "assistant")] for told in EXPECTED]


def tools(told):
    """The tools that a column tells of, as a list or as text."""
    told = json.loads(told or "null") if isinstance(told, str) or told is None else told
    return told or []


def fitting(rows, template):
    """The rows that a template takes."""
    several = lambda row: any(len(message.get("tool_calls") or []) > 1 for message in row["messages"])
    return [row for row in rows if template not in ONE_CALL or not several(row)]


def check_chat(format):
    _, rows = load(format)
    same([[events(row["messages"]), tools(row.get("tools"))] for row in rows], zip(EXPECTED, TOOLS))
    for row in rows:
        ids = [call["id"] for message in row["messages"] for call in message.get("tool_calls") or []]
        assert len(set(ids)) == len(ids) and all(re.fullmatch("[A-Za-z0-9]{9}", id) for id in ids), ids
        assert "null" not in json.dumps(row["messages"]), row["messages"]
    return rows


def check_trl():
    from trl.data_utils import apply_chat_template, is_conversational

    rows = check_chat("trl")
    folder = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    for name in TEMPLATES:
        tokens = tokenizer((folder / f"{name}.jinja").read_text())
        for row in fitting(rows, name):
            assert is_conversational(row)
            # As `SFTTrainer` does.
            listed = json.loads(row["tools"]) if isinstance(row["tools"], str) else row["tools"]
            text = apply_chat_template({"messages": row["messages"]}, tokens, listed)["text"]
            told = events(row["messages"])
            in_order(text, [event[1] for event in told if event[0] in ("user", "assistant")], name)
            for kind, what, *arguments in told:
                if kind == "call":
                    assert what in text, (name, what)
                    values = [value for value in arguments[0].values() if isinstance(value, str)]
                    assert all(value in text for value in values), (name, arguments, text)
                    spelled = [json.dumps(arguments[0], ensure_ascii=False, separators=by) for by in (None, (",", ":"))]
                    assert not any(json.dumps(one, ensure_ascii=False) in text for one in spelled), (name, text)
                elif kind == "result":
                    assert what in text or json.dumps(what, ensure_ascii=False) in text, (name, what, text)
            assert all(tool["function"]["name"] in text for tool in listed or []), (name, text)
            if name in ("qwen3", "glm4moe", "gptoss"):
                assert row["messages"][-1].get("reasoning_content", "").strip() in text, (name, text)
    # With masks: what is learned is what the assistant says.
    for name in ("qwen2_5_training", "qwen3_training", "llama3_training"):
        tokens = tokenizer((folder / f"{name}.jinja").read_text())
        for row in fitting(rows, name):
            encoded = tokens.apply_chat_template(
                row["messages"], tools=json.loads(row["tools"]), return_dict=True, return_assistant_tokens_mask=True
            )
            learned = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"]) if mask]
            learned = tokens.decode(learned)
            in_order(learned, [event[1] for event in events(row["messages"]) if event[0] == "assistant"], name)
            asked = [event[1] for event in events(row["messages"]) if event[0] == "user"]
            assert not any(question.strip() in learned for question in asked), (name, learned)
    return rows


def check_trl_pairs(dpo, kto):
    from trl.data_utils import apply_chat_template, is_conversational, unpair_preference_dataset

    folder = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    for name in TEMPLATES[:6]:
        tokens = tokenizer((folder / f"{name}.jinja").read_text())
        for row in dpo:
            assert is_conversational(row)
            text = apply_chat_template(row, tokens)
            assert row["chosen"][0]["content"].strip() in text["chosen"], (name, text)
            assert row["rejected"][0]["content"].strip() in text["rejected"], (name, text)
            in_order(text["prompt"], [message["content"] for message in row["prompt"]], name)
        for row in kto:
            text = apply_chat_template(row, tokens)
            assert row["completion"][0]["content"].strip() in text["completion"] and text["label"] == row["label"]
    # TRL makes of pairs what is written for it.
    unpaired = unpair_preference_dataset(datasets.Dataset.from_list(dpo))
    key = lambda row: json.dumps(row, sort_keys=True)
    assert sorted(map(key, unpaired)) == sorted(map(key, kto))


def llama_factory():
    package(
        "llamafactory",
        ("data", "extras"),
        extras__logging={"get_logger": logging.getLogger},
        extras__constants={"DATA_CONFIG": "dataset_info.json"},
        extras__misc={"use_modelscope": lambda: False, "use_openmind": lambda: False},
        data__mm_plugin={"get_mm_plugin": lambda name, **options: None},
    )
    logging.Logger.warning_rank0 = logging.Logger.warning_rank0_once = lambda self, text: sys.exit(f"LLaMA-Factory: {text}")
    parts = ("converter", "parser", "template", "data_utils")
    return [importlib.import_module(f"llamafactory.data.{part}") for part in parts]


def converted(modules, attr, rows):
    convert = modules[0].get_dataset_converter(attr.formatting, attr, types.SimpleNamespace(media_dir=""))
    return [convert(row) for row in rows]


def llama_factory_events(row):
    told = []
    for message in row["_prompt"] + row["_response"]:
        role, content = message["role"], message["content"]
        if role == "function":
            calls = json.loads(content)
            told += [["call", call["name"], call["arguments"]] for call in (calls if isinstance(calls, list) else [calls])]
        else:
            told.append(["result" if role == "observation" else role, content])
    return told


def check_llama_factory(modules, format, name="dlgforge_train"):
    (attr,) = modules[1].get_dataset_list([name], str(EXPORTS / format))
    assert (EXPORTS / format / attr.dataset_name).is_file()
    columns, rows = load(format)
    assert {column for column in (attr.messages, attr.system, attr.tools) if column} <= set(columns)
    told = converted(modules, attr, rows)
    assert all(row["_prompt"] and row["_response"] for row in told)
    return rows, told


def check_templates(modules, rows):
    """What LLaMA-Factory's templates make of converted rows."""
    for name in ("qwen", "llama3", "glm4", "mistral", "default"):
        template = modules[2].TEMPLATES[name]
        tokens = tokenizer()
        for row in rows:
            pairs = template.encode_multiturn(tokens, row["_prompt"] + row["_response"], row["_system"], row["_tools"])
            text = "".join(tokens.decode(ids) for pair in pairs for ids in pair)
            learned = "".join(tokens.decode(answer) for _, answer in pairs)
            in_order(text, [event[1] for event in llama_factory_events(row) if event[0] != "call"], name)
            answers = [event[1] for event in llama_factory_events(row) if event[0] in ("assistant", "call")]
            in_order(learned, answers, name)


def check_axolotl(rows, columns):
    package("axolotl", (), utils__distributed={"is_main_process": lambda: True})
    # Its settings name types of PyTorch.
    types_named = ("int4", "int8", "float8_e4m3fn", "nvfp4", "mxfp4")
    with unittest.mock.patch.dict(sys.modules, torch=types.SimpleNamespace(**{name: name for name in types_named})):
        strategies = importlib.import_module("axolotl.prompt_strategies.chat_template")
    templates = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    config = importlib.import_module("addict").Dict(
        sequence_len=100_000, train_on_inputs=False, tokenizer_use_mistral_common=None, chat_template_kwargs={}, eot_tokens=None
    )
    for name in ("qwen2_5", "qwen3", "llama3_1"):
        template = (templates / f"{name}.jinja").read_text()
        tokens = tokenizer(template)
        dataset = {"chat_template": "tokenizer_default", "field_messages": columns, "message_field_training": "train"}
        strategy = strategies.load(tokens, config, dataset)
        for row in fitting(rows, name):
            encoded = strategy.tokenize_prompt(json.loads(json.dumps(row)))
            assert encoded["input_ids"] and len(encoded["labels"]) == len(encoded["input_ids"])
            text = tokens.decode(encoded["input_ids"])
            learned = tokens.decode([token for token in encoded["labels"] if token != -100])
            in_order(text, [event[1] for event in events(row["messages"]) if event[0] in ("user", "assistant")], name)
            answers = [message for message in row["messages"] if message["role"] == "assistant" and message["content"]]
            in_order(learned, [message["content"] for message in answers if message["train"]], name)
            for message in row["messages"]:
                if message["role"] == "user" or (message["role"] == "assistant" and not message["train"]):
                    assert not message["content"] or message["content"].strip() not in learned, (name, message, learned)


def check_chatml(texts, chats, parted):
    """Texts are what the template of Qwen 2.5 makes of the conversations, whose own control tokens are parted."""
    from trl.data_utils import apply_chat_template

    folder = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    tokens = tokenizer((folder / "qwen2_5.jinja").read_text())
    # The template has a system message of its own where there is none.
    body = lambda text: text[text.index("<|im_start|>user") :]
    safe = lambda message: {**message, "content": parted(message["content"])}
    rendered = [apply_chat_template({"messages": list(map(safe, row["messages"]))}, tokens)["text"] for row in chats]
    same([body(row["text"]) for row in texts], map(body, rendered))
    heads = [row["text"].partition("<|im_start|>user")[0] for row in texts]
    assert all(re.fullmatch(r"(<\|im_start\|>system\n[^<].*<\|im_end\|>\n)?", head, re.DOTALL) for head in heads), heads
    lines = [[line for line in head.splitlines() if line.startswith("{")] for head in heads]
    same([list(map(json.loads, tools)) for tools in lines], TOOLS)
    for row in texts:
        marks = [token for token in tokens.convert_ids_to_tokens(tokens(row["text"])["input_ids"]) if token in CONTROL[:2]]
        assert marks == CONTROL[:2] * (len(marks) // 2), row


def check_masks(rows, is_learned):
    """Whether exactly the turns below LEAST are not to be learned."""
    learned, expected = [], []
    for row in rows:
        answers = [message for message in row["messages"] if message["role"] == "assistant" and not message.get("tool_calls")]
        learned.append([[message["content"], is_learned(message)] for message in answers])
    for row, said in zip(SOURCE, SAID):
        scores = [turn["score"] for turn in row["judge"]["per_turn"]]
        answers = [text for role, text in said if role == "assistant"]
        low = [score is not None and score < LEAST for score in scores]
        learned_answers = [[text, not is_low] for text, is_low in zip(answers, low)]
        while learned_answers and not learned_answers[-1][1]:
            learned_answers.pop()
        expected += [learned_answers] if learned_answers else []
    same(learned, expected)
    assert any(not known for row in expected for _, known in row), "no turn is masked"


def main():
    has = lambda format: (EXPORTS / format).is_dir()
    if LEAST is not None:
        for format, is_learned in (("openai", lambda message: message["weight"] == 1), ("axolotl", lambda message: message["train"])):
            columns, rows = load(format)
            check_masks(rows, is_learned)
            if format == "axolotl":
                check_axolotl(rows, "messages")
            print(format, len(rows))
        return
    told = {"trl": check_trl(), "openai": check_chat("openai")}
    rows = check_chat("axolotl")
    check_axolotl(rows, "messages")
    told["axolotl"] = rows

    modules = llama_factory()
    rows, made = check_llama_factory(modules, "llamafactory")
    same([[llama_factory_events(row), tools(row["_tools"])] for row in made], zip(EXPECTED, TOOLS))
    check_templates(modules, made)
    told["llamafactory"] = rows
    attr = modules[1].DatasetAttr("file", "train.jsonl", formatting="sharegpt", tools="tools")
    told["sharegpt"] = load("sharegpt")[1]
    made = converted(modules, attr, told["sharegpt"])
    same([[llama_factory_events(row), tools(row["_tools"])] for row in made], zip(EXPECTED, TOOLS))

    told["alpaca"] = load("alpaca")[1]
    attr = modules[1].DatasetAttr("file", "train.jsonl", history="history")
    made = converted(modules, attr, told["alpaca"])
    parted = lambda text: re.sub(r"<\|(\w+)\|>", r"<| \1 |>", text)
    same([llama_factory_events(row) for row in made], [[[role, parted(text)] for role, text in said] for said in SAID])

    told["chatml"] = load("chatml")[1]
    check_chatml(told["chatml"], told["trl"], parted)

    told["traces"] = load("traces", data_files=str(EXPORTS / "traces" / "**" / "*.jsonl"))[1]
    same([[event for event in events_of_trace(row["trace"])] for row in told["traces"]], EXPECTED)
    assert all(row["session_id"] and row["messages"] for row in told["traces"])

    if has("trl-dpo"):
        told["trl-dpo"], told["trl-kto"] = load("trl-dpo")[1], load("trl-kto")[1]
        check_trl_pairs(told["trl-dpo"], told["trl-kto"])
        told["llamafactory-dpo"], made = check_llama_factory(modules, "llamafactory-dpo")
        for row, pair in zip(made, told["trl-dpo"]):
            answers = [pair["chosen"][0]["content"], pair["rejected"][0]["content"]]
            assert [message["content"] for message in row["_response"]] == answers
            assert row["_prompt"] == pair["prompt"]
    for format, rows in told.items():
        print(format, len(rows))


def events_of_trace(text):
    session, *messages = [json.loads(line) for line in text.splitlines()]
    assert session["type"] == "session" and session["id"] and session["harness"] == "dlgforge"
    renamed = lambda message: {
        "role": message["role"],
        "content": message["content"],
        "tool_calls": message.get("toolCalls"),
        "tool_call_id": message.get("toolCallId"),
    }
    return events([renamed(line["message"]) for line in messages])


main()
