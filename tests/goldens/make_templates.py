"""Makes templates.json: chats rendered and encoded by Transformers with each family's tokenizer and template, and plain
texts encoded and decoded, for tests/formats/text/chat-templates.test.ts.

The tokenizers are those of families.py; those that no checkpoint has are written to templates/<family>/.

    python tests/goldens/make_templates.py    (no torch needed)
"""

import datetime
import json
from pathlib import Path

import transformers.utils.chat_template_utils as chat_template_utils

import families

HERE = Path(__file__).parent / "templates"

user = lambda content: {"role": "user", "content": content}  # noqa: E731
assistant = lambda content: {"role": "assistant", "content": content}  # noqa: E731
system = lambda content: {"role": "system", "content": content}  # noqa: E731

THOUGHT = "<think>\nTwo and two: 4.\n</think>\n\nIt is **4**."
CHATS = {
    "question": [user("What is 2 + 2?")],
    "system": [system("You are terse.  "), user(" Was ist das?\n")],
    "turns": [user("Hi"), assistant("Hello! How can I help?"), user("12345 * 678 = ?"), assistant(" 8,369,910\n"), user("OK")],
    "thoughts": [system("Think."), user("2 + 2?"), assistant(THOUGHT), user("And 3 + 3?")],
    "thoughts at the end": [user("2 + 2?"), assistant(THOUGHT)],
    "open thought": [user("2 + 2?"), assistant("<think>\nTwo and two")],
    "unicode": [user("naïve café 😀 你好 — “quoted”…\u00a0x"), assistant("ok"), user("\tdef f():\n\n\n    return 1")],
    "special": [user("</s><|im_end|><|eot_id|><think>[INST]<s>"), assistant("<|im_start|>"), user("<｜User｜>\n\n\n")],
    "empty": [user("")],
    "unbalanced": [user("one"), user("two")],
    "tool response": [user("ask"), assistant("<think>a</think>b"), user("<tool_response>x</tool_response>"), assistant("c")],
}
OPTIONS = {
    "generation": dict(add_generation_prompt=True),
    "plain": dict(),
    "continue": dict(continue_final_message=True),
}
EXTRA = {"qwen3": {"enable_thinking": False}, "llama3": {"date_string": "26 Jul 2024"}}
TEXTS = [
    *families.CORPUS,
    " leading and trailing ",
    "a\n\n\nb \r\n c\t\td",
    "1234567 12½ ²³ ٣٤ １２",
    "I'M WE'LL it’s 'tis",
    "e\u0301 ﬁ Å",
    "日本語のテキスト 😀👩‍👩‍👧",
    "<|im_start|>user\n<think>x</think><｜User｜></s> <s>",
    "_____----=====\n\n",
    "\u0085\ufeff\u200b\u2028x",
    "",
]


class Clock(datetime.datetime):
    """A day for `strftime_now` that the goldens can be made on again."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 5)


def attempt(call) -> dict:
    try:
        return {"result": call()}
    except Exception as error:  # noqa: BLE001 what a template raises is part of what it does
        return {"error": str(error).splitlines()[0]}


def lines_of(made: dict) -> str:
    """A line for each chat and text."""
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
    parts = []
    for family, lists in made.items():
        inner = [f"{dump(key)}:[\n" + ",\n".join(map(dump, items)) + "\n]" for key, items in lists.items()]
        parts.append(f"{dump(family)}:{{" + ",\n".join(inner) + "}")
    return "{" + ",\n".join(parts) + "}"


def main() -> None:
    chat_template_utils.datetime = Clock
    HERE.mkdir(exist_ok=True)
    made = {}
    for family, make in families.FAMILIES.items():
        tokenizer = make()
        chats = []
        for name, messages in CHATS.items():
            for kind, options in OPTIONS.items():
                variants = [{}] + ([EXTRA[family]] if family in EXTRA else [])
                for variables in variants:
                    if kind == "continue" and messages[-1]["role"] != "assistant":
                        continue
                    render = lambda **o: tokenizer.apply_chat_template(messages, **options, **variables, **o)  # noqa: B023, E731
                    text = attempt(lambda: render(tokenize=False))
                    chat = {"chat": name, "options": options, "variables": variables, "messages": messages}
                    if "error" in text:
                        chats.append({**chat, **text})
                    else:
                        ids = render(tokenize=True, return_dict=False)
                        chats.append({**chat, "text": text["result"], "ids": ids})
        texts = []
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False)
            texts.append(
                {
                    "text": text,
                    "ids": ids,
                    "with_special": tokenizer.encode(text),
                    "decoded": tokenizer.decode(ids),
                    "without_special": tokenizer.decode(ids, skip_special_tokens=True),
                }
            )
        made[family] = {"chats": chats, "texts": texts}
        if family == "qwen2.5":
            tokenizer.save_pretrained(HERE / family)
    (HERE / "templates.json").write_text(lines_of(made) + "\n")
    print({family: (len(each["chats"]), len(each["texts"])) for family, each in made.items()})


if __name__ == "__main__":
    main()
