/** @file Writes the LaTeX that models use in the part of it that KaTeX knows. */

/** Environments of amsmath that KaTeX lacks, by the nearest that it has. */
const NEAREST: Record<string, string> = { multline: 'gather', flalign: 'align' };

/** What these environments are called inside a line. */
const WITHIN: Record<string, string> = { align: 'aligned', gather: 'gathered', alignat: 'alignedat' };

/** A formula as KaTeX takes it; `display` as KaTeX typesets it. */
export function forKatex(source: string, display: boolean): string {
  return (
    source
      .replace(/\\label\s*\{[^{}]*\}/g, '')
      .replace(/\n\s*\n/g, '\n')
      // A percent sign after a number is meant as one, not as the beginning of a comment.
      .replace(/(\d\s?)%/g, '$1\\%')
      .replace(/\\(?:begin|end)\{(?:displaymath|math)\}/g, '')
      .replace(/\\begin\{eqnarray\*?\}/g, '\\begin{array}{rcl}')
      .replace(/\\end\{eqnarray\*?\}/g, '\\end{array}')
      .replace(/\\(begin|end)\{(multline|flalign)(\*?)\}/g, (_, tag, name, star) => {
        return `\\${tag}{${NEAREST[name as string]}${star}}`;
      })
      .replace(/\\(begin|end)\{(equation|align|gather|alignat)\*?\}/g, (tag, which, name) => {
        if (display) return tag as string;
        const within = WITHIN[name as string];
        return within ? `\\${which}{${within}}` : '';
      })
  );
}
