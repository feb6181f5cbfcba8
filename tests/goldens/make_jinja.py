"""Makes jinja.json: templates that use each part of Jinja that chat templates use, rendered by Transformers'
`apply_chat_template`, for tests/formats/text/jinja.test.ts. Errors are kept as well: a template that Transformers refuses
must be refused.

    python tests/goldens/make_jinja.py    (no torch needed)
"""

import datetime
import json
from pathlib import Path

import transformers.utils.chat_template_utils as chat_template_utils
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent

MESSAGES = [
    {"role": "system", "content": "  Be brief.\n"},
    {"role": "user", "content": "What's 2 + 2?"},
    {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\nIt is **4**."},
    {"role": "user", "content": "naïve 😀 “quoted” \"x\" </s>\tend "},
]
VARIABLES = {
    "n": 3,
    "x": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "words": ["pear", "Apple", "fig", "apple", "Fig"],
    "numbers": [3, 1, 2, 3],
    "mixed": [1, 2.5, True, None, "a'b", 'a"b', [1], {"k": "v\n"}],
    "table": {"b": 1, "a": {"c": [1, 2, {"d": None}], "e": 1.5}, "B": True},
    "people": [
        {"name": "Ann", "age": 30, "city": {"name": "Bonn"}},
        {"name": "bob", "age": 25, "city": {"name": "Ulm"}},
        {"name": "Cy", "age": 30, "city": {"name": "Bonn"}},
    ],
    "long": "The quick brown fox\njumps over\n\nthe lazy dog",
}

TEMPLATES = {
    # What the packages on npm get wrong.
    "break keeps what was written": "{% for m in messages %}[{{ m.role }}]{% if m.role == 'user' %}{% break %}{% endif %}{{ m.content }}{% endfor %}.",
    "continue keeps what was written": "{% for m in messages %}<{{ loop.index }}{% if loop.index is odd %}{% continue %}{% endif %}>{{ m.role }}{% endfor %}",
    "break in a nested loop": "{% for i in range(3) %}{% for j in range(5) %}{{ i }}{{ j }} {% if j == i %}{% break %}{% endif %}{% endfor %}|{% endfor %}",
    "break and else": "{% for i in range(3) %}{{ i }}{% break %}{% else %}none{% endfor %}/{% for i in [] %}{{ i }}{% else %}empty{% endfor %}/{% for i in range(2) %}{{ i }}{% else %}none{% endfor %}",
    "continue and else": "{% for i in range(3) %}{% continue %}{% else %}none{% endfor %}",
    "python's constants": "{{ yes }} {{ no }} {{ nothing }} {{ true }} {{ True }} {{ None }} {{ none }} {{ false }} {{ missing }}|",
    "constants in text": "{{ 'a' ~ true ~ none ~ 1.0 ~ 2 }} {{ [true, none, 1.5] | join('-') }} {{ yes | string }} {{ nothing | string | length }}",
    "scopes of iterations": "{% set v = 1 %}{% for i in range(3) %}{{ v }}{% set v = v + 1 %}{{ v }} {% endfor %}{{ v }}",
    "scopes of ifs": "{% if yes %}{% set v = 1 %}{% endif %}{{ v }}{% for i in [1] %}{% if yes %}{% set v = 2 %}{% endif %}{{ v }}{% endfor %}{{ v }}",
    "variables left by no iteration": "{% for i in range(3) %}{% if i == 0 %}{% set seen = 'yes' %}{% endif %}{{ seen is defined }} {% endfor %}",
    # Loops
    "loop's attributes": "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }} {% endfor %}",
    "neighbours": "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '-' }}>{{ loop.nextitem.role if loop.nextitem is defined else '-' }} {% endfor %}",
    "cycle and changed": "{% for n in [1, 1, 2, 2, 3] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(n) }} {% endfor %}",
    "filtered loop": "{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m.role }}{{ loop.last }} {% endfor %}",
    "filtered by a namespace": "{% set ns = namespace(stop=false) %}{% for n in numbers if not ns.stop %}{{ n }}{% if n == 1 %}{% set ns.stop = true %}{% endif %}{% endfor %}",
    "pairs": "{% for key, value in table.items() %}{{ key }}={{ value }};{% endfor %}{% for k in table %}{{ k }}{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "recursive loop": "{% for n in [[1, [2, [3]]], [4]] recursive %}{% if n is iterable %}<{{ loop.depth }}{{ loop(n) }}>{% else %}{{ n }}{% endif %}{% endfor %}",
    "letters": "{% for c in 'añ😀' %}{{ c }},{% endfor %}{{ 'añ😀b'[2] }}{{ 'añ😀b'[::-1] }}{{ '😀😀' | length }}",
    "outer loop": "{% for a in range(2) %}{% set outer = loop %}{% for b in range(2) %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    # Namespaces, macros, blocks
    "namespace": "{% set ns = namespace(a=1, b='x') %}{% for m in messages %}{% set ns.a = ns.a + 1 %}{% set ns.c = loop.index %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.d is defined }}",
    "macro": "{% macro say(text, end='!', times=1) %}{% for i in range(times) %}{{ text }}{{ end }}{% endfor %}{% endmacro %}{{ say('a') }}{{ say('b', times=2) }}{{ say('c', '?', 3) }}{{ say() }}",
    "macro with rest": "{% macro m(a) %}{{ a }}|{{ varargs }}|{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k='v') }}",
    "macro sees what is around it": "{% set y = 1 %}{% macro m() %}{{ y }}{{ n }}{% set y = 5 %}{{ y }}{% endmacro %}{{ m() }}{% set y = 2 %}{{ m() }}{{ y }}",
    "macro calls itself": "{% macro tree(v) %}{% if v is mapping %}{ {%- for k, w in v|dictsort %}{{ k }}:{{ tree(w) }}{% endfor -%} }{% elif v is iterable and v is not string %}[{% for w in v %}{{ tree(w) }}{% if not loop.last %},{% endif %}{% endfor %}]{% else %}{{ v }}{% endif %}{% endmacro %}{{ tree(table) }}",
    "call": "{% macro box(t) %}<{{ t }}>{{ caller('in') }}</{{ t }}>{% endmacro %}{% call(x) box('b') %}body {{ x }}{% endcall %}",
    "set block": "{% set text %}a{{ n }}\n b{% endset %}{{ text | trim | upper }}{% set t | upper %}abc{% endset %}{{ t }}",
    "set several": "{% set a, b = 1, 'two' %}{{ b }}{{ a }}{% set c = 1, 2 %}{{ c }}",
    "filter block": "{% filter upper | replace('A', '-') %}abc{{ n }}{% endfilter %}",
    "with": "{% with a = 1, b = n %}{{ a }}{{ b }}{% set n = 9 %}{{ n }}{% endwith %}{{ n }}{{ a is defined }}",
    "raw": "{% raw %}{{ not this }} {% if %}{% endraw %}{{ n }}{%- raw -%}  {# x #} {%- endraw %}.",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% set z = 1 %}{% endgeneration %}{% endif %}{% endfor %}{{ z is defined }}",
    # Whitespace
    "trimmed blocks": "a\n  {% if yes %}\n    b\n  {% endif %}\nc\n\n",
    "minus": "a  \n {%- if yes -%} \n b \n {%- endif -%} \n c {{- n -}} \n d\n",
    "plus": "a\n  {%+ if yes +%}\n b\n  {%+ endif %}\nc",
    "variables keep lines": "  {{ n }}\n  {{ n }}\n\n{{ n }}  \n",
    "comments": "a\n  {# comment #}\nb {#- x -#}  c\n   {# two\nlines #}  d",
    "tags in a line": "x {% if yes %} y {% endif %} z\n  {% if no %}\n{% endif %}  {{ n }}",
    "newlines": "a\r\nb\rc\n{{ 'x\r\ny' }}{% if yes %}\r\nd{% endif %}\r\n",
    "tags in strings": "{{ '{% if %}' }}{{ '}}' }}{{ \"{{ x }}\" }}{{ '%}\n' }}x",
    "dictionary before the end": "{{ {'a': {'b': 1}}['a'] }}{{ {'a': 1}}}",
    # Expressions
    "arithmetic": "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 1 + 2.0 }} {{ 3 * 1.5 }} {{ -n }} {{ +n }} {{ 2 ** 3 ** 2 }} {{ 10 - 3 - 2 }} {{ 1e3 }} {{ 1_000 }} {{ 0x1f }} {{ 0.1 + 0.2 }}",
    "floats": "{{ 1e16 }} {{ 123456789.0 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1e22 }} {{ -0.0 }} {{ 100.0 }} {{ 3.0 * 2 }} {{ 7.5 // 2 }} {{ x }}",
    "text arithmetic": "{{ 'ab' * 3 }} {{ 'a' 'b' \"c\" }} {{ 'a' ~ 1 ~ none }} {{ [1] + [2] }} {{ '%s is %d and %.2f' % ('a', 3, 2.5) }} {{ [0] * 3 }} {{ (1, 2) + (3,) }}",
    "comparisons": "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ '1' == 1 }} {{ [1, 2] == [1, 2] }} {{ {'a': 1} == {'a': 1} }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ nothing == none }} {{ missing == nothing }}",
    "in": "{{ 'a' in 'abc' }} {{ 'a' not in ['b'] }} {{ 'b' in table }} {{ 1 in numbers }} {{ 'x' in missing }} {{ not 'a' in 'b' }} {{ [1] in [[1]] }} {{ 2.0 in numbers }}",
    "logic": "{{ 1 and 0 }} {{ '' or 'x' }} {{ none or [] }} {{ not '' }} {{ not not 1 }} {{ 0 or none }} {{ [] and 1 }} {{ 1 if yes }} {{ 1 if no }}| {{ 'a' if no else 'b' if no else 'c' }}",
    "precedence": "{{ 1 + 2 * 3 }} {{ -1 | abs }} {{ (-1) | abs }} {{ 'a' ~ 1 + 'b' }} {{ not 1 == 2 }} {{ 2 * 3 ~ 4 }} {{ n is odd and n > 2 }} {{ 'a' ~ 'b' | upper }} {{ -n | string }} {{ 5 - 2 | abs }}",
    "slices": "{{ numbers[1:] }} {{ numbers[:-1] }} {{ numbers[::-1] }} {{ numbers[::2] }} {{ numbers[5:] }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[4:1:-1] }} {{ messages[1:] | length }} {{ numbers[-1] }} {{ numbers[9] is defined }} {{ (1, 2, 3)[:2] }}",
    "escapes": "{{ 'a\\n\\tb\\\\c\\'d' }}{{ \"\\x41\\u00e9\\d\" }}{{ '\\101' }}",
    "members": "{{ messages[0]['role'] }} {{ messages[0].role }} {{ messages.0.role }} {{ table.a.c[2].d }} {{ table['a']['c'][-1] }} {{ table.missing is defined }} {{ table.get('zz', 'other') }} {{ table.get('zz') }} {{ table.items is defined }} {{ messages[0].content.missing is defined }}",
    "tests": "{% for v in mixed %}{{ v is string }}{{ v is number }}{{ v is integer }}{{ v is float }}{{ v is boolean }}{{ v is none }}{{ v is mapping }}{{ v is sequence }}{{ v is iterable }}{{ v is true }}\n{% endfor %}",
    "tests with arguments": "{{ 9 is divisibleby(3) }} {{ 9 is divisibleby 2 }} {{ n is eq 3 }} {{ n is not eq(3) }} {{ 'a' is in 'abc' }} {{ n is sameas 3 }} {{ n is gt 2 }} {{ n is le(2) }} {{ nothing is sameas(none) }} {{ 'a' is lower }} {{ 'A' is upper }} {{ 'A1' is lower }} {{ n is equalto 3 }} {{ missing is undefined }} {{ n is even }} {{ say is callable }} {{ range is callable }}",
    "not defined": "{{ missing }}|{{ missing | default('d') }}|{{ '' | default('d') }}|{{ '' | default('d', true) }}|{{ nothing | d('x') }}|{{ missing | length }}|{% for a in missing %}{{ a }}{% endfor %}|{{ missing is defined }}|{{ missing ~ 'x' }}|{{ missing or 'y' }}|{{ table.zz | default('z') }}",
    # Filters
    "text filters": "{{ long | upper }}|{{ 'aBC dEF' | capitalize }}|{{ 'aBC dEF-ghi it\\'s' | title }}|{{ '  x ' | trim }}|{{ '--x-' | trim('-') }}|{{ 'aaa' | replace('a', 'b', 2) }}|{{ 'abc' | replace('', '-') }}|{{ 'x' | center(5) }}|{{ 'ab' | center(5) }}|{{ long | wordcount }}|{{ 'a<b>' | e }}|{{ 'ab' | reverse }}|{{ 'ab' | list }}|{{ 'ab' | first }}{{ 'ab' | last }}",
    "indent": "{{ long | indent }}|{{ long | indent(2) }}|{{ long | indent(width=3, first=true) }}|{{ long | indent('> ', true, true) }}",
    "truncate and format": "{{ long | truncate(12) }}|{{ long | truncate(12, true) }}|{{ long | truncate(12, false, '…', 0) }}|{{ '%s, %s' | format('a', 1) }}|{{ 'short' | truncate(6) }}",
    "number filters": "{{ '3.7' | int }} {{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '2' | float }} {{ true | int }} {{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ -2 | abs }} {{ 7 | string }} {{ '0x1f' | int(0, 16) }}",
    "list filters": "{{ words | sort }} {{ words | sort(true) }} {{ words | sort(case_sensitive=true) }} {{ numbers | sort | join(',') }} {{ words | unique | list }} {{ numbers | sum }} {{ numbers | min }}{{ numbers | max }} {{ words | first }}{{ words | last }} {{ numbers | reverse | list }} {{ words | length }}{{ words | count }} {{ [] | first is defined }}",
    "attributes": "{{ people | map(attribute='name') | join(', ') }} {{ people | map(attribute='city.name') | list }} {{ people | selectattr('age', 'equalto', 30) | map(attribute='name') | list }} {{ people | rejectattr('age', '>', 26) | list | length }} {{ people | sum(attribute='age') }} {{ people | sort(attribute='name') | map(attribute='name') | join }} {{ people | sort(attribute='age,name', reverse=true) | map(attribute='name') | join }} {{ people | join('/', attribute='name') }} {{ people | map(attribute='zz', default='-') | list }} {{ (people | max(attribute='age')).name }}",
    "select and reject": "{{ [0, 1, '', 'a', none] | select | list }} {{ numbers | select('odd') | list }} {{ numbers | reject('equalto', 3) | list }} {{ mixed | select('string') | list }} {{ numbers | map('string') | join('+') }} {{ words | map('upper') | list }} {{ words | map('replace', 'p', 'P') | list }} {{ messages | selectattr('role', 'in', ['user', 'system']) | list | length }} {{ people | selectattr('name') | list | length }}",
    "group, batch, slice": "{% for city, group in people | groupby('city.name') %}{{ city }}:{{ group | map(attribute='name') | join('+') }};{% endfor %}{{ range(7) | batch(3) | list }}{{ range(7) | batch(3, 'x') | list }}{{ range(7) | slice(3) | list }}{{ range(7) | slice(3, '-') | list }}",
    "dictionaries": "{{ table | dictsort }} {{ table | items | list }} {{ table.keys() | list }} {{ table.values() | list }} {{ {'b': 2, 'a': 1} | dictsort(by='value', reverse=true) }} {{ dict(a=1, b='c') }} {{ {'a': none, 1: true} }} {{ table | length }}",
    "tojson": "{{ table | tojson }}\n{{ mixed | tojson }}\n{{ table | tojson(indent=2) }}\n{{ messages[3].content | tojson }}\n{{ messages[3] | tojson(ensure_ascii=true) }}\n{{ table | tojson(sort_keys=true) }}\n{{ table | tojson(separators=(',', ':')) }}\n{{ [] | tojson(indent=4) }}{{ {} | tojson }}{{ [1, [], {}] | tojson(indent=1) }} {{ '\\u2028<>&' | tojson }} {{ 1e16 | tojson }}",
    "repr": "{{ mixed }} {{ table }} {{ ('a', 1) }} {{ (1,) }} {{ ['a\\n', 'b\\\\', '\\u00e9', '\\u200b'] }} {{ [missing is defined] }} {{ [] }} {{ {} }}",
    # Methods
    "string methods": "{{ ' a b '.strip() }}|{{ '\\n\\na\\n'.strip('\\n') }}|{{ 'xxaxx'.lstrip('x') }}|{{ 'xxaxx'.rstrip('x') }}|{{ 'a,b,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ' a  b '.split() }}|{{ ' a  b  c '.split(none, 1) }}|{{ 'a\\nb\\r\\nc\\n'.splitlines() }}|{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}|{{ 'aXbX'.replace('X', '-') }}{{ 'aXbX'.replace('X', '-', 1) }}|{{ 'abcabc'.find('c') }}{{ 'abc'.find('z') }}{{ 'abcabc'.rfind('c') }}{{ '😀x'.index('x') }}|{{ 'banana'.count('an') }}",
    "more string methods": "{{ '-'.join(['a', 'b']) }}|{{ 'hello World'.title() }}|{{ 'hELLO wORLD'.capitalize() }}|{{ 'aB'.swapcase() }}|{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ 'AB'.isupper() }}{{ 'ab1'.islower() }}|{{ '7'.zfill(3) }}{{ 'a'.ljust(3, '.') }}{{ 'a'.rjust(3) }}{{ 'ab'.center(5, '*') }}|{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.py'.removesuffix('.py') }}|{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}|{{ 'ß'.upper() }}|{{ \"it's a dog's\".title() }}",
    "format method": "{{ '{} and {}'.format('a', 1) }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x:>4}|{y:.2f}|{z:04d}'.format(x='a', y=2.5, z=7) }} {{ '{:,}'.format(1234567) }} {{ '{{}}{}'.format(1) }} {{ '{:^5}|{:<3}|'.format('a', 'b') }}",
    "thoughts": "{% for m in messages %}{% if m.role == 'assistant' %}{% set parts = m.content.split('</think>') %}[{{ parts[0].split('<think>')[-1].strip('\\n') }}][{{ parts[-1].lstrip('\\n') }}]{% endif %}{% endfor %}",
    "list methods": "{{ numbers.index(2) }} {{ numbers.count(3) }} {{ table.copy() == table }}",
    # Functions
    "functions": "{{ range(5) | list }} {{ range(1, 10, 3) | list }} {{ range(3, 0, -1) | list }} {{ dict([('a', 1)]) }}{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% set j = joiner('; ') %}{% for w in words %}{{ j() }}{{ w }}{% endfor %}",
    "strftime_now": "{{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%A %a %B %b %d %e %j %y %I %p %% %-d %-m') }} {{ strftime_now('%U %W %u %w %D %F %T %R') }}",
    "arguments": "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 3]) }}{{ m(**{'a': 5}) }}{{ m(b=1, a=0) }}",
    # Whole templates
    "chatml": "{%- for message in messages -%}\n    {{- '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>\\n' -}}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{- '<|im_start|>assistant\\n' -}}\n{%- endif -%}",
    "last question": "{%- set ns = namespace(last=-1) -%}\n{%- for m in messages -%}\n  {%- if m.role == 'user' -%}\n    {%- set ns.last = loop.index0 -%}\n  {%- endif -%}\n{%- endfor -%}\n{%- for m in messages[::-1] %}\n{%- set at = (messages | length - 1) - loop.index0 %}\n{%- if at == ns.last %}\nQ: {{ m.content }}\n{%- break %}\n{%- endif %}\n{%- endfor %}",
    "search and continue": "{% for m in messages %}{% if m.role == 'system' %}<<SYS>>{{ m.content | trim }}<</SYS>>\n{% continue %}{% endif %}{{ loop.index }}. {% if m.content is not string %}{% continue %}{% endif %}{{ m.role | upper }}: {{ m.content.strip() }}{{ '\\n' if not loop.last }}{% endfor %}",
    "tools": "{%- if tools is not none and tools is defined and tools %}{{ tools | tojson }}{%- else %}no tools{%- endif %}{{ documents is none }}",
    # Refused
    "raise_exception": "{{ raise_exception('Only user roles, not ' ~ messages[0].role) }}",
    "attribute of nothing": "{{ missing.attribute }}",
    "call of nothing": "{{ missing() }}",
    "text and number": "{{ 'a' + 1 }}",
    "number and none": "{{ 1 + nothing }}",
    "order of unlike things": "{{ 1 < 'a' }}",
    "change of a list": "{{ messages.append(1) }}",
    "inner attributes": "{{ ''.__class__.__mro__ }}",
    "too long a range": "{% for i in range(90000000) %}{% endfor %}",
    "unknown filter": "{{ n | nosuchfilter }}",
    "unknown test": "{{ n is nosuchtest }}",
    "unknown tag": "{% nosuchtag %}",
    "missing end": "{% for m in messages %}{{ m }}",
    "wrong end": "{% if yes %}{% endfor %}",
    "unbalanced": "{{ (1 }}",
    "no namespace": "{% set table.b = 2 %}",
    "division by zero": "{{ 1 // 0 }}",
    "not iterable": "{% for i in n %}{% endfor %}",
    "too few to unpack": "{% for a, b in [[1]] %}{% endfor %}",
    "unknown method": "{{ 'a'.nosuch() }}",
    "do is not enabled": "{% do numbers.index(1) %}",
}


class Clock(datetime.datetime):
    """A moment for `strftime_now` that the goldens can be made on again."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 5, 9, 7, 3)


def main() -> None:
    chat_template_utils.datetime = Clock
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE(vocab={"<s>": 0, "</s>": 1}, merges=[])),
        bos_token="<s>",
        eos_token="</s>",
    )
    cases = []
    for name, template in TEMPLATES.items():
        case = {"name": name, "template": template}
        try:
            case["text"] = tokenizer.apply_chat_template(
                MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=True, **VARIABLES
            )
        except Exception as error:  # noqa: BLE001 what a template raises is part of what it does
            case["error"] = str(error).splitlines()[0]
        cases.append(case)
    dump = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
    lines = ",\n".join(map(dump, cases))
    made = f'{{"messages":{dump(MESSAGES)},\n"variables":{dump(VARIABLES)},\n"cases":[\n{lines}\n]}}\n'
    (HERE / "jinja.json").write_text(made, encoding="utf-8")
    print(len(cases), "templates,", sum("error" in case for case in cases), "refused")
    for case in cases:
        if "error" in case:
            print(" ", case["name"], "|", case["error"])


if __name__ == "__main__":
    main()
