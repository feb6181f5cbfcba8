"""Writes answers.json: answers in the manner of AIME, MATH-500 and GSM8K with the verdicts of Math-Verify 0.9.

Our own readers, src/tasks/answer.ts and remote/src/tinythink_remote/answer.py, are held to it by
tests/tasks/answer.test.ts and tests/python/test_remote_tasks.py. Where ours differs from Math-Verify, the pair
says which verdict is right and why.

    pip install 'math-verify[antlr4_9_3]==0.9.0'
    python tests/goldens/make_answers.py
"""

import json
from pathlib import Path

from math_verify import parse, verify

# (completion, reference), grouped by the manner of the benchmark.
AIME = [
    ("Therefore the answer is $\\boxed{073}$.", "73"),
    ("$m+n = 25+16 = \\boxed{041}$", "41"),
    ("\\boxed{204}", "204"),
    ("\\boxed{204}", "240"),
    ("Thus, the final answer is \\boxed{ 113 }.", "113"),
    ("\\boxed{110.}", "110"),
    ("\\boxed{809}.", "809"),
    ("\\[\\boxed{321}\\]", "321"),
    ("The remainder is $\\boxed{\\textbf{236}}$", "236"),
    ("\\boxed{\\mathbf{55}}", "55"),
    ("so $\\boxed{m+n=371}$", "371"),
    ("$\\boxed{385}$ is wrong; it is $\\boxed{149}$", "149"),
    ("$\\boxed{385}$ is wrong; it is $\\boxed{149}$", "385"),
    ("\\boxed{1000}", "1{,}000"),
    ("\\boxed{-104}", "104"),
    ("\\boxed{-104}", "-104"),
    ("\\boxed{25 + 16}", "42"),
    ("\\fbox{480}", "480"),
    ("The answer is 699.", "699"),
    ("The answer is 699.", "69"),
    ("\\boxed{699}", "9"),
    ("\\boxed{\\frac{902}{1}}", "902"),
    ("\\boxed{2^{10}}", "1024"),
    ("\\boxed{3!}", "6"),
    ("\\boxed{\\binom{5}{2}}", "\\binom{5}{2}"),
]
MATH = [
    ("\\boxed{\\frac{14}{3}}", "\\frac{14}{3}"),
    ("\\boxed{\\dfrac{14}{3}}", "\\frac{14}{3}"),
    ("\\boxed{14/3}", "\\frac{14}{3}"),
    ("\\boxed{\\frac{28}{6}}", "\\frac{14}{3}"),
    ("\\boxed{4\\frac{2}{3}}", "\\frac{14}{3}"),
    ("\\boxed{4.67}", "\\frac{14}{3}"),
    ("\\boxed{-\\frac{7}{3}}", "\\frac{-7}{3}"),
    ("\\boxed{\\frac{7}{-3}}", "-\\frac73"),
    ("\\boxed{\\frac{7}{3}}", "-\\frac73"),
    ("\\boxed{\\left( 3, \\frac{\\pi}{2} \\right)}", "(3,\\frac{\\pi}{2})"),
    ("\\boxed{(3, 2)}", "(2, 3)"),
    ("\\boxed{(3, 2)}", "[3, 2]"),
    ("\\boxed{[3, 2)}", "[3, 2)"),
    ("\\boxed{[3, 5)}", "(3, 5)"),
    ("\\boxed{p - q}", "p-q"),
    ("\\boxed{q - p}", "p-q"),
    ("\\boxed{-q + p}", "p-q"),
    ("\\boxed{1+x}", "x+1"),
    ("\\boxed{x^2+2x+1}", "2x + x^2 + 1"),
    ("\\boxed{(x+1)^2}", "x^2+2x+1"),
    ("\\boxed{(x-2)(x+2)}", "x^2-4"),
    ("\\boxed{(x-3)(x+2)}", "x^2-4"),
    ("\\boxed{6 - 5i}", "6-5i"),
    ("\\boxed{-5i + 6}", "6-5i"),
    ("\\boxed{3\\sqrt{13}}", "3\\sqrt{13}"),
    ("\\boxed{\\sqrt{117}}", "3\\sqrt{13}"),
    ("\\boxed{3\\sqrt{14}}", "3\\sqrt{13}"),
    ("\\boxed{\\frac{1}{\\sqrt{3}}}", "\\frac{\\sqrt{3}}{3}"),
    ("\\boxed{\\frac{\\sqrt{3}}{2}}", "\\frac{\\sqrt3}{2}"),
    ("\\boxed{\\sqrt{51}}", "\\sqrt{51}"),
    ("\\boxed{\\sqrt[3]{8}}", "2"),
    ("\\boxed{2\\sqrt[3]{3}}", "\\sqrt[3]{24}"),
    ("\\boxed{70 \\sqrt{2}}", "70\\sqrt{2}"),
    ("\\boxed{\\pi}", "\\pi"),
    ("\\boxed{3.14}", "\\pi"),
    ("\\boxed{4\\pi}", "4 \\pi"),
    ("\\boxed{\\frac{4\\pi}{3}}", "\\frac43\\pi"),
    ("\\boxed{90^\\circ}", "90"),
    ("\\boxed{90}", "90^{\\circ}"),
    ("\\boxed{\\text{Evelyn}}", "\\text{Evelyn}"),
    ("\\boxed{Evelyn}", "\\text{Evelyn}"),
    ("\\boxed{\\text{Briana}}", "\\text{Evelyn}"),
    ("\\boxed{\\text{even}}", "\\text{odd}"),
    ("\\boxed{\\text{(C)}}", "\\text{(C)}"),
    ("\\boxed{C}", "\\text{(C)}"),
    ("\\boxed{B}", "\\text{(C)}"),
    ("\\boxed{\\text{June 20}}", "\\text{June 20}"),
    ("\\boxed{\\text{June 21}}", "\\text{June 20}"),
    ("\\boxed{10\\%}", "10\\%"),
    ("\\boxed{10}", "10\\%"),
    ("\\boxed{0.1}", "10\\%"),
    ("\\boxed{11\\%}", "10\\%"),
    ("\\boxed{\\$32{,}348}", "\\$32,\\!348"),
    ("\\boxed{32,348}", "\\$32,\\!348"),
    ("\\boxed{11,\\! 111,\\! 111,\\! 100}", "11,\\! 111,\\! 111,\\! 100"),
    ("\\boxed{11111111100}", "11,\\! 111,\\! 111,\\! 100"),
    ("\\boxed{1,-2}", "1, -2"),
    ("\\boxed{-2,1}", "1,-2"),
    ("\\boxed{-2, 1, 1}", "1,-2"),
    ("\\boxed{1, 2}", "1,-2"),
    ("\\boxed{3, 5, 7}", "3,5,7"),
    ("\\boxed{3, 5}", "3,5,7"),
    ("\\boxed{\\{3, 5, 7\\}}", "\\{7,5,3\\}"),
    ("\\boxed{3, 5, 7}", "\\{7,5,3\\}"),
    ("\\boxed{1 \\pm \\sqrt{19}}", "1 \\pm \\sqrt{19}"),
    ("\\boxed{1 + \\sqrt{19}, 1 - \\sqrt{19}}", "1 \\pm \\sqrt{19}"),
    ("\\boxed{x = 5}", "5"),
    ("\\boxed{5}", "x=5"),
    ("\\boxed{x=3}", "5"),
    ("\\boxed{y = 2x + 3}", "y = 2x + 3"),
    ("\\boxed{y = 3 + 2x}", "y = 2x + 3"),
    ("\\boxed{2x - y + 3 = 0}", "y = 2x + 3"),
    ("\\boxed{y = 2x - 3}", "y = 2x + 3"),
    ("\\boxed{x = 1 \\text{ or } x = -2}", "1, -2"),
    ("\\boxed{x \\in [-2,7]}", "[-2,7]"),
    ("\\boxed{x \\in [-2,7]}", "x \\in [-2,7]"),
    ("\\boxed{-2 \\le x \\le 7}", "-2 \\leq x \\leq 7"),
    ("\\boxed{x > 3}", "3 < x"),
    ("\\boxed{x > 3}", "x < 3"),
    ("\\boxed{(-\\infty, 2) \\cup (3, \\infty)}", "(-\\infty,2)\\cup(3,\\infty)"),
    ("\\boxed{(3, \\infty) \\cup (-\\infty, 2)}", "(-\\infty,2)\\cup(3,\\infty)"),
    ("\\boxed{(-\\infty, 2] \\cup (3, \\infty)}", "(-\\infty,2)\\cup(3,\\infty)"),
    ("\\boxed{\\left[ 0, \\frac{1}{2} \\right)}", "[0, 0.5)"),
    ("\\boxed{2516_8}", "2516_8"),
    ("\\boxed{2516_{8}}", "2516_8"),
    ("\\boxed{2516_7}", "2516_8"),
    ("\\boxed{\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("\\boxed{\\begin{pmatrix} 1 & 2 \\\\ 3 & 5 \\end{pmatrix}}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("\\boxed{\\begin{pmatrix} -\\frac{1}{2} \\\\ 3 \\end{pmatrix}}", "\\begin{pmatrix} -1/2 \\\\ 3 \\end{pmatrix}"),
    ("\\boxed{1.36 \\times 10^{-3}}", "0.00136"),
    ("\\boxed{6 \\cdot 10^4}", "60000"),
    ("\\boxed{6\\times10^5}", "60000"),
    ("\\boxed{5.4 \\text{ cents}}", "5.4 \\text{ cents}"),
    ("\\boxed{5.4}", "5.4 \\text{ cents}"),
    ("\\boxed{15\\mbox{ cm}^2}", "15"),
    ("\\boxed{15 \\text{ square centimeters}}", "15"),
    ("\\boxed{60 \\text{ miles per hour}}", "60"),
    ("\\boxed{60 \\text{ km/h}}", "60"),
    ("\\boxed{12 \\text{ inches}}", "12\\text{ inches}"),
    ("\\boxed{3\\text{ and }5}", "3,5"),
    ("\\boxed{\\frac{3}{56}}", "\\frac{3}{56}"),
    ("\\boxed{3/56}", "\\frac{3}{65}"),
    ("\\boxed{\\frac{x+2}{7}}", "\\frac{x + 2}{7}"),
    ("\\boxed{\\frac{1}{7}(x+2)}", "\\frac{x + 2}{7}"),
    ("\\boxed{2k+2}", "2k + 2"),
    ("\\boxed{2(k+1)}", "2k + 2"),
    ("\\boxed{e^{2x}}", "e^{2x}"),
    ("\\boxed{\\sin^2 x}", "\\sin^2 x"),
    ("\\boxed{\\cos x}", "\\sin x"),
    ("\\boxed{\\log_2 3}", "\\log_{2} 3"),
    ("\\boxed{|x|}", "|x|"),
    ("\\boxed{0}", "-0"),
    ("\\boxed{.5}", "\\frac12"),
    ("\\boxed{0.50}", "\\frac12"),
    ("\\boxed{0.333}", "\\frac13"),
    ("\\boxed{\\frac{2}{2}}", "1"),
    ("\\boxed{3:4}", "3:4"),
    ("\\boxed{144}", "12^2"),
    ("\\boxed{x^{10}}", "x^{10}"),
    ("\\boxed{x^{10}}", "x^{11}"),
    ("\\boxed{a_1}", "a_{1}"),
    ("\\boxed{\\emptyset}", "\\emptyset"),
    ("\\boxed{\\infty}", "\\infty"),
    ("\\boxed{-\\infty}", "\\infty"),
    ("\\boxed{\\text{yes}}", "\\text{Yes}"),
    ("\\boxed{\\text{no}}", "\\text{Yes}"),
    ("\\boxed{2 \\cdot 3 \\cdot 5}", "30"),
    ("\\boxed{17 + 25}", "42"),
    ("\\boxed{\\frac{3}{4} = 0.75}", "0.75"),
    ("\\boxed{n^2-n}", "n(n-1)"),
    ("\\boxed{\\frac{1}{x} + \\frac{1}{y}}", "\\frac{x+y}{xy}"),
    ("\\boxed{\\frac{9}{4}x}", "\\frac{9x}{4}"),
    ("\\boxed{xy}", "yx"),
    ("\\boxed{AB}", "5"),
    ("The value is $\\frac{5}{8}$.", "\\frac{5}{8}"),
    ("The value is $\\frac{5}{8}$.", "8"),
    ("Hence $x = -6$.", "-6"),
    ("So $f(2) = 4^3 = 64$.", "64"),
    ("So we get \\(\\frac{3}{7}\\).", "3/7"),
]
GSM8K = [
    ("He sold 48 in April.\n#### 72", "72"),
    ("So she has 10 left.\n#### 10", "10"),
    ("#### 1,200", "1200"),
    ("#### 1200", "1,200"),
    ("#### -3", "-3"),
    ("#### $18", "18"),
    ("#### 12.50", "12.5"),
    ("#### 12", "21"),
    ("The answer is 18.", "18"),
    ("The answer is $18.", "18"),
    ("The answer is 18 dollars.", "18"),
    ("The answer is 1,234.", "1234"),
    ("The final answer is: 3", "3"),
    ("Janet makes 9 * 2 = $18 every day.", "18"),
    ("He needs 5/8 of it.", "5/8"),
    ("He needs 5/8 of it.", "8"),
    ("She is 20% taller.", "20"),
    ("In total, 540 meters a week.", "540"),
    ("It took 3 + 4 = 7 hours.", "7"),
    ("It took 3 + 4 = 7 hours.", "4"),
    ("That leaves 64.", "64"),
    ("That leaves 64 eggs.", "6"),
    ("The bill is $2,125.", "2125"),
    ("The bill is \\$2,125.50", "2125.5"),
    ("\\boxed{\\$18}", "18"),
    ("\\boxed{18\\text{ dollars}}", "18"),
    ("\\boxed{18.00}", "18"),
    ("\\boxed{18.01}", "18"),
    ("\\boxed{5 hours}", "5"),
    ("The answer is −4.", "-4"),
]

# Where ours is right and Math-Verify is not, or is more generous than a teacher would be.
REASONS = {
    ("\\boxed{110.}", "110"): "A full stop at the end of the box is punctuation.",
    ("\\fbox{480}", "480"): "\\fbox is another way to box.",
    ("\\boxed{(3, 2)}", "[3, 2]"): "A point is not an interval.",
    ("\\boxed{-2, 1, 1}", "1,-2"): "The problem asks for each root once.",
    ("\\boxed{2516_7}", "2516_8"): "The same digits in another base are another number.",
    ("\\boxed{2 \\cdot 3 \\cdot 5}", "30"): "A calculation that was left undone is not its result.",
    ("\\boxed{17 + 25}", "42"): "A calculation that was left undone is not its result.",
    ("The bill is \\$2,125.50", "2125.5"): "An escaped dollar sign is a currency, not the start of a formula.",
    ("The answer is −4.", "-4"): "U+2212 is the minus sign that many models write.",
}


def verdict(completion: str, reference: str) -> bool:
    gold = parse(f"${reference}$") or parse(reference)
    return bool(verify(gold, parse(completion)))


def main() -> None:
    pairs = [
        {"manner": manner, "completion": completion, "reference": reference, "math_verify": verdict(completion, reference)}
        for manner, given in (("AIME", AIME), ("MATH-500", MATH), ("GSM8K", GSM8K))
        for completion, reference in given
    ]
    for pair in pairs:
        reason = REASONS.get((pair["completion"], pair["reference"]))
        if reason:
            pair["ours"] = not pair["math_verify"]
            pair["why"] = reason
    target = Path(__file__).with_name("answers.json")
    target.write_text(json.dumps(pairs, ensure_ascii=False, indent=1) + "\n")
    print(len(pairs))


if __name__ == "__main__":
    main()
