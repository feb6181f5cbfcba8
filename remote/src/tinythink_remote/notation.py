"""Rewrites an answer in LaTeX, Markdown or plain text into one plain notation, as src/tasks/answers/notation.ts does."""

from __future__ import annotations

import re

TEXT_COMMANDS = set(
    "text textrm textbf textit textsf texttt textnormal mbox hbox mathrm mathbf mathit mathsf operatorname rm bf".split()
)
IGNORED_COMMANDS = set(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits boxed fbox boldsymbol bm".split()
)
SPACES = set("quad qquad enspace thinspace".split())
COMMANDS = {
    "dfrac": "\\frac",
    "tfrac": "\\frac",
    "cfrac": "\\frac",
    "dbinom": "\\binom",
    "tbinom": "\\binom",
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "div": "/",
    "le": "≤",
    "leq": "≤",
    "leqslant": "≤",
    "ge": "≥",
    "geq": "≥",
    "geqslant": "≥",
    "lt": "<",
    "gt": ">",
    "ne": "≠",
    "neq": "≠",
    "approx": "≈",
    "simeq": "≈",
    "in": "∈",
    "cup": "∪",
    "infty": "∞",
    "pi": "π",
    "circ": "°",
    "degree": "°",
    "pm": "±",
    "emptyset": "∅",
    "varnothing": "∅",
    "lbrace": "\\{",
    "rbrace": "\\}",
    "colon": ":",
    "mid": "|",
    "vert": "|",
    "lvert": "|",
    "rvert": "|",
    "dots": "\u2026",
    "ldots": "\u2026",
    "cdots": "\u2026",
    "percent": "%",
    "dollar": "",
    "euro": "",
    "pounds": "",
}
CHARACTERS = {
    "\u2212": "-",
    "\u2013": "-",
    "\u2012": "-",
    "\u2010": "-",
    "×": "*",
    "·": "*",
    "⋅": "*",
    "∙": "*",
    "÷": "/",
    "⁄": "/",
    "√": "\\sqrt",
    "\u00a0": "~",
    "\u2009": "~",
    "\u202f": "~",
    "\u2002": " ",
    "\u2003": " ",
    "\n": " ",
    "\r": " ",
    "\t": " ",
    "$": "",
    "€": "",
    "£": "",
    "`": "",
    "\"": "",
}
UNIT_SPELLINGS = {
    "m": "meter meters metre metres",
    "km": "kilometer kilometers kilometre kilometres kms",
    "cm": "centimeter centimeters centimetre centimetres cms",
    "mm": "millimeter millimeters millimetre millimetres",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards",
    "mi": "mile miles",
    "g": "gram grams",
    "kg": "kilogram kilograms kgs",
    "mg": "milligram milligrams",
    "lb": "pound pounds lbs",
    "oz": "ounce ounces",
    "s": "sec secs second seconds",
    "ms": "millisecond milliseconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yr yrs",
    "l": "liter liters litre litres L",
    "ml": "milliliter milliliters millilitre millilitres mL",
    "mph": "",
    "kph": "kmh",
    "usd": "dollar dollars USD",
    "cent": "cents",
    "eur": "euro euros EUR",
    "degree": "degrees deg °",
    "percent": "%",
    "rad": "radian radians",
    "hz": "Hz",
    "n": "N newton newtons",
    "j": "J joule joules",
    "w": "W watt watts",
    "v": "V volt volts",
    "unit": "units",
}

UNITS = {
    spelling: name for name, spellings in UNIT_SPELLINGS.items() for spelling in (name, *spellings.split())
}


_FRACTIONS = "½12⅓13⅔23¼14¾34⅕15⅖25⅗35⅘45⅙16⅚56⅐17⅛18⅜38⅝58⅞78⅑19"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def spell_out_characters(text: str) -> str:
    """Fractions and exponents that are characters of their own, as LaTeX: `2½` is `2\\frac12`."""

    def fraction(match: re.Match[str]) -> str:
        at = _FRACTIONS.find(match[0])
        return match[0] if at < 0 else "\\frac" + _FRACTIONS[at + 1 : at + 3]

    def exponent(match: re.Match[str]) -> str:
        digits = "".join(str(_RAISED.index(digit)) for digit in match[2])
        return "^{" + ("-" if match[1] == "⁻" else "") + digits + "}"

    text = re.sub("[⅐⅑⅓-⅞¼-¾]", fraction, text)
    return re.sub("([⁻⁺]?)([⁰¹²³⁴-⁹]{1,9})", exponent, text)


def unit_named(word: str) -> str | None:
    """The short name of a unit; None for other words."""
    return UNITS.get(word) or UNITS.get(word.lower())


