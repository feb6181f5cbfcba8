/** @file JSON as Python's `json` writes it: with NaN and Infinity, which JSON itself doesn't have. */

/**
 * Parses JSON in which NaN, Infinity and -Infinity may stand for numbers. They come out as those words, as strings, so
 * that whoever needs a number there refuses them, and everybody else can ignore them.
 * @throws SyntaxError
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Strings are matched too, so that the words inside them stay as they are.
    const written = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (found) =>
      found.startsWith('"') ? found : `"${found}"`,
    );
    if (written === text) throw error;
    return JSON.parse(written);
  }
}
