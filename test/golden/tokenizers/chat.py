"""Writes chat.json.gz: chat templates, conversations, and the texts and ids that `transformers` makes of them.

    python test/golden/tokenizers/chat.py        (transformers 5.18, after make.py)

The templates are written for this test, with the constructs that those of the Llama, Gemma, Qwen and Mistral families use.
"""
import datetime
import gzip
import json
import pathlib

import transformers.utils.chat_template_utils as chat
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 7, 4, 15, 6, 9)

HEADERS = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% else %}{% set date_string = "none" %}{% endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nDate: " + date_string + "\\n" }}
{%- if tools is not none %}
    {{- "Functions:\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system }}{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("one call at a time") }}{%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>result<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""

TURNS = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('roles must take turns: user/assistant/user/...') }}{% endif %}
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model
' }}{% endif %}"""

THINKING = """{%- macro show(content) %}{%- if content is string %}{{- content }}{%- else %}{%- for part in content %}{%- if part.type == 'text' %}{{- part.text }}{%- else %}<{{ part.type }}>{%- endif %}{%- endfor %}{%- endif %}{%- endmacro %}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<result>') and message.content.endswith('</result>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = show(message.content) if message.content else '' %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {{- '<tool_call>\\n{"name": "' }}{{- call.name }}{{- '", "arguments": ' }}
            {%- if call.arguments is string %}{{- call.arguments }}{%- else %}{{- call.arguments | tojson }}{%- endif %}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<result>\\n' }}{{- content }}{{- '\\n</result>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}
"""

BRACKETS = """{%- set users = messages | selectattr("role", "equalto", "user") | list %}
{%- set others = messages | rejectattr("role", "equalto", "user") | map(attribute="role") | list | join(", ") %}
{{ bos_token }}{% for message in messages if message.role != 'system' %}
  {%- if message.role == 'user' %}
[INST] {% if loop.first and messages[0].role == 'system' %}{{ messages[0].content.upper() }}

{% endif %}{{ message.content }} [/INST]
  {%- else %}
 {{ message.content.strip() ~ eos_token }}
  {%- endif %}
{%- else %}
nothing
{%- endfor %}
[{{ users | length }}|{{ others | default('none', true) }}|{{ 7 // 2 }}|{{ 7 % 3 }}|{{ "a-b-c".replace("-", "+") }}|{{ (messages | last)["role"] | title }}|{{ messages[-1].get("name", "anonymous") }}|{{ "none" if none is none else "some" }}|{{ [1, 2] + [3] }}|{{ {"k": 1}.items() | list | length }}|{{ "yes" if "x" in "xyz" and not false else "no" }}|{{ strftime_now("%A %Y-%m-%d %H:%M") }}]
{# a comment #}
{% if documents %}{% for d in documents %}
- {{ d.title }}: {{ d.text | safe }}
{% endfor %}{% endif %}
{% set greeting %}
hello
{% endset %}
{{ greeting | trim }}{{ '\\t' }}{{ messages | tojson }}
"""

MESSAGES = {
    "one": [{"role": "user", "content": "  Hello there \n"}],
    "turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": " Hello! "}, {"role": "user", "content": "2 + 2?\n\n"}],
    "system": [{"role": "system", "content": " You are brief. "}, {"role": "user", "content": "日本語 é 😀 <b>\"quoted\"</b> & 'x'"}],
    "wrong": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "thought": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nBecause."}, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "<think>\nso\n</think>\n\nDone."}],
    "tools": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2, "exact": True, "unit": None}}}]},
              {"role": "tool", "content": "{\"sky\": \"clear\"}"}, {"role": "tool", "content": "more"}, {"role": "assistant", "content": "Clear."}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image"}]}],
    "special": [{"role": "user", "content": "<|eot_id|> <bos> <|im_end|>"}],
}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The weather “now” <here>", "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}, "required": ["city"], "empty": {}, "none": []}}}]
OPTIONS = [{}, {"addGenerationPrompt": True}, {"tools": TOOLS}, {"variables": {"enable_thinking": False, "date_string": "today"}, "addGenerationPrompt": True}, {"documents": [{"title": "A", "text": "<x>"}]}]
TEMPLATES = {"headers": (HEADERS, "llama3"), "turns": (TURNS, "gemma"), "thinking": (THINKING, "qwen"), "brackets": (BRACKETS, "llama2")}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def main():
    chat.datetime = Clock
    cases = []
    for name, (template, folder) in TEMPLATES.items():
        config = json.loads((HERE / folder / "tokenizer_config.json").read_text())
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / folder / "tokenizer.json"), chat_template=template, **{key: value for key, value in config.items() if isinstance(value, str)})
        results = []
        for which, messages in MESSAGES.items():
            if which == "parts" and "is string" not in template:
                continue  # Jinja would print the list as Python writes it
            for i, options in enumerate(OPTIONS):
                given = {"tools": options.get("tools"), "documents": options.get("documents"), "add_generation_prompt": options.get("addGenerationPrompt", False), **options.get("variables", {})}
                try:
                    text = tokenizer.apply_chat_template(messages, tokenize=False, **given)
                    results.append([which, i, text, tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **given)])
                except Exception as error:
                    results.append([which, i, None, str(error)])
        cases.append({"name": name, "folder": folder, "template": template, "results": results})
    head = {"now": NOW.isoformat(), "messages": MESSAGES, "options": OPTIONS}
    lines = [json.dumps({key: case[key] for key in ("name", "folder", "template")})[:-1] + ', "results": [\n  ' + ",\n  ".join(json.dumps(row, separators=(",", ":")) for row in case["results"]) + "\n ]}" for case in cases]
    made = json.dumps(head)[:-1] + ',\n"cases": [\n ' + ",\n ".join(lines) + "\n]}\n"
    (HERE / "chat.json.gz").write_bytes(gzip.compress(made.encode(), mtime=0))


if __name__ == "__main__":
    main()