def to_plain_notation(text: str) -> str:
    """The answer in plain notation. Thousands separators are still there: see `join_thousands`."""
    plain = _quote_words(_rewrite(spell_out_characters(text)))
    plain = re.sub(r"\^ *(?:°|\{ *° *\})", "°", plain)
    return re.sub(r" {2,}", " ", plain).strip(" ")


def join_thousands(text: str) -> str:
    """Takes separators between groups of three digits out of numbers; any other `~` is a space."""
    pattern = r"(?<![0-9.])[1-9][0-9]{0,2}([,~])[0-9]{3}(?:\1[0-9]{3})*(?![0-9]|[,~][0-9])"
    joined = re.sub(pattern, lambda match: re.sub("[,~]", "", match[0]), text)
    return joined.replace("~", " ")


def _rewrite(text: str) -> str:
    out = ""
    # For each open brace: whether it holds text.
    braces: list[bool] = []
    at = 0
    while at < len(text):
        character = text[at]
        in_text = bool(braces) and braces[-1]
        if character == "\\":
            name = re.match("[a-zA-Z]*", text[at + 1 : at + 30])[0]  # type: ignore[index]
            at += 1 + len(name)
            if name == "":
                escaped = text[at : at + 1]
                at += 1
                if escaped in ("{", "}"):
                    out += f"\\{escaped}"
                elif escaped == "\\":
                    out += ";"
                elif escaped == ",":
                    out += "~"
                elif escaped == "%":
                    out += "%"
                elif escaped == "!":
                    while text[at : at + 1] == " ":
                        at += 1
                elif escaped in ("", ";", ":", " ", "; ", ": "):
                    out += " "
                elif escaped in ("_", "&", "#"):
                    out += escaped
            elif name in ("begin", "end"):
                environment = re.match(r" *\{[a-zA-Z]*\*?\}", text[at : at + 40])
                at += environment.end() if environment else 0
                out += "(" if name == "begin" else ")"
            elif name in TEXT_COMMANDS:
                space = len(text[at:]) - len(text[at:].lstrip(" "))
                if text[at + space : at + space + 1] == "{":
                    at += space + 1
                    braces.append(True)
                out += " "
            elif name in IGNORED_COMMANDS:
                if text[at : at + 1] == "." and name in ("left", "right"):
                    at += 1
            elif name in SPACES:
                out += " "
            elif name in COMMANDS and re.match("[a-z]", name):
                plain = COMMANDS[name]
                out += plain
            else:
                out += f"\\{name}"
                # A command's name ends where a letter begins.
                if re.match("[a-zA-Z]", text[at : at + 1]):
                    out += " "
        elif character == "{":
            # The comma of `7{,}250` stands alone in braces so that TeX puts no space after it.
            if text.startswith("{,}", at):
                out += ","
                at += 3
                continue
            braces.append(in_text)
            if not in_text:
                out += "{"
            at += 1
        elif character == "}":
            out += " " if braces and braces.pop() else "}"
            at += 1
        elif in_text and re.match("[a-zA-Z]", character):
            word = re.match("[a-zA-Z'-]*", text[at:])[0]  # type: ignore[index]
            at += len(word)
            alone = len(word) == 1 and not re.search(r"[0-9][ ~]*\Z", out) and not re.match("[ ]*[a-zA-Z]", text[at:])
            out += word if alone else f'"{word}"'
        else:
            out += "," if character == "&" else CHARACTERS.get(character, character)
            at += 1
    return out


def _quote_words(text: str) -> str:
    """Puts words outside `\\text{…}` into quotes, so that letters without quotes are symbols."""

    def quoted(match: re.Match[str]) -> str:
        run = match[0]
        if run[0] in '\\"':
            return run
        before, after = text[: match.start()], text[match.end() :]
        ends = re.match(r"(?:\^\{?-?[0-9]\}?)?[ ~.]*(?:\Z|[/*,;)\]\"]|[a-zA-Z])", after)
        unit_here = unit_named(run) is not None and ends is not None
        # `36 m` and `36cm` have units; `36m` is a product.
        if unit_here and re.search(r"[0-9}][ ~]+\Z", before):
            return f'"{run}"'
        if unit_here and re.search(r'"[ ~]*[/*] *\Z', before):
            return f'"{run}"'
        if len(run) == 1:
            return run
        if unit_here and re.search(r"[0-9]\Z", before):
            return f'"{run}"'
        return f'"{run}"' if _is_word(run) else run

    return re.sub(r"""\\[a-zA-Z]+|"[^"]*"|[a-zA-Z]+(?:'[a-z]+)?""", quoted, text)


_WORDS = set("and or the is are yes no not of per for mph red one two ten odd sum bc ad am pm".split())


def _is_word(run: str) -> bool:
    return len(run) >= 4 or run.lower() in _WORDS
